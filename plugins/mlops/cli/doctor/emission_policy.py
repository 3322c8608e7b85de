"""Does Airflow's lineage policy let our tasks tell what they read and wrote, and no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlops
from mlops.cli.doctor.findings import CheckResult, Finding, Passed
from mlops.errors import SpecError
from mlops.settings import include_folder
from mlops.spec.load import Include

# As the DAGs of a model are made; seats' gates are named after the policy's seats.
TASKS: Mapping[str, tuple[str, ...]] = {
    "release": (
        "intake",
        "snapshot",
        "check_data",
        "train",
        "validate",
        "package",
        "document",
        "sign_off.seat",
        "deploy",
    ),
    "score": ("check_input", "score", "publish"),
    "monitor": ("measure", "judge", "document", "alarm"),
    "control": ("control",),
}
_ANY = "any"
_SHOWN = 3


def operators() -> list[tuple[str, str]]:
    """Module and name of every operator and sensor of ours, from their sources."""
    root = Path(mlops.__path__[0])
    return [
        (f"mlops.{file.parent.name}.{file.stem}", node.name)
        for file in sorted([*root.glob("operators/*.py"), *root.glob("sensors/*.py")])
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(("Operator", "Sensor"))
        and node.name != "StepOperator"
    ]


def silenced(rules: Sequence[Any]) -> Iterator[CheckResult]:
    """What the rules and the older options make of our operators' events.

    :param rules: of ``[openlineage] emission_policy``; those that name a DAG are tried with it.
    """
    silent, bare, talkative = [], [], []
    for dag_id, task_id in [(_ANY, _ANY), *_tasks(rules)]:
        for module, name in operators():
            policy = _policy(module, name, dag_id, task_id)
            where = name if dag_id == _ANY else f"{name} in {dag_id}"
            if not policy.emit:
                silent.append(where)
            elif not policy.extract_operator_metadata:
                bare.append(where)
            if policy.emit and policy.include_full_task_info:
                talkative.append(where)
    yield from _told(silent, bare, talkative)


def _told(silent: list[str], bare: list[str], talkative: list[str]) -> Iterator[CheckResult]:
    options = "[openlineage] emission_policy, disabled_for_operators, selective_enable"
    if silent:
        yield Finding(
            "loses lineage",
            "silence",
            "operators of ours may not send their events",
            found=_few(silent),
            expected="that each of them may",
            action=f"correct {options}",
        )
    if bare:
        yield Finding(
            "loses lineage",
            "silence",
            "operators of ours may not say what they read and wrote",
            found=f"extract_operator_metadata = false for {_few(bare)}",
            expected="that each of them may",
            action="correct [openlineage] emission_policy",
        )
    if talkative:
        yield Finding(
            "unsafe",
            "full_task_info",
            "events carry every attribute of our operators",
            found=f"include_full_task_info for {_few(talkative)}",
            expected="a few chosen ones: the others may hold what a person typed",
            action="switch off include_full_task_info, also in [openlineage] emission_policy",
        )
    if not (silent or bare or talkative):
        yield Passed("all our operators may say what they read and wrote, and no more")


def _policy(module: str, name: str, dag_id: str, task_id: str) -> Any:
    """As the listener resolves it, for a stand-in: the real class is not needed for its name."""
    from airflow.providers.openlineage.utils.emission_policy import resolve_task_emission_policy

    stand_in = type(name, (), {"__module__": module, "params": {}})()
    return resolve_task_emission_policy(operator=stand_in, dag_id=dag_id, task_id=task_id)


def _tasks(rules: Sequence[Any]) -> list[tuple[str, str]]:
    """The tasks of ours that a rule names by their DAG."""
    found = []
    known = None
    for rule in rules:
        scope = rule.get("scope") if isinstance(rule, dict) else None
        if not isinstance(scope, dict) or "dag_id" not in scope:
            continue
        known = _known() if known is None else known
        by_pattern = rule.get("match_mode") == "regex"
        found += [
            (dag_id, task_id)
            for dag_id, task_ids in known.items()
            if _is(scope["dag_id"], dag_id, by_pattern)
            for task_id in _of_dag(scope.get("task_id"), task_ids, by_pattern)
        ]
    return list(dict.fromkeys(found))


def _of_dag(named: Any, task_ids: Sequence[str], by_pattern: bool) -> list[str]:  # noqa: FBT001
    if named is None:
        return [_ANY]
    gate = str(named).startswith("sign_off.")
    if not by_pattern and gate and "sign_off.seat" in task_ids:
        return [str(named)]
    return [task_id for task_id in task_ids if _is(named, task_id, by_pattern)]


def _is(named: Any, name: str, by_pattern: bool) -> bool:  # noqa: FBT001
    return bool(re.fullmatch(str(named), name)) if by_pattern else named == name


def _known() -> dict[str, tuple[str, ...]]:
    try:
        models = [file.stem for file in Include(include_folder()).spec_files()]
    except SpecError:
        models = []
    made = {f"{model}_{phase}": task_ids for model in models for phase, task_ids in TASKS.items()}
    return {**made, "mlops_governance": (_ANY,)}


def _few(names: Sequence[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
