"""Operators and sensors, read from their source: nothing of Airflow is imported."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops import operators
from mlops.operators.registry import OPERATORS
from tests.reference.text import fields, markdown, prose, sentence, table

PACKAGE = Path(__file__).parents[2] / "plugins" / "mlops"
COMMON = {"model", "warehouse_conn_id", "store_conn_id"}
_RUNS = re.compile(r"Run :func:`([\w.]+)\.(\w+)`")


@dataclass(frozen=True)
class Operator:
    """An operator or a sensor.

    :ivar module: from which a DAG imports it.
    :ivar defaults: the default of each parameter as source, by name; None for one without.
    :ivar task: phase and task id in the DAGs that are made for each model.
    :ivar fields: what its result holds.
    """

    name: str
    module: str
    docstring: str
    defaults: dict[str, str | None]
    templated: frozenset[str]
    task: str
    fields: tuple[str, ...]


def find_operators() -> list[Operator]:
    """Every operator and sensor that a DAG may use, in the order of a model's life."""
    found = {
        node.name: _operator(file, node)
        for file in sorted([*PACKAGE.glob("operators/*.py"), *PACKAGE.glob("sensors/*.py")])
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name in OPERATORS.names()
    }
    return [found[name] for name in OPERATORS.built_in_names()]


def operator_sections() -> str:
    """A section for each operator: what it does, its parameters and its result."""
    return "\n".join(_section(operator) for operator in find_operators())


def _operator(file: Path, node: ast.ClassDef) -> Operator:
    public = node.name in operators.__all__
    return Operator(
        name=node.name,
        module=operators.__name__ if public else f"mlops.{file.parent.name}.{file.stem}",
        docstring=ast.get_docstring(node) or "",
        defaults=dict(_defaults(node)),
        templated=frozenset(_templated(node)),
        task=_constant(node, "generated_task"),
        fields=_fields(node),
    )


def _defaults(node: ast.ClassDef) -> Iterator[tuple[str, str | None]]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            pairs = zip(item.args.kwonlyargs, item.args.kw_defaults, strict=True)
            yield from ((arg.arg, ast.unparse(value) if value else None) for arg, value in pairs)


def _templated(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "template_fields":
            assert isinstance(item.value, ast.Tuple)
            yield from (e.value for e in item.value.elts if isinstance(e, ast.Constant))


def _constant(node: ast.ClassDef, name: str) -> str:
    for item in node.body:
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == name:
            return str(ast.literal_eval(item.value))
    return ""


def _fields(node: ast.ClassDef) -> tuple[str, ...]:
    """The fields of what the step's function returns, which its docstring names."""
    steps = (
        item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "step"
    )
    for step in steps:
        named = _RUNS.match(ast.get_docstring(step) or "")
        assert named, node.name
        module = importlib.import_module(named[1])
        result = getattr(module, str(getattr(module, named[2]).__annotations__["return"]), None)
        if dataclasses.is_dataclass(result):
            return tuple(field.name for field in dataclasses.fields(result))
    return ()


def _section(operator: Operator) -> str:
    words = fields(operator.docstring)
    own = {name: value for name, value in operator.defaults.items() if name not in COMMON}
    rows = [
        (f"`{name}`", "**required**" if value is None else f"`{value}`", _words(words[name]))
        for name, value in own.items()
    ]
    phase, _, task = operator.task.partition(".")
    dag = "mlops_governance" if phase == "governance" else f"<model>_{phase}"
    parts = [
        f"## {operator.name}",
        prose(operator.docstring),
        f"`from {operator.module} import {operator.name}`. Generated as `{task}` of `{dag}`."
        if task
        else f"`from {operator.module} import {operator.name}`.",
        table(("parameter", "default", "what it is"), rows).rstrip() if rows else "",
        "Gives " + ", ".join(f"`{name}`" for name in operator.fields) + "."
        if operator.fields
        else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _words(text: str) -> str:
    return sentence(markdown(text).replace(" (templated)", "")) + (
        " Templated." if "(templated)" in text else ""
    )
