"""Monitor: measure a scored window. Nothing is judged here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops.core.period import Period
from mlops.core.profiles import Profile
from mlops.core.records import to_json
from mlops.core.targets.target import target_of
from mlops.digests import digest_json
from mlops.errors import RecordMissing
from mlops.flow.columns import prefix_errors
from mlops.flow.plans import recorded_plan
from mlops.flow.publications import publications
from mlops.flow.queries import SCORE, prediction_table
from mlops.flow.scorer import ModelScorer
from mlops.flow.source_access import Reading, record_reading, source_access
from mlops.lineage.events.monitor import window_measured
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, MeasurementRow, ReadingRow, SnapshotRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import SCORE_PHASE, LedgerAction, model_dag_id
from mlops.warehouse.profiles import window_profile
from mlops.warehouse.records import ScoresWithLabels
from mlops.workspace.results import Measured
from mlops.workspace.workspace import Workspace, now

if TYPE_CHECKING:
    from mlops.core.targets.target import Labels

_OUTCOMES, _KPI = "outcomes", "kpi"


def measure(workspace: Workspace, *, model: str, window: Period) -> Measured:
    """Profile the window's features and scores, and join the labels that have arrived.

    Measured again when more labels have arrived, it is a new measurement; where nothing changed
    since the last one, it is that one.

    :raises RecordMissing: the window was not scored and published.
    :raises QueryError: SQL of the features, the outcomes or the KPI does not run.
    :raises DataRefused: the outcomes have a key twice.
    """
    with workspace.store.transaction() as transaction:
        batch = _batch(transaction, model, window)
        version = transaction.get(VersionRow, model, batch.version)
        counted = _counted(transaction, batch)
    scorer = ModelScorer.load(workspace, version)
    spec = scorer.spec
    with prefix_errors(batch.id):
        queries = _queries(workspace, spec, window)
        features = [] if counted else [scorer.query(window)]
        read = [source_access(workspace, query) for query in (*features, *queries.values())]
        profile = counted or scorer.profile(window)
        if not batch.by_rule:  # whose scores have no reference
            profile = profile.with_columns_of(_scores(scorer, batch))
        pairs = _pairs(workspace, spec, batch, queries)
        labels = target_of(spec.content).read_labels(pairs.label) if len(pairs.label) else None
        kpi = _kpi(workspace, spec, queries, labels, pairs)
    content: dict[str, Any] = {
        "profile": profile.to_json(),
        "labels": len(pairs.label),
        "metrics": _metrics(spec, labels, pairs),
        "score_histogram": list(pairs.score_histogram),
        "kpi": kpi,
        "published": batch.rows,
        "present": pairs.rows,
    }
    with workspace.store.transaction() as transaction:
        digest = _digest(transaction.find(MeasurementRow, batch=batch.id), batch, content)
    row = MeasurementRow(
        digest=digest,
        model=model,
        version=batch.version,
        batch=batch.id,
        content=content,
        measured_at=now(),
    )
    _record(workspace, row, spec, batch, version, read)
    return Measured(measurement=digest, batch=batch.id, rows=batch.rows, labels=content["labels"])


def _record(
    workspace: Workspace,
    row: MeasurementRow,
    spec: Spec,
    batch: BatchRow,
    version: VersionRow,
    read: Sequence[Reading],
) -> None:
    """Record a measurement with what it read; one that is known keeps its first readings."""
    with workspace.store.transaction() as transaction:
        if not transaction.find(MeasurementRow, digest=row.digest):
            for reading in read:
                record_reading(transaction, workspace, reading, subject=row.digest, model=row.model)
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.WINDOW_MEASURED,
            subject=batch.id,
            payload={
                "measurement": row.digest,
                "rows": batch.rows,
                "labels": row.content["labels"],
            },
            lineage=workspace.emit(
                window_measured(
                    workspace.origin,
                    row,
                    spec,
                    batch,
                    transaction.get(SnapshotRow, version.snapshot_id),
                    transaction.find(ReadingRow, subject=row.digest),
                )
            ),
        )


def _digest(known: list[MeasurementRow], batch: BatchRow, content: dict[str, Any]) -> str:
    """The identity of what was measured: that of the last measurement if nothing changed since.

    Labels that went and came back give what an earlier measurement found; it is a new one, or the
    verdict on the broken labels would be the newest for ever.
    """
    last = max(known, key=lambda row: row.id, default=None)
    if last is not None and _agree(last.content, content):
        return last.digest
    digest = digest_json([batch.id, content])
    if last is not None and any(row.digest == digest for row in known):
        return digest_json([batch.id, content, last.digest])
    return digest


def _agree(last: dict[str, Any], content: dict[str, Any]) -> bool:
    """Whether two measurements found the same, but for the order in which rows were added up.

    The plan of a query changes with the statistics of a table, and the last digit of a sum with it.
    """
    # What the database adds up; all else is counted, or computed here in the order of the keys.
    sums = {"profile": None, "kpi": None}
    if {**last, **sums} != {**content, **sums} or not _same_kpi(last["kpi"], content["kpi"]):
        return False
    before, after = (Profile.from_json(found["profile"]) for found in (last, content))
    return before.agrees_with(after)


def _same_kpi(last: float | None, kpi: float | None) -> bool:
    if last is None or kpi is None:
        return last is kpi
    return math.isclose(last, kpi, rel_tol=1e-9)


def _batch(transaction: Transaction, model: str, window: Period) -> BatchRow:
    """The batch of a window that applications see."""
    found = publications(transaction, model, window.start, window.end)
    if not found:
        raise RecordMissing(
            f"{model}: window {window.label()}",
            found="no published batch",
            expected="a window that was scored",
            action=f"run {model_dag_id(model, SCORE_PHASE)} for {window.label()} first",
        )
    return found[-1]


def _counted(transaction: Transaction, batch: BatchRow) -> Profile | None:
    """The profile of the features that were scored, counted when they were read.

    None for batches of earlier versions, and for the rule's, which reads no features.
    """
    plan = batch.summary.get("plan")
    if plan is None or batch.by_rule:
        return None
    return Profile.from_json(recorded_plan(transaction, plan).profile)


def _scores(scorer: ModelScorer, batch: BatchRow) -> Profile:
    """The batch's scores, counted on the bins of those at training."""
    warehouse = scorer.workspace.warehouse
    return window_profile(
        warehouse,
        warehouse.scores_query(prediction_table(scorer.spec), batch.stored_as),
        scorer.reference,
        columns=(SCORE,),
    )


