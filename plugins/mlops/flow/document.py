"""Develop and Monitor: write the reports of a version, or of one of its monitored windows."""

from __future__ import annotations

from mlops.digests import digest_bytes
from mlops.lineage.events.deploy import report_written
from mlops.store.tables import MonitorRow, ReportRow, VersionRow
from mlops.vocabulary import LedgerAction, version_subject
from mlops.workspace.report_kinds.kind import ReportAbout, ReportKind, kinds_after
from mlops.workspace.results import Documented
from mlops.workspace.workspace import Workspace, now, registered_spec


def document(workspace: Workspace, *, model: str, version: int) -> Documented:
    """Write the reports of a version, first the validation report, which is what people sign on.

    The same version gives the same bytes.

    :returns: the validation report.
    :raises ExtensionError: when the validation report is written: a report kind of an extension
        cannot be loaded.
    """
    about = ReportAbout(model, version)
    return _write_all(workspace, about, after=LedgerAction.VERSION_PACKAGED)


def monitor_report(workspace: Workspace, *, measurement: str) -> Documented:
    """Write the reports of one judged measurement; run again, the same bytes.

    :returns: the monitoring report.
    :raises ExtensionError: as :func:`document`.
    """
    with workspace.store.transaction() as transaction:
        judged = transaction.get(MonitorRow, measurement)
    about = ReportAbout(judged.model, judged.version, judged.period, measurement)
    return _write_all(workspace, about, after=LedgerAction.WINDOW_JUDGED)


def _write_all(workspace: Workspace, about: ReportAbout, *, after: str) -> Documented:
    """Write a report of each kind, the library's own first, and return that one."""
    first, *_ = (write_report(workspace, kind, about) for kind in kinds_after(after))
    return first


def write_report(workspace: Workspace, kind: ReportKind, about: ReportAbout) -> Documented:
    """Write one report, keep it under its digest, and enter it into the store and the ledger."""
    origin = workspace.origin
    with workspace.store.transaction() as transaction:
        context = kind.context(transaction, about, origin)
    data = kind.html(context, workspace.include.root / "reports").encode()
    sha256 = workspace.artifacts.put_bytes(data)
    parts = [kind.name, *([about.period] if about.period else []), sha256[:8]]
    location = workspace.artifacts.put_named(
        f"reports/{about.model}/v{about.version}/{'-'.join(parts)}.html", data
    )
    row = ReportRow(
        sha256=digest_bytes(data),
        kind=kind.name,
        model=about.model,
        version=about.version,
        period=about.period,
        location=location,
        written_at=now(),
    )
    with workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, about.model, about.version)
        spec = registered_spec(transaction, version.spec_digest)
        sources = kind.sources(transaction, about, origin)
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.REPORT_WRITTEN,
            subject=version_subject(about.model, about.version),
            payload={
                "kind": kind.name,
                "period": about.period,
                "sha256": sha256,
                "location": location,
            },
            lineage=workspace.emit(report_written(origin, row, version, spec, sources)),
        )
    return Documented(
        model=about.model, version=about.version, report_sha256=sha256, location=location
    )
