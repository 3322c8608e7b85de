"""What a kind of report is, and the registry of all kinds.

``docs/extend/report.md`` shows how to add one. Nothing heavy is imported here, since pages look up
titles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from mlops.errors import ExtensionError
from mlops.lineage.events.datasets import Dataset
from mlops.lineage.events.origin import Origin
from mlops.registry import Registry
from mlops.reports.html import render
from mlops.store.tables import LedgerRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import MONITORING_REPORT, VALIDATION_REPORT


@dataclass(frozen=True)
class ReportAbout:
    """What one report is about: a version, or one of its monitored windows.

    :ivar period: the window as ``2013-07``; empty for a report about the version as a whole.
    :ivar measurement: digest of the measurement that was judged, for a window.
    """

    model: str
    version: int
    period: str = ""
    measurement: str = ""


class ReportKind:
    """A kind of report: where its facts come from, how they are shown, and when it is written.

    :cvar name: it is stored with each report and is part of file and job names: ``validation``.
    :cvar title: what a reader calls it: ``Validation report``.
    :cvar after: the ledger action after which the library writes a report of this kind:
        ``version.packaged`` (the task ``document`` of a release) or ``window.judged`` (that of
        monitoring); empty for one that only your own tasks write.
    :cvar template: the text of its Jinja template; empty for one that the library ships. A file
        ``<name>.html.j2`` below ``include/reports/`` replaces it.
    """

    name: str = ""
    title: str = ""
    after: str = ""
    template: str = ""

    def context(self, transaction: Transaction, about: ReportAbout, origin: Origin) -> Any:
        """Everything that the report shows, as one frozen record of recorded facts.

        The same facts must give the same context: the clock of the run is not a fact.

        :param origin: names datasets, as in the lineage.
        """
        raise NotImplementedError(f"the report kind {self.name!r} has no context")

    def html(self, context: Any, overrides: Path) -> str:
        """The report as one HTML file; the template finds the context as ``report``.

        :param overrides: the folder with a company's own templates.
        """
        return render(overrides, f"{self.name}.html.j2", self.template, report=context)

    def sources(
        self,
        transaction: Transaction,  # noqa: ARG002
        about: ReportAbout,  # noqa: ARG002
        origin: Origin,  # noqa: ARG002
    ) -> tuple[Dataset, ...]:
        """The datasets that the report is made from beside the version, for the lineage."""
        return ()


REPORT_KINDS: Registry[ReportKind] = Registry(
    "report kind",
    group="mlops.report_kinds",
    built_in={
        VALIDATION_REPORT: "mlops.workspace.report_kinds.validation:VALIDATION",
        MONITORING_REPORT: "mlops.workspace.report_kinds.monitoring:MONITORING",
    },
    requires=("name", "title", "after", "context", "html", "sources"),
)


def kinds_after(action: str) -> Iterator[ReportKind]:
    """The kinds that are written after a ledger action, the library's own first.

    :raises ExtensionError: after the library's own: an extension cannot be loaded.
    """
    own = REPORT_KINDS.built_in_names()
    for name in own:
        if (kind := REPORT_KINDS.get(name)).after == action:
            yield kind
    for name, kind in REPORT_KINDS.items():
        if name not in own and kind.after == action:
            yield kind


def report_title(kind: str) -> str:
    """What a reader calls a kind of report; made of its name where its extension was taken out."""
    try:
        return REPORT_KINDS.get(kind).title
    except ExtensionError:
        return f"{kind.replace('_', ' ').capitalize()} report"


def ledger_entry_name(transaction: Transaction, *, action: str, subject: str) -> str | None:
    """Number and digest, as ``SEQ:DIGEST``, of the first ledger entry with this action and subject.

    Reports keep copies of it, so that a rewritten or shortened history shows.
    """
    found = transaction.session.execute(
        select(LedgerRow.seq, LedgerRow.digest)
        .where(LedgerRow.action == action, LedgerRow.subject == subject)
        .order_by(LedgerRow.seq)
        .limit(1)
    ).first()
    return None if found is None else f"{found.seq}:{found.digest}"
