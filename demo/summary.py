"""What came of a model's life, read back from the store: the page that ends the demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from demo.users import USERS
from mlops.core.period import Period
from mlops.core.records import CandidateResult, GateResult, MonitorResult, from_json
from mlops.core.targets.selection import metric_info
from mlops.core.targets.target import MetricInfo, target_of
from mlops.lineage.marquez.relay import waiting
from mlops.store.connect import Store
from mlops.store.tables import (
    BatchRow,
    DecisionRow,
    LineageEventRow,
    MonitorRow,
    ReportRow,
    SnapshotRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)
from mlops.store.transaction import Transaction
from mlops.workspace.workspace import registered_spec

WIDTH = 11
SHOWN_FEATURES = 3


def summary(
    store_url: str, model: str, *, url: str, reports: str, lineage: str, marquez: str | None = None
) -> str:
    """The summary as text for a terminal.

    :param url: where Airflow's pages are.
    :param reports: the folder in which reports lie.
    :param lineage: the file of Airflow's own OpenLineage events.
    :param marquez: where our own are delivered.
    """
    store = Store(store_url)
    with store.transaction() as transaction:
        lines = list(_life(transaction, model, reports))
        runs = transaction.session.scalar(
            select(func.count())
            .select_from(LineageEventRow)
            .where(LineageEventRow.stage == "COMPLETE")
        )
    runs_line = f"{runs or 0:,} governed runs in the store"
    if marquez is None:
        runs_line += ", delivered to a Marquez when there is one"
    else:
        runs_line += f", {waiting(store, marquez):,} events still on their way to {marquez}"
    who = ", ".join(f"{user.name} ({user.duty})" for user in USERS)
    lines += [
        *_titled("Lineage", [runs_line, f"Airflow's own events: {lineage}"]),
        *_titled("Open", [url, f"log in with a name as its own password: {who}"]),
        *_titled("Then", ["make down stops it, make up starts it again"]),
    ]
    return "\n".join(lines)


def _life(transaction: Transaction, model: str, reports: str) -> Iterator[str]:
    version = max(transaction.find(VersionRow, model=model), key=lambda row: row.number)
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    training = transaction.get(TrainingRow, version.training_id)
    validation = transaction.get(ValidationRow, version.training_id, version.champion)
    train = Period(snapshot.train_start, snapshot.test_start).words()
    test = Period(snapshot.test_start, snapshot.test_end).words()
    tested = validation.evaluation["metrics"]["rows"]
    yield ""
    yield from _titled(
        "Trained on",
        [
            f"{snapshot.rows - tested:,} rows of {train}, tested on {tested:,} of {test}",
            f"snapshot sha256 {snapshot.sha256}",
        ],
    )
    spec = registered_spec(transaction, version.spec_digest).content
    chosen_by = metric_info(target_of(spec), spec.develop.select_by)
    yield from _titled("Tried", [_candidate(item, chosen_by) for item in training.candidates])
    yield from _titled("Gates", [_gate(item) for item in validation.gates])
    yield from _titled("Signed", _signatures(transaction, version))
    yield from _titled(
        "Live", [f"version {version.number}, package sha256 {version.package_digest}"]
    )
    batches = transaction.find(BatchRow, model=model)
    rows = sum(batch.rows for batch in batches)
    yield from _titled("Scored", [f"{rows:,} rows in {len(batches)} batches"])
    yield from _titled("Monitored", _months(transaction, model))
    yield from _titled("Reports", _reports(transaction, model, reports))


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title if i == 0 else '':<{WIDTH}} {line}" for i, line in enumerate(lines)]


def _candidate(value: object, chosen_by: MetricInfo) -> str:
    result = from_json(CandidateResult, value)
    mark = "chosen" if result.chosen else ""
    found = result.metrics[chosen_by.name]
    measured = "none" if found is None else f"{found:.3f}"
    return f"{result.name:<22} {chosen_by.title} {measured}  {mark}".rstrip()


def _gate(value: object) -> str:
    gate = from_json(GateResult, value)
    measured = "none" if gate.measured is None else f"{gate.measured:.3f}"
    note = f"  ({gate.note})" if gate.note else ""
    state = "passed" if gate.passed else "MISSED"
    return f"{gate.name:<22} {gate.bound:<8} measured {measured:<7} {state}{note}"


def _signatures(transaction: Transaction, version: VersionRow) -> list[str]:
    decisions = transaction.find(
        DecisionRow, model=version.model, version=version.number, counted=True
    )
    return [
        f"{row.seat:<22} {row.user_name:<5} {row.answer} on {row.decided_at:%Y-%m-%d %H:%M} UTC: "
        f"{row.reason}"
        for row in sorted(decisions, key=lambda row: row.decided_at)
    ] or ["no signatures yet"]


def _months(transaction: Transaction, model: str) -> list[str]:
    newest: dict[str, MonitorRow] = {}
    for row in sorted(transaction.find(MonitorRow, model=model), key=lambda row: row.id):
        newest[row.period] = row
    lines = []
    for period in sorted(newest):
        result = from_json(MonitorResult, newest[period].result)
        drifted = [item for item in result.drift if item.state in ("warn", "alarm")]
        drifted.sort(key=lambda item: -item.value)
        named = ", ".join(f"{item.feature} {item.value:.2f}" for item in drifted[:SHOWN_FEATURES])
        more = f" and {len(drifted) - SHOWN_FEATURES} more" if len(drifted) > SHOWN_FEATURES else ""
        measured = result.performance.measured
        lines += [
            f"{period}  {result.state:<6} {result.rows:>7,} rows  "
            f"{result.performance.metric} {'none' if measured is None else f'{measured:.3f}'}  "
            f"drift (PSI): {named + more if named else 'none'}",
            f"{'':<9}{result.kpi.sentence}",
        ]
    return lines


def _reports(transaction: Transaction, model: str, folder: str) -> list[str]:
    rows = transaction.find(ReportRow, model=model)
    count = sum(row.kind == "monitoring" for row in rows)
    return [folder, f"{len(rows) - count} validation, {count} monitoring; self-contained HTML"]
