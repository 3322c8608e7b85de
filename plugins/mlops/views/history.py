"""Everything that the store knows of one model, from its versions to its last window.

Lists come newest first and cut to a number of rows, with how many there are in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Subquery, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from mlops.errors import RecordMissing
from mlops.spec.model import ModelSpec
from mlops.store.tables import BatchRow, CaseRow, MonitorRow, SpecRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.views.inventory import ModelSummary, summaries
from mlops.views.records import Batch, Report, Window, batch_of, newest_reports, window_of
from mlops.views.versions import Deployment, Version, deployments_of, versions_of
from mlops.vocabulary import RELEASE_PHASE, model_dag_id
from mlops.workspace.workspace import registered_spec


@dataclass(frozen=True)
class Finding:
    """A case that monitoring opened, and whose it is."""

    version: int
    cause: str
    severity: str
    owner: str
    finding: str
    opened_at: datetime


@dataclass(frozen=True)
class Totals:
    """How many there are in all, of what the lists may show a part of."""

    versions: int
    batches: int
    windows: int
    reports: int


@dataclass(frozen=True)
class ModelHistory:
    """One model's whole life.

    :ivar spec: the spec that was registered last.
    """

    summary: ModelSummary
    spec: ModelSpec
    versions: tuple[Version, ...]
    deployments: tuple[Deployment, ...]
    batches: tuple[Batch, ...]
    windows: tuple[Window, ...]
    findings: tuple[Finding, ...]
    reports: tuple[Report, ...]
    totals: Totals


def model_history(
    transaction: Transaction, model: str, *, at: datetime, at_most: int
) -> ModelHistory:
    """What is known of ``model``.

    :param at: the moment at which signatures must hold.
    :param at_most: rows of each list.
    :raises RecordMissing: the model was never registered.
    """
    found = summaries(transaction, (model,), at=at)
    if not found:
        raise RecordMissing(
            f"model '{model}'",
            found="no such model in the store",
            expected="a model whose release has run at least once",
            action=f"look at its name, or trigger {model_dag_id(model, RELEASE_PHASE)}",
        )
    numbers = transaction.session.scalars(
        select(VersionRow.number).where(VersionRow.model == model)
    ).all()
    reports = newest_reports(transaction, {(model, number) for number in numbers})
    deployments = deployments_of(transaction, model)
    judged = _judged_last(model)
    return ModelHistory(
        summary=found[0],
        spec=_newest_spec(transaction, model),
        versions=versions_of(
            transaction, model, deployments=deployments, reports=reports, at_most=at_most
        ),
        deployments=deployments,
        batches=_batches(transaction, model, at_most),
        windows=tuple(
            window_of(row, reports)
            for row in transaction.session.scalars(
                select(MonitorRow)
                .where(MonitorRow.id.in_(select(judged.c.id)))
                .order_by(MonitorRow.window_end.desc(), MonitorRow.version.desc())
                .limit(at_most)
            )
        ),
        findings=_findings(transaction, model),
        reports=tuple(sorted(reports.values(), key=_newest_first))[:at_most],
        totals=Totals(
            versions=len(numbers),
            batches=_count(
                transaction, select(BatchRow.id).where(BatchRow.model == model).subquery()
            ),
            windows=_count(transaction, judged),
            reports=len(reports),
        ),
    )


def _newest_spec(transaction: Transaction, model: str) -> ModelSpec:
    digest = transaction.session.scalars(
        select(SpecRow.digest)
        .where(SpecRow.model == model)
        .order_by(SpecRow.registered_at.desc())
        .limit(1)
    ).one()
    return registered_spec(transaction, digest).content


def _judged_last(model: str) -> Subquery:
    """The newest verdict on each window of each version."""
    group = (MonitorRow.version, MonitorRow.window_start, MonitorRow.window_end)
    return (
        select(MonitorRow.id)
        .ext(distinct_on(*group))
        .where(MonitorRow.model == model)
        .order_by(*group, MonitorRow.id.desc())
        .subquery()
    )


def _batches(transaction: Transaction, model: str, at_most: int) -> tuple[Batch, ...]:
    rows = transaction.session.scalars(
        select(BatchRow)
        .where(BatchRow.model == model)
        .order_by(BatchRow.window_end.desc(), BatchRow.published_at.desc())
        .limit(at_most)
    )
    return tuple(batch_of(row) for row in rows)


def _findings(transaction: Transaction, model: str) -> tuple[Finding, ...]:
    rows = transaction.session.scalars(
        select(CaseRow).where(CaseRow.model == model).order_by(CaseRow.opened_at.desc())
    )
    return tuple(
        Finding(
            version=row.version,
            cause=row.cause,
            severity=row.severity,
            owner=row.owner,
            finding=row.finding,
            opened_at=row.opened_at,
        )
        for row in rows
    )


def _count(transaction: Transaction, rows: Subquery) -> int:
    return transaction.session.execute(select(func.count()).select_from(rows)).scalar_one()


def _newest_first(report: Report) -> float:
    return -report.written_at.timestamp()
