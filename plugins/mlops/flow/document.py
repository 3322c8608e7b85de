"""Develop: write the validation report, which is what people sign on."""

from __future__ import annotations

from mlops.digests import digest_bytes
from mlops.lineage.events.deploy import report_written
from mlops.reports.validation import validation_report
from mlops.store.tables import ReportRow, TrainingRow, VersionRow
from mlops.vocabulary import VALIDATION_REPORT, LedgerAction, version_subject
from mlops.workspace.report_contexts import validation_context
from mlops.workspace.results import Documented
from mlops.workspace.workspace import Workspace, now, registered_spec


def document(workspace: Workspace, *, model: str, version: int) -> Documented:
    """Write the validation report of a version; the same version gives the same bytes."""
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        context = validation_context(transaction, row, workspace.names)
    html = validation_report(context, templates=workspace.include.root / "reports")
    return keep_report(
        workspace, html, kind=VALIDATION_REPORT, model=model, version=version, period=""
    )


def keep_report(
    workspace: Workspace, html: str, *, kind: str, model: str, version: int, period: str
) -> Documented:
    """Keep a report under its digest and enter it into the store and the ledger."""
    data = html.encode()
    sha256 = workspace.artifacts.put_bytes(data)
    parts = [kind, *([period] if period else []), sha256[:8]]
    location = workspace.artifacts.put_named(
        f"reports/{model}/v{version}/{'-'.join(parts)}.html", data
    )
    row = ReportRow(
        sha256=digest_bytes(data),
        kind=kind,
        model=model,
        version=version,
        period=period,
        location=location,
        written_at=now(),
    )
    with workspace.store.transaction() as transaction:
        about = transaction.get(VersionRow, model, version)
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.REPORT_WRITTEN,
            subject=version_subject(model, version),
            payload={"kind": kind, "period": period, "sha256": sha256, "location": location},
            lineage=workspace.emit(
                report_written(
                    workspace.origin,
                    row,
                    about,
                    transaction.get(TrainingRow, about.training_id),
                    registered_spec(transaction, about.spec_digest),
                )
            ),
        )
    return Documented(model=model, version=version, report_sha256=sha256, location=location)
