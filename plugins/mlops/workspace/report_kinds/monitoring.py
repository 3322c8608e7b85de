"""The monitoring report of a judged window, with the windows before it for the trend."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

from mlops.core.period import Period
from mlops.core.records import Evaluation, MonitorResult, from_json
from mlops.lineage.events.datasets import Dataset
from mlops.lineage.events.origin import Origin
from mlops.reports.context import DataWindow, MonitoringContext, WindowResult
from mlops.reports.monitoring import monitoring_report
from mlops.store.tables import (
    DeploymentRow,
    MonitorRow,
    SnapshotRow,
    ValidationRow,
    VersionRow,
)
from mlops.store.transaction import Transaction
from mlops.vocabulary import MONITORING_REPORT, LedgerAction
from mlops.workspace.report_kinds.kind import ReportAbout, ReportKind, ledger_entry_name
from mlops.workspace.workspace import registered_spec


class MonitoringReport(ReportKind):
    """How a version did in one monitored window, with the windows before it for the trend."""

    name = MONITORING_REPORT
    title = "Monitoring report"
    after = LedgerAction.WINDOW_JUDGED

    def context(
        self,
        transaction: Transaction,
        about: ReportAbout,
        origin: Origin,  # noqa: ARG002
    ) -> MonitoringContext:
        """The verdict on the window, and what a reader needs to understand it."""
        return _context(transaction, transaction.get(MonitorRow, about.measurement))

    def html(self, context: MonitoringContext, overrides: Path) -> str:
        """See :func:`mlops.reports.monitoring.monitoring_report`."""
        return monitoring_report(context, templates=overrides)

    def sources(
        self,
        transaction: Transaction,  # noqa: ARG002
        about: ReportAbout,
        origin: Origin,
    ) -> tuple[Dataset, ...]:
        """The verdicts on the version."""
        return (origin.monitoring(about.model, about.version),)


MONITORING = MonitoringReport()


def _context(transaction: Transaction, judged: MonitorRow) -> MonitoringContext:
    version = transaction.get(VersionRow, judged.model, judged.version)
    spec = registered_spec(transaction, version.spec_digest).content
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    validation = transaction.get(ValidationRow, version.training_id, version.champion)
    evaluation = from_json(Evaluation, validation.evaluation)
    monitor = spec.monitor
    bound = monitor.performance.at_least
    deployments = transaction.find(DeploymentRow, model=version.model)
    return MonitoringContext(
        title=spec.title,
        target=spec.develop.target_name,
        label=spec.develop.label,
        model=version.model,
        version=version.number,
        package_sha256=version.package_digest,
        made_at=judged.judged_at,
        window=Period(judged.window_start, judged.window_end),
        result=from_json(MonitorResult, judged.result),
        drift_statistic=monitor.drift.statistic_name,
        drift_warn=monitor.drift.warn,
        drift_alarm=monitor.drift.alarm,
        drift_min_rows=monitor.drift.min_rows,
        min_labels=monitor.performance.min_labels,
        business_owner=spec.manage.business_owner,
        developer=spec.manage.developer,
        earlier=_earlier(transaction, judged),
        reference=DataWindow(
            period=Period(snapshot.train_start, snapshot.test_start),
            rows=snapshot.rows - evaluation.metrics.rows,
        ),
        validated=evaluation.metrics,
        performance_bound=monitor.performance.at_most if bound is None else bound,
        live_since=_live_since(deployments, version),
        previous_version=_previous(deployments, version),
        runbook=spec.manage.runbook,
        ledger_head=ledger_entry_name(
            transaction, action=LedgerAction.WINDOW_JUDGED, subject=judged.batch
        ),
    )


def _earlier(transaction: Transaction, judged: MonitorRow) -> tuple[WindowResult, ...]:
    """The windows before this one, each as it was judged last when this one was judged."""
    newest: dict[str, MonitorRow] = {}
    rows = transaction.find(MonitorRow, model=judged.model, version=judged.version)
    for row in sorted(rows, key=lambda row: row.id):
        if row.id < judged.id and row.window_end <= judged.window_start:
            newest[row.period] = row
    return tuple(
        WindowResult(
            period=Period(row.window_start, row.window_end),
            result=from_json(MonitorResult, row.result),
        )
        for row in sorted(newest.values(), key=lambda row: row.window_start)
    )


def _live_since(deployments: list[DeploymentRow], version: VersionRow) -> datetime | None:
    own = [row.valid_from for row in deployments if row.version == version.number]
    return min(own) if own else None


def _previous(deployments: list[DeploymentRow], version: VersionRow) -> int | None:
    """The version that was live before this one first was."""
    ordered = sorted(deployments, key=lambda row: row.id)
    for before, row in pairwise(ordered):
        if row.version == version.number and before.version != row.version:
            return before.version
    return None
