"""Does Airflow's lineage policy let our tasks send what they read and wrote, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.cli.doctor.findings import CheckResult, Finding, Passed
from mlops.errors import ExtensionError, SpecError
from mlops.operators.registry import OPERATORS
from mlops.settings import include_folder
from mlops.spec.load import Include
from mlops.vocabulary import (
    CONTROL_PHASE,
    GOVERNANCE_DAG,
    MONITOR_PHASE,
    RELEASE_PHASE,
    SCORE_PHASE,
    model_dag_id,
)

_ANY = "any"
_SHOWN = 3


@dataclass(frozen=True)
class Emitter:
    """An operator, in a task of a generated DAG or anywhere."""

    module: str
    name: str
    dag_id: str = _ANY
    task_id: str = _ANY

    def __str__(self) -> str:
        """As findings name it."""
        return self.name if self.dag_id == _ANY else f"{self.name} in {self.dag_id}"


def operators() -> list[type[Any]]:
    """The classes of all operators and sensors, those of extensions among them.

    An operator that cannot be loaded is left out; the check ``extensions`` names it.
    """
    try:
        names = OPERATORS.names()
    except ExtensionError:
        names = OPERATORS.built_in_names()
    found = []
    for name in names:
        try:
            found.append(OPERATORS.get(name))
        except ExtensionError:
            continue
    return found


def generated_tasks(phase: str) -> dict[str, type[Any]]:
    """The tasks of the DAG that is generated for a phase, each with its operator."""
    found = {}
    for operator in operators():
        of_phase, _, task_id = getattr(operator, "generated_task", "").partition(".")
        if of_phase == phase:
            found[task_id] = operator
    return found


def emission_findings(rules: Sequence[Any]) -> Iterator[CheckResult]:
    """What the rules and the older options allow for our operators' events.

    :param rules: of ``[openlineage] emission_policy``; those that name a DAG are tried with it.
    """
    silent, without_datasets, too_much = [], [], []
    everywhere = [Emitter(kind.__module__, kind.__name__) for kind in operators()]
    for emitter in [*everywhere, *_in_generated_dags(rules)]:
        policy = _policy(emitter)
        if not policy.emit:
            silent.append(str(emitter))
        elif not policy.extract_operator_metadata:
            without_datasets.append(str(emitter))
        if policy.emit and policy.include_full_task_info:
            too_much.append(str(emitter))
    yield from _findings(silent, without_datasets, too_much)


def _findings(
    silent: list[str], without_datasets: list[str], too_much: list[str]
) -> Iterator[CheckResult]:
    if silent:
        yield Finding(
            "loses lineage",
            "emission_policy",
            "operators of this library may not send their events",
            found=_few(silent),
            expected="that each of them may",
            action="correct [openlineage] emission_policy, disabled_for_operators, "
            "selective_enable",
        )
    if without_datasets:
        yield Finding(
            "loses lineage",
            "emission_policy",
            "operators of this library may not send what they read and wrote",
            found=f"extract_operator_metadata = false for {_few(without_datasets)}",
            expected="that each of them may",
            action="correct [openlineage] emission_policy",
        )
    if too_much:
        yield Finding(
            "unsafe",
            "full_task_info",
            "events carry every attribute of this library's operators",
            found=f"include_full_task_info for {_few(too_much)}",
            expected="a few chosen ones: the others may hold what a person typed",
            action="switch off include_full_task_info, also in [openlineage] emission_policy",
        )
    if not (silent or without_datasets or too_much):
        yield Passed("all operators may send what they read and wrote, and no more")


def _policy(emitter: Emitter) -> Any:
    """As the listener resolves it, for a stand-in: an operator's instance is not needed."""
    from airflow.providers.openlineage.utils.emission_policy import resolve_task_emission_policy

    stand_in = type(emitter.name, (), {"__module__": emitter.module, "params": {}})()
    return resolve_task_emission_policy(
        operator=stand_in, dag_id=emitter.dag_id, task_id=emitter.task_id
    )


def _in_generated_dags(rules: Sequence[Any]) -> list[Emitter]:
    """The tasks of generated DAGs that a rule names by their DAG."""
    scopes = [rule.get("scope") for rule in rules if isinstance(rule, dict)]
    if not any(isinstance(scope, dict) and "dag_id" in scope for scope in scopes):
        return []
    dags = _generated_dags()
    return list(dict.fromkeys(found for rule in rules for found in _named_by(rule, dags)))


def _named_by(rule: Any, dags: Mapping[str, Mapping[str, type[Any]]]) -> Iterator[Emitter]:
    scope = rule.get("scope") if isinstance(rule, dict) else None
    if not isinstance(scope, dict) or "dag_id" not in scope:
        return
    by_pattern = rule.get("match_mode") == "regex"
    for dag_id, tasks in dags.items():
        if _matches(scope["dag_id"], dag_id, by_pattern=by_pattern):
            for task_id, operator in tasks.items():
                named = _task_named(scope.get("task_id"), task_id, by_pattern=by_pattern)
                if named is not None:
                    yield Emitter(operator.__module__, operator.__name__, dag_id, named)


def _task_named(named: Any, task_id: str, *, by_pattern: bool) -> str | None:
    """The task that a rule names; None if it names another one.

    A ``*`` in a generated task's id is the name of a seat, which the policy gives.
    """
    if named is None:
        return task_id
    prefix, seat, _ = task_id.partition("*")
    if seat and not by_pattern and str(named).startswith(prefix):
        return str(named)
    return task_id if _matches(named, task_id, by_pattern=by_pattern) else None


def _matches(named: Any, name: str, *, by_pattern: bool) -> bool:
    return bool(re.fullmatch(str(named), name)) if by_pattern else named == name


def _generated_dags() -> dict[str, dict[str, type[Any]]]:
    """The DAGs of each model and of governance, each with its tasks."""
    try:
        models = [file.stem for file in Include(include_folder()).spec_files()]
    except SpecError:
        models = []
    tasks = {
        phase: generated_tasks(phase)
        for phase in (RELEASE_PHASE, SCORE_PHASE, MONITOR_PHASE, CONTROL_PHASE)
    }
    of_models = {model_dag_id(model, phase): tasks[phase] for model in models for phase in tasks}
    return {**of_models, GOVERNANCE_DAG: generated_tasks("governance")}


def _few(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
