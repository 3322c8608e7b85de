"""Which datasets each step read and wrote, from its result and the store."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from mlops.lineage.events import dataset_names
from mlops.lineage.events.datasets import Dataset, Names, ReadAndWritten
from mlops.spec.load import Spec
from mlops.store.tables import (
    BatchRow,
    SnapshotRow,
    TrainingRow,
    VersionRow,
)
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.results import (
    Checked,
    Controlled,
    Decision,
    Deployed,
    Documented,
    Intake,
    Judged,
    Measured,
    Packaged,
    Published,
    Snapshot,
    Training,
    Validation,
)
from mlops.workspace.workspace import Workspace


def read_and_written(workspace: Workspace, result: Any) -> ReadAndWritten:
    """What the step behind ``result`` read and wrote; never empty on either side."""
    inputs, outputs = _of(result, workspace, workspace.names)
    return ReadAndWritten(inputs=tuple(inputs), outputs=tuple(outputs))


Both = tuple[list[Dataset], list[Dataset]]


@singledispatch
def _of(result: Any, workspace: Workspace, names: Names) -> Both:  # noqa: ARG001
    raise TypeError(f"no datasets are known for {type(result).__name__}")


@_of.register
def _(result: Intake, workspace: Workspace, names: Names) -> Both:
    file = workspace.include.spec_file(result.model)
    return [names.file(str(file))], [
        names.airflow(dataset_names.spec(result.model, result.spec_digest))
    ]


@_of.register
def _(result: Snapshot, workspace: Workspace, names: Names) -> Both:
    row = _row(workspace, SnapshotRow, result.snapshot_id)
    return list(names.tables_of(row.query)), [_snapshot(names, row)]


@_of.register
def _(result: Checked, workspace: Workspace, names: Names) -> Both:
    row = _row(workspace, SnapshotRow, result.snapshot_id)
    return [_snapshot(names, row)], [
        names.airflow(dataset_names.snapshot_checks(row.model, row.id))
    ]


@_of.register
def _(result: Training, workspace: Workspace, names: Names) -> Both:
    row = _row(workspace, TrainingRow, result.training_id)
    snapshot = _row(workspace, SnapshotRow, row.snapshot_id)
    return [_snapshot(names, snapshot)], [_training(names, row)]


@_of.register
def _(result: Validation, workspace: Workspace, names: Names) -> Both:
    row = _row(workspace, TrainingRow, result.training_id)
    snapshot = _row(workspace, SnapshotRow, row.snapshot_id)
    validation = names.airflow(dataset_names.validation(row.model, row.id))
    return [_training(names, row), _snapshot(names, snapshot)], [validation]


@_of.register
def _(result: Packaged, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    training = _row(workspace, TrainingRow, version.training_id)
    validation = names.airflow(dataset_names.validation(result.model, training.id))
    return [_training(names, training), validation], [_version(workspace, names, version)]


@_of.register
def _(result: Documented, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    return [_version(workspace, names, version)], [names.file(result.location)]


@_of.register
def _(result: Decision, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    approval = names.airflow(dataset_names.approvals(result.model, result.version))
    return [_version(workspace, names, version)], [approval]


@_of.register
def _(result: Deployed, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    approval = names.airflow(dataset_names.approvals(result.model, result.version))
    deployment = names.airflow(dataset_names.deployment(result.model))
    return [_version(workspace, names, version), approval], [deployment]


@_of.register
def _(result: Controlled, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    deployment = names.airflow(dataset_names.deployment(result.model))
    if result.action == "revoke":
        deployment = names.airflow(dataset_names.approvals(result.model, result.version))
    return [_version(workspace, names, version)], [deployment]


@_of.register
def _(result: Plan, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    plan = names.airflow(dataset_names.plan(result.model, result.window))
    return _sources(workspace, names, version, by_rule=result.by_rule), [plan]


@_of.register
def _(result: Scored, workspace: Workspace, names: Names) -> Both:
    model, _, number, *rule = result.batch.split("/")
    version = _row(workspace, VersionRow, model, int(number.removeprefix("v")))
    spec = workspace.spec(version.spec_digest)
    sources = _sources(workspace, names, version, by_rule=bool(rule))
    return [*sources, names.airflow(dataset_names.deployment(model))], [_predictions(names, spec)]


@_of.register
def _(result: Published, workspace: Workspace, names: Names) -> Both:
    version = _row(workspace, VersionRow, result.model, result.version)
    spec = workspace.spec(version.spec_digest)
    view = names.table(spec.content.deploy.output_schema, result.model)
    return [_predictions(names, spec)], [view]


@_of.register
def _(result: Measured, workspace: Workspace, names: Names) -> Both:
    batch = _row(workspace, BatchRow, result.batch)
    version = _row(workspace, VersionRow, batch.model, batch.version)
    spec = workspace.spec(version.spec_digest)
    outcomes = names.tables_of(spec.sql[spec.content.develop.outcomes_sql])
    measured = names.airflow(dataset_names.measurement(batch.model, result.measurement))
    return sorted({_predictions(names, spec), *outcomes}), [measured]


@_of.register
def _(result: Judged, workspace: Workspace, names: Names) -> Both:  # noqa: ARG001
    measured = names.airflow(dataset_names.measurement(result.model, result.measurement))
    return [measured], [names.airflow(dataset_names.monitoring(result.model, result.version))]


def _row(workspace: Workspace, kind: Any, *key: Any) -> Any:
    with workspace.store.transaction() as transaction:
        return transaction.get(kind, *key)


def _sources(
    workspace: Workspace, names: Names, version: VersionRow, *, by_rule: bool
) -> list[Dataset]:
    """What scores are made of: tables, and the version where it is not its rule that scores."""
    spec = workspace.spec(version.spec_digest)
    if by_rule:
        return list(names.tables_of(spec.rule_sql))
    return [*names.tables_of(spec.scoring_sql), _version(workspace, names, version)]


def _snapshot(names: Names, row: SnapshotRow) -> Dataset:
    columns = tuple((column["name"], column["type"]) for column in row.columns)
    return names.airflow(dataset_names.snapshot(row.model, row.id), columns)


def _training(names: Names, row: TrainingRow) -> Dataset:
    return names.airflow(dataset_names.training(row.model, row.id))


def _version(workspace: Workspace, names: Names, row: VersionRow) -> Dataset:
    spec = workspace.spec(row.spec_digest)
    columns = tuple((name, feature.kind) for name, feature in spec.content.develop.features.items())
    return names.airflow(dataset_names.version(row.model, row.number), columns)


def _predictions(names: Names, spec: Spec) -> Dataset:
    return names.table(spec.content.deploy.output_schema, f"{spec.model}_predictions")
