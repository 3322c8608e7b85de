"""Which models there are: what is live, who signed it, whom it waits for, and how it is doing.

For pages and commands; nothing is written here. Each question is one query
for all models at once, but for the signatures of the versions that count now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from mlops.approvals.seat_summary import SeatSummary, summarize_seats
from mlops.store.tables import (
    BatchRow,
    DeploymentRow,
    MonitorRow,
    SpecRow,
    VersionRow,
)
from mlops.store.transaction import Row, Transaction
from mlops.views.records import (
    Batch,
    Key,
    Report,
    Reports,
    Window,
    batch_of,
    newest_reports,
    window_of,
)
from mlops.vocabulary import MONITORING_REPORT, VALIDATION_REPORT

PendingState = Literal["waiting", "rejected", "lapsed", "signed"]


@dataclass(frozen=True)
class Live:
    """The version that scores now, and how its signatures stand now."""

    version: int
    since: datetime
    action: str
    package_digest: str
    seats: tuple[SeatSummary, ...]

    @property
    def holds(self) -> bool:
        """Whether every seat's signature still holds."""
        return all(seat.holds for seat in self.seats)


@dataclass(frozen=True)
class PendingVersion:
    """The newest version, where it was packaged after the live one and was never deployed."""

    version: int
    packaged_at: datetime
    seats: tuple[SeatSummary, ...]

    @property
    def state(self) -> PendingState:
        """What the version waits for, or why it goes no further."""
        states = {seat.state for seat in self.seats}
        if states == {"signed"}:
            return "signed"
        if "rejected" in states:
            return "rejected"
        return "lapsed" if "lapsed" in states and "open" not in states else "waiting"


@dataclass(frozen=True)
class ModelSummary:
    """One model at a glance; what is none has not happened yet."""

    model: str
    title: str
    live: Live | None
    pending: PendingVersion | None
    batch: Batch | None
    window: Window | None
    reports: tuple[Report, ...]


def registered_models(transaction: Transaction) -> dict[str, str]:
    """Every model that was ever registered, with its newest title, in order of its name."""
    rows = transaction.session.execute(
        select(SpecRow.model, SpecRow.content["content"]["title"].astext)
        .ext(distinct_on(SpecRow.model))
        .order_by(SpecRow.model, SpecRow.registered_at.desc())
    )
    return dict(rows.all())


def summaries(
    transaction: Transaction, models: Collection[str], *, at: datetime
) -> tuple[ModelSummary, ...]:
    """What is known of ``models``, in order of their names; unregistered ones are left out.

    :param at: the moment at which signatures must hold.
    """
    titles = {
        model: title
        for model, title in registered_models(transaction).items()
        if model in set(models)
    }
    live = _newest(transaction, DeploymentRow, titles, by=DeploymentRow.id)
    pending = _never_deployed(
        transaction, _newest(transaction, VersionRow, titles, by=VersionRow.number)
    )
    batches = _newest(transaction, BatchRow, titles, by=BatchRow.published_at)
    windows = _last_windows(transaction, titles)
    versions = _versions(transaction, live.values())
    keys = {
        *versions,
        *((row.model, row.number) for row in pending.values()),
        *((row.model, row.version) for row in windows.values()),
    }
    reports = newest_reports(transaction, keys)
    return tuple(
        ModelSummary(
            model=model,
            title=title,
            live=_live(transaction, live.get(model), versions, at=at),
            pending=_pending(transaction, pending.get(model), at=at),
            batch=batch_of(batches[model]) if model in batches else None,
            window=window_of(windows[model], reports) if model in windows else None,
            reports=_shown(reports, live.get(model), pending.get(model), windows.get(model)),
        )
        for model, title in titles.items()
    )


def model_of_dag(transaction: Transaction, dag_id: str) -> str | None:
    """The registered model that a DAG is about: ``flight_delay`` for ``flight_delay_score``.

    Of names that begin one another (``churn``, ``churn_b2b``), the longest that fits.
    """
    names = registered_models(transaction)
    fitting = [name for name in names if f"{dag_id}_".startswith(f"{name}_")]
    return max(fitting, key=len, default=None)


def _newest(
    transaction: Transaction, kind: type[Row], models: Collection[str], *, by: Any
) -> dict[str, Row]:
    """For each model its row with the largest ``by``."""
    table: Any = kind
    rows = transaction.session.scalars(
        select(kind)
        .ext(distinct_on(table.model))
        .where(table.model.in_(models))
        .order_by(table.model, by.desc())
    )
    return {getattr(row, "model"): row for row in rows}  # noqa: B009 (not every table has one)


def _last_windows(transaction: Transaction, models: Collection[str]) -> dict[str, MonitorRow]:
    """For each model the newest verdict on its last window."""
    rows = transaction.session.scalars(
        select(MonitorRow)
        .ext(distinct_on(MonitorRow.model))
        .where(MonitorRow.model.in_(models))
        .order_by(MonitorRow.model, MonitorRow.window_end.desc(), MonitorRow.id.desc())
    )
    return {row.model: row for row in rows}


def _versions(
    transaction: Transaction, deployments: Collection[DeploymentRow]
) -> dict[Key, VersionRow]:
    keys = [(row.model, row.version) for row in deployments]
    rows = transaction.session.scalars(
        select(VersionRow).where(tuple_(VersionRow.model, VersionRow.number).in_(keys))
    )
    return {(row.model, row.number): row for row in rows}


def _never_deployed(
    transaction: Transaction, newest: Mapping[str, VersionRow]
) -> dict[str, VersionRow]:
    """Those of some versions that were never live."""
    keys = {(row.model, row.number) for row in newest.values()}
    deployed = transaction.session.execute(
        select(DeploymentRow.model, DeploymentRow.version)
        .where(tuple_(DeploymentRow.model, DeploymentRow.version).in_(sorted(keys)))
        .distinct()
    )
    ended = {(model, number) for model, number in deployed}
    return {model: row for model, row in newest.items() if (model, row.number) not in ended}


def _live(
    transaction: Transaction,
    row: DeploymentRow | None,
    versions: Mapping[Key, VersionRow],
    *,
    at: datetime,
) -> Live | None:
    if row is None:
        return None
    version = versions[row.model, row.version]
    return Live(
        version=row.version,
        since=row.valid_from,
        action=row.action,
        package_digest=row.package_digest,
        seats=summarize_seats(transaction, version, at=at),
    )


def _pending(
    transaction: Transaction, row: VersionRow | None, *, at: datetime
) -> PendingVersion | None:
    if row is None:
        return None
    return PendingVersion(
        version=row.number,
        packaged_at=row.packaged_at,
        seats=summarize_seats(transaction, row, at=at),
    )


def _shown(
    reports: Reports,
    live: DeploymentRow | None,
    pending: VersionRow | None,
    window: MonitorRow | None,
) -> tuple[Report, ...]:
    """What a reader wants first: why the next version, why the live one, how it does."""
    wanted = []
    if pending is not None:
        wanted.append((pending.model, pending.number, VALIDATION_REPORT, ""))
    if live is not None:
        wanted.append((live.model, live.version, VALIDATION_REPORT, ""))
    if window is not None:
        wanted.append((window.model, window.version, MONITORING_REPORT, window.period))
    return tuple(reports[key] for key in wanted if key in reports)
