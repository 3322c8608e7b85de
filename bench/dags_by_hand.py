"""Write DAGs out as the Python file that a person would have written by hand.

The file holds one function for each DAG, and every argument in it is a literal: no spec is read
and nothing is worked out. It is what the parse of generated DAGs is measured against.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, Param, TaskGroup, XComArg
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.xcom_arg import PlainXComArg

HEAD = """\
import datetime

from airflow.sdk import DAG, Asset, Param, TaskGroup
"""
DAG_ARGS = (
    "dag_id", "dag_display_name", "description", "doc_md", "schedule", "start_date", "catchup",
    "max_active_runs", "tags", "default_args", "fail_fast",
)  # fmt: skip
# A task's arguments beyond those of its own class, with their defaults.
TASK_ARGS: dict[str, Any] = {"inlets": [], "outlets": [], "trigger_rule": "all_success"}
GROUP_ARGS: dict[str, Any] = {"group_display_name": "", "prefix_group_id": True, "tooltip": ""}


def by_hand(dags: Iterable[DAG], *, empty: bool) -> str:
    """The text of a Python file whose ``DAGS`` are equal to ``dags``.

    :param empty: write every task as an ``EmptyOperator`` that keeps its id, its title, its place
        and its assets only; otherwise with its own operator class.
    :raises TypeError: a DAG holds a value that is not known here yet.
    """
    functions = [_Function(dag, empty=empty) for dag in dags]
    texts = [function.text() for function in functions]
    imports = sorted({line for function in functions for line in function.imports})
    names = "".join(f"    {function.name}(),\n" for function in functions)
    return "\n".join([HEAD + "\n".join(imports), "", "", *texts, f"DAGS = [\n{names}]", ""])


class _Function:
    """One DAG as a function."""

    def __init__(self, dag: DAG, *, empty: bool) -> None:
        self.name = _name("", dag.dag_id)
        self.imports: set[str] = set()
        self._dag = dag
        self._empty = empty
        self._linked: set[tuple[str, str]] = set()  # dependencies that the arguments make already

    def text(self) -> str:
        """The function's source; afterwards ``imports`` holds what it needs."""
        args = {name: getattr(self._dag, name) for name in DAG_ARGS}
        args["params"] = {key: self._dag.params.get_param(key) for key in self._dag.params}
        lines = [f"def {self.name}():", f"    with DAG({_arguments(args)}) as dag:"]
        lines += self._children(self._dag.task_group, 8)
        lines += [" " * 8 + line for line in self._dependencies()]
        return "\n".join([*lines, "    return dag", "", ""])

    def _children(self, group: Any, indent: int) -> Iterator[str]:
        prefix = f"{group.group_id}." if group.group_id and group.prefix_group_id else ""
        for child in group.children.values():
            label = child.node_id.removeprefix(prefix)
            if isinstance(child, TaskGroup):
                yield " " * indent + self._group(child, label)
                yield from self._children(child, indent + 4)
            else:
                yield f"{' ' * indent}{_name('t_', child.node_id)} = {self._task(child, label)}"

    def _group(self, group: Any, label: str) -> str:
        given = {name: getattr(group, name) for name in GROUP_ARGS}
        args = {key: value for key, value in given.items() if value != GROUP_ARGS[key]}
        args = {"group_id": label} | args
        return f"with TaskGroup({_arguments(args)}) as {_name('g_', group.group_id)}:"

    def _task(self, task: Any, label: str) -> str:
        mapped = isinstance(task, MappedOperator)
        kind = EmptyOperator if self._empty else task.operator_class if mapped else type(task)
        self.imports.add(f"from {kind.__module__} import {kind.__name__}")
        args = {"task_id": label}
        if task.task_display_name != task.task_id:
            args["task_display_name"] = task.task_display_name
        if not mapped:
            args |= _given_arguments(vars(task), kind)
            self._note_links(task, args)
            return f"{kind.__name__}({_arguments(args)})"
        own = _own_arguments(kind)
        args |= {key: value for key, value in task.partial_kwargs.items() if key in own}
        over = task.expand_input.value
        if self._empty:  # it has no argument of its own to be mapped over
            over = {"params": [{key: item} for key, items in over.items() for item in items]}
        self._note_links(task, {**args, **over})
        return f"{kind.__name__}.partial({_arguments(args)}).expand({_arguments(over)})"

    def _note_links(self, task: Any, args: dict[str, Any]) -> None:
        for value in args.values():
            for source, _ in XComArg.iter_xcom_references(value):
                self._linked.add((source.task_id, task.task_id))

    def _dependencies(self) -> Iterator[str]:
        linked = set(self._linked)
        groups = {group.group_id: group for group in _groups(self._dag.task_group)}
        for name, group in groups.items():
            leaves = [leaf.task_id for leaf in group.get_leaves()]
            for below in sorted(group.downstream_group_ids):
                linked |= {(u, root.task_id) for u in leaves for root in groups[below].get_roots()}
                yield f"{_name('g_', name)} >> {_name('g_', below)}"
            for below in sorted(group.downstream_task_ids):
                linked |= {(leaf, below) for leaf in leaves}
                yield f"{_name('g_', name)} >> {_name('t_', below)}"
            for above in sorted(group.upstream_task_ids):
                linked |= {(above, root.task_id) for root in group.get_roots()}
                yield f"{_name('t_', above)} >> {_name('g_', name)}"
        for task in self._dag.tasks:
            belows = sorted(task.downstream_task_ids)
            names = [_name("t_", below) for below in belows if (task.task_id, below) not in linked]
            if names:
                right = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
                yield f"{_name('t_', task.task_id)} >> {right}"


