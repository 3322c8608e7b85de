"""Deploy: what an approver reads beside the buttons."""

from __future__ import annotations

from datetime import timedelta

from mlops.reports.context import EvidenceContext, SeatView
from mlops.reports.evidence import evidence_markdown
from mlops.spec.policy import Seat
from mlops.store.tables import VersionRow
from mlops.workspace.report_kinds.validation import validation_context
from mlops.workspace.workspace import Workspace, now


def evidence(
    workspace: Workspace, version: VersionRow, *, seat: Seat, report_sha256: str, pages: str
) -> str:
    """The body of an approval request, in Markdown.

    :param pages: address of our pages in Airflow, where the whole report is read.
    """
    with workspace.store.transaction() as transaction:
        context = validation_context(transaction, version, workspace.names)
    return evidence_markdown(
        EvidenceContext(
            validation=context,
            seat=SeatView(title=seat.title, attests=seat.attests, required=seat.required),
            report=f"{pages}/reports/{report_sha256}",
            answer_by=now() + timedelta(days=version.signing_policy.respond_within_days),
        )
    )