def _queries(workspace: Workspace, spec: Spec, window: Period) -> dict[str, str]:
    """The query of the labels that have arrived by now, and that of the KPI where it has one."""
    parameters = {"window_start": window.start, "window_end": window.end, "as_of": now()}
    files = {_OUTCOMES: spec.content.develop.outcomes_sql, _KPI: spec.content.manage.kpi.sql}
    return {
        what: workspace.warehouse.dialect.render(spec.sql[file], parameters)
        for what, file in files.items()
        if file is not None
    }


def _pairs(
    workspace: Workspace, spec: Spec, batch: BatchRow, queries: Mapping[str, str]
) -> ScoresWithLabels:
    """The batch's scores beside the labels that have arrived by now."""
    low, high = target_of(spec.content).score_range
    return workspace.warehouse.scores_with_labels(
        queries[_OUTCOMES],
        prediction_table(spec),
        batch=batch.stored_as,
        label=spec.content.develop.label,
        score_range=None if low is None or high is None else (low, high),
    )


def _metrics(spec: Spec, labels: Labels | None, pairs: ScoresWithLabels) -> dict[str, Any] | None:
    if labels is None:
        return None
    return to_json(target_of(spec.content).measure(labels, pairs.score))


def _kpi(
    workspace: Workspace,
    spec: Spec,
    queries: Mapping[str, str],
    labels: Labels | None,
    pairs: ScoresWithLabels,
) -> float | None:
    """The KPI's value; None if the window has none yet."""
    kpi = spec.content.manage.kpi
    if kpi.sql is None:
        assert kpi.measure is not None  # noqa: S101 (a spec gives one of the two)
        if labels is None:
            return None
        return target_of(spec.content).kpi(kpi.measure, labels, pairs.score, spec.content.deploy)
    return workspace.warehouse.kpi_value(queries[_KPI], name=kpi.name)