def _name(prefix: str, text: str | None) -> str:
    return prefix + re.sub(r"\W", "_", text or "")


def _groups(group: Any) -> Iterator[Any]:
    for child in group.children.values():
        if isinstance(child, TaskGroup):
            yield child
            yield from _groups(child)


def _given_arguments(values: Any, kind: type[Any]) -> dict[str, Any]:
    """The arguments that a task was given, as far as they are not what it has without them."""
    defaults = {**TASK_ARGS, **_own_arguments(kind)}
    given = {name: values.get(name) for name in defaults}
    return {
        name: value
        for name, value in given.items()
        if value is not None and (isinstance(value, XComArg) or value != defaults[name])
    }


def _own_arguments(kind: type[Any]) -> dict[str, Any]:
    """The arguments that our own classes declare, with their defaults."""
    found: dict[str, Any] = {}
    for cls in kind.__mro__:
        if cls.__module__.startswith("mlops."):
            for name, parameter in inspect.signature(cls).parameters.items():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    found.setdefault(name, parameter.default)
    return found


def _arguments(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_literal(value)}" for name, value in values.items())


def _literal(value: Any) -> str:
    """``value`` as the expression that makes it.

    :raises TypeError: it is of a kind that none of these DAGs has had so far; add it here.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, datetime):
        return (
            f"datetime.datetime({', '.join(map(str, value.timetuple()[:6]))}, tzinfo=datetime.UTC)"
        )
    if isinstance(value, timedelta):
        return repr(value)
    if isinstance(value, PlainXComArg):
        source = f"{_name('t_', value.operator.task_id)}.output"
        return source if value.key == "return_value" else f"{source}[{value.key!r}]"
    if isinstance(value, Param):
        args = {"default": value.value, "description": value.description, **value.schema}
        return f"Param({_arguments(args)})"
    if isinstance(value, Asset):
        return f"Asset(name={value.name!r}, uri={value.uri!r})"
    return _collection(value)


def _collection(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, set):
        return f"{{{', '.join(sorted(_literal(item) for item in value))}}}"
    raise TypeError(f"{type(value).__name__} cannot be written by hand yet: {value!r}")
