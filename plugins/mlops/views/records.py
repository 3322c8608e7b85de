"""What people look at, as records: reports, scored batches, monitored windows.

Nothing that loads a model is imported here or in the modules that use this one: Airflow's API
server runs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from mlops.core.period import Period
from mlops.core.records import MonitorResult, from_json
from mlops.store.tables import BatchRow, MonitorRow, ReportRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import MONITORING_REPORT
from mlops.workspace.report_kinds.kind import report_title

Key = tuple[str, int]  # a model and the number of one of its versions
Reports = Mapping[tuple[str, int, str, str], "Report"]  # by model, version, kind and period


@dataclass(frozen=True)
class Report:
    """A report that the store knows; ``period`` is empty for one about a version as a whole."""

    sha256: str
    kind: str
    model: str
    version: int
    period: str
    written_at: datetime

    @property
    def title(self) -> str:
        """What a reader calls it: ``Monitoring report 2013-07``."""
        return f"{report_title(self.kind)} {self.period}".strip()

    @property
    def short_title(self) -> str:
        """The same beside others: ``Monitoring 2013-07``, or ``Validation of v3``."""
        name = report_title(self.kind).removesuffix(" report")
        return f"{name} {self.period}" if self.period else f"{name} of v{self.version}"


@dataclass(frozen=True)
class Batch:
    """A published scoring batch.

    :ivar by_rule: whether the rule of the version scored, and not its model.
    :ivar unseen: rows with values that training never saw, by feature.
    """

    id: str
    version: int
    by_rule: bool
    period: Period
    rows: int
    unseen: tuple[tuple[str, int], ...]
    published_at: datetime

    @property
    def scorer(self) -> str:
        """What scored it, as people say: ``v3``, or ``the rule of v3``."""
        return f"the rule of v{self.version}" if self.by_rule else f"v{self.version}"


@dataclass(frozen=True)
class Window:
    """A monitored window with its newest verdict."""

    version: int
    period: Period
    label: str
    result: MonitorResult
    judged_at: datetime
    report: Report | None


def find_report(transaction: Transaction, sha256: str) -> Report | None:
    """The report of this digest; none if the store does not know one."""
    row = transaction.session.scalars(select(ReportRow).where(ReportRow.sha256 == sha256)).first()
    return _report(row) if row is not None else None


def newest_reports(transaction: Transaction, keys: Iterable[Key]) -> Reports:
    """The newest report of each kind and period, for some versions."""
    group = (ReportRow.model, ReportRow.version, ReportRow.kind, ReportRow.period)
    rows = transaction.session.scalars(
        select(ReportRow)
        .ext(distinct_on(*group))
        .where(tuple_(ReportRow.model, ReportRow.version).in_(sorted(keys)))
        .order_by(*group, ReportRow.written_at.desc())
    )
    return {(row.model, row.version, row.kind, row.period): _report(row) for row in rows}


def batch_of(row: BatchRow) -> Batch:
    """A batch's row as a record; the features with most unseen values come first."""
    unseen = ((name, count) for name, count in row.summary.get("unseen", {}).items() if count)
    return Batch(
        id=row.id,
        version=row.version,
        by_rule=row.by_rule,
        period=Period(row.window_start, row.window_end),
        rows=row.rows,
        unseen=tuple(sorted(unseen, key=lambda item: (-item[1], item[0]))),
        published_at=row.published_at,
    )


def window_of(row: MonitorRow, reports: Reports) -> Window:
    """A verdict's row as a record, with the newest report about its window."""
    return Window(
        version=row.version,
        period=Period(row.window_start, row.window_end),
        label=row.period,
        result=from_json(MonitorResult, row.result),
        judged_at=row.judged_at,
        report=reports.get((row.model, row.version, MONITORING_REPORT, row.period)),
    )


def _report(row: ReportRow) -> Report:
    return Report(
        sha256=row.sha256,
        kind=row.kind,
        model=row.model,
        version=row.version,
        period=row.period,
        written_at=row.written_at,
    )
