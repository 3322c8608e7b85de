"""Monitor: judge a measurement, record the verdict, and open a case where it is an alarm."""

from __future__ import annotations

from mlops.core.drift.judge import drift_reasons, judge_drift, worst_state
from mlops.core.kpi import judge_kpi
from mlops.core.performance import judge_performance
from mlops.core.period import Period
from mlops.core.profiles import Profile
from mlops.core.records import Metrics, MonitorResult, from_json, to_json
from mlops.flow.cases import open_case
from mlops.flow.load_version import version_reference
from mlops.lineage.events.monitor import window_judged
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, MeasurementRow, MonitorRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.workspace.results import Judged
from mlops.workspace.workspace import Workspace, now

# How many reasons a task hands on; the report has all of them.
BRIEF = 5


def judge(workspace: Workspace, *, measurement: str) -> Judged:
    """Judge drift, performance and KPI of one measurement, and whether its predictions are there.

    An alarm is a verdict, not an error: it is recorded, opens one case for each cause, and the
    task goes on. A case that is open already is not opened again.
    """
    with workspace.store.transaction() as transaction:
        measured = transaction.get(MeasurementRow, measurement)
        batch = transaction.get(BatchRow, measured.batch)
        version = transaction.get(VersionRow, measured.model, measured.version)
    spec = workspace.spec(version.spec_digest)
    reference = version_reference(workspace, version)
    window = Period(start=batch.window_start, end=batch.window_end)
    result = _verdict(spec, measured, batch, reference, window)
    row = MonitorRow(
        measurement=measurement,
        model=measured.model,
        version=measured.version,
        batch=batch.id,
        period=window.label(),
        window_start=window.start,
        window_end=window.end,
        state=result.state,
        result=to_json(result),
        judged_at=now(),
    )
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.WINDOW_JUDGED,
            subject=batch.id,
            payload={
                "measurement": measurement,
                "state": result.state,
                "reasons": list(result.reasons),
            },
            lineage=workspace.emit(window_judged(workspace.origin, row, result)),
        )
        for cause, severity in _causes(result):
            _open_case(transaction, workspace, spec, row, result, cause=cause, severity=severity)
    return Judged(
        measurement=measurement,
        model=measured.model,
        version=measured.version,
        window=window.label(),
        state=result.state,
        reasons=brief(result.reasons),
    )


def brief(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The first reasons, which are the weightiest, and how many more there are."""
    if len(reasons) <= BRIEF:
        return reasons
    return (*reasons[:BRIEF], f"and {len(reasons) - BRIEF} more, see the report")


def _verdict(
    spec: Spec, measured: MeasurementRow, batch: BatchRow, reference: Profile, window: Period
) -> MonitorResult:
    monitor = spec.content.monitor
    current = Profile.from_json(measured.content["profile"])
    columns = reference.columns
    if batch.by_rule:  # the scores are not the model's
        columns = {name: column for name, column in columns.items() if name in current.columns}
    drifts = judge_drift(columns, current.columns, monitor.drift)
    found = None if batch.by_rule else measured.content["metrics"]
    performance = judge_performance(
        monitor.performance,
        from_json(Metrics, found) if found else None,
        rows=batch.rows,
        labels=measured.content["labels"],
    )
    kpi = judge_kpi(spec.content.manage.kpi, measured.content["kpi"], window)
    sentences = list(drift_reasons(drifts, monitor.drift))
    if performance.state in ("warn", "alarm"):
        sentences.insert(0, f"{performance.metric} {performance.measured:.3f}, {performance.bound}")
    if kpi.reached is False:
        sentences.insert(0, kpi.sentence)
    kpi_state = {True: "ok", False: "warn", None: "not_enough_data"}[kpi.reached]
    states = [*(item.state for item in drifts), performance.state, kpi_state]
    if batch.by_rule:
        sentences.insert(
            0, f"scored by the rule of v{batch.version}, so the model itself is not judged"
        )
    if not batch.rows:
        sentences.insert(0, "the window has no rows")
    missing = _rows_missing(measured)
    if missing:
        # What is left may be any part of the window, so every result is in doubt. Yet no
        # alarm: it may start a release, and deleted rows are not a reason to retrain.
        sentences.insert(
            0, f"{missing:,} of {measured.content['published']:,} rows scored are missing"
        )
        states.append("warn")
    return MonitorResult(
        state=worst_state(states),  # type: ignore[arg-type]
        rows=batch.rows,
        reasons=tuple(sentences),
        drift=drifts,
        performance=performance,
        kpi=kpi,
        rows_missing=missing,
        by_rule=batch.by_rule,
    )


def _rows_missing(measured: MeasurementRow) -> int:
    """How many published predictions were no longer there when the window was measured."""
    content = measured.content
    return max(0, int(content.get("published", 0)) - int(content.get("present", 0)))


def _causes(result: MonitorResult) -> list[tuple[str, str]]:
    """What has to be looked into, each with its severity."""
    found = [("predictions", "warn")] if result.rows_missing else []
    if result.state == "alarm":
        failing = result.performance.state == "alarm"
        found.append(("performance" if failing else "drift", "alarm"))
    return found


def _open_case(
    transaction: Transaction,
    workspace: Workspace,
    spec: Spec,
    row: MonitorRow,
    result: MonitorResult,
    *,
    cause: str,
    severity: str,
) -> None:
    """One case for each cause: the person responsible for the cause can act on it."""
    open_case(
        transaction,
        workspace,
        model=row.model,
        version=row.version,
        cause=cause,
        severity=severity,
        owner=spec.content.manage.developer,
        finding=f"{row.period}: " + "; ".join(result.reasons),
        measurement=row.measurement,
    )
