"""Develop: freeze the rows that a version is trained and tested on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from mlops.core.estimator import check_parameters
from mlops.core.period import periods_before
from mlops.core.recorded_summary import summary_to_json
from mlops.core.summary import Summariser
from mlops.core.table import count_file
from mlops.core.targets.target import target_of
from mlops.digests import digest_json
from mlops.errors import NoRows
from mlops.flow.columns import check_columns, prefix_errors
from mlops.flow.source_access import Reading, record_reading, source_access
from mlops.lineage.events.develop import snapshot_taken
from mlops.spec.load import Spec
from mlops.spec.model import Split
from mlops.store.tables import SnapshotRow
from mlops.vocabulary import LedgerAction, snapshot_subject
from mlops.warehouse.dialect import Dialect
from mlops.warehouse.snapshot import write_parquet
from mlops.workspace.results import Snapshot
from mlops.workspace.workspace import Workspace, now


def snapshot(workspace: Workspace, *, spec_digest: str, as_of: datetime) -> Snapshot:
    """Stream features ⋈ outcomes into one Parquet file and keep it under its SHA-256.

    The file holds the training periods and then the test periods, all before ``as_of``, in the
    order of time and key, so that the same rows give the same bytes.

    :param as_of: the run's clock; nothing that became known later is read.
    :raises NoRows: the query returned nothing.
    :raises QueryError: the SQL does not run, lacks a column, or has one of a type that cannot be
        read.
    :raises DataRefused: a column cannot be the feature, the time or the label that the spec names.
    """
    spec = workspace.spec(spec_digest)
    window = _TrainingWindow.of(spec.content.develop.split, as_of)
    target = target_of(spec.content)
    for candidate in spec.content.develop.candidates:
        check_parameters(candidate, target=target)
    check_columns(workspace, spec, as_of=as_of)
    query = training_query(
        workspace.warehouse.dialect, spec, start=window.start, end=window.end, as_of=as_of
    )
    develop = spec.content.develop
    with prefix_errors(f"{spec.model}: {develop.features_sql} joined with {develop.outcomes_sql}"):
        columns = workspace.warehouse.describe(query)
    read = source_access(workspace, query)
    summariser = Summariser(develop)
    with workspace.scratch() as folder, _naming_the_window(spec, window):
        file = write_parquet(
            workspace.warehouse, query, folder / "snapshot.parquet", on_batch=summariser.update
        )
        counts = count_file(file.path, develop, test_start=window.test_start)
        workspace.artifacts.put_file(file.path, file.sha256)
    windows = [window.start, window.test_start, window.end]
    row = SnapshotRow(
        id=digest_json({"spec": spec_digest, "sha256": file.sha256, "windows": windows}),
        model=spec.model,
        spec_digest=spec_digest,
        sha256=file.sha256,
        rows=file.rows,
        bytes=file.bytes,
        train_start=window.start,
        test_start=window.test_start,
        test_end=window.end,
        query=query,
        columns=[{"name": column.name, "type": column.type} for column in columns],
        summary=summary_to_json(summariser.result(), counts),
        taken_at=now(),
    )
    _record(workspace, row, read.in_state(file.state))
    return Snapshot(
        snapshot_id=row.id,
        sha256=row.sha256,
        rows=row.rows,
        train_start=window.start.isoformat(),
        test_start=window.test_start.isoformat(),
        test_end=window.end.isoformat(),
    )


@dataclass(frozen=True)
class _TrainingWindow:
    """Training periods from ``start``, test periods from ``test_start``, both before ``end``."""

    start: datetime
    test_start: datetime
    end: datetime
    as_of: datetime

    @classmethod
    def of(cls, split: Split, as_of: datetime) -> _TrainingWindow:
        periods = periods_before(as_of, split.unit, split.train + split.test)
        return cls(periods[0].start, periods[split.train].start, periods[-1].end, as_of)


def _record(workspace: Workspace, row: SnapshotRow, read: Reading) -> None:
    with workspace.store.transaction() as transaction:
        known = record_reading(transaction, workspace, read, subject=row.id, model=row.model)
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.SNAPSHOT_TAKEN,
            subject=snapshot_subject(row.model, row.id),
            payload={
                "snapshot": row.id,
                "spec": row.spec_digest,
                "sha256": row.sha256,
                "rows": row.rows,
                "run": workspace.run.to_json(),
            },
            lineage=workspace.emit(snapshot_taken(workspace.origin, row, known)),
        )


def training_query(
    dialect: Dialect, spec: Spec, *, start: datetime, end: datetime, as_of: datetime
) -> str:
    """The spec's features joined with its outcomes, for one window, in a fixed order.

    An outcome that is null is not known yet, and its row is left out, as in monitoring.
    """
    develop = spec.content.develop
    parameters = {"window_start": start, "window_end": end, "as_of": as_of}
    joined = dialect.joined(
        dialect.render(spec.sql[develop.features_sql], parameters),
        dialect.render(spec.sql[develop.outcomes_sql], parameters),
        key=develop.key,
        features=(develop.time, *develop.features),
        outcomes=(develop.label,),
    )
    known = f"{joined}\nWHERE outcomes.{dialect.quoted(develop.label)} IS NOT NULL"
    return dialect.ordered(known, (develop.time, develop.key))


@contextmanager
def _naming_the_window(spec: Spec, window: _TrainingWindow) -> Iterator[None]:
    try:
        with prefix_errors(f"{spec.model}: the rows to train on"):
            yield
    except NoRows as error:
        raise NoRows(
            f"{spec.model}: {spec.content.develop.features_sql} joined with "
            f"{spec.content.develop.outcomes_sql}",
            found=f"no row from {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC "
            f"with an outcome known by {window.as_of:%Y-%m-%d %H:%M}",
            expected="at least one row",
            action="look at the run's date, and at the tables that the SQL reads",
        ) from error
