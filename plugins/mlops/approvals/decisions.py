"""Deploy: an answer to an approval request, as a row that binds digests, with its ledger entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.approvals.eligibility import Person
from mlops.approvals.signed_bytes import SignedBytes
from mlops.approvals.verification import SIGNATURE
from mlops.digests import digest_json
from mlops.lineage.events.deploy import decided
from mlops.lineage.events.origin import Origin
from mlops.lineage.events.run import GovernedRuns
from mlops.store.tables import DecisionRow, ReportRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import (
    APPROVALS,
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    LAPSE,
    REJECT,
    REQUIRED_ACTION,
    REVOKE,
    LedgerAction,
    version_subject,
)
from mlops.workspace.workspace import RunIdentity, Workspace, registered_spec

_COUNTED_AS = {
    APPROVE: LedgerAction.SIGNATURE_GIVEN,
    APPROVE_WITH_CONDITIONS: LedgerAction.SIGNATURE_GIVEN,
    REJECT: LedgerAction.SIGNATURE_REJECTED,
    REVOKE: LedgerAction.SIGNATURE_REVOKED,
    LAPSE: LedgerAction.SEAT_LAPSED,
}
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Answer:
    """What a person answered, or that no answer arrived.

    :ivar method: how it arrived: ``required_action``, ``mark_success``, ``mark_failed``, ``api`` or
        ``timeout``.
    """

    person: Person
    choice: str
    reason: str
    at: datetime
    method: str = REQUIRED_ACTION


def as_text(reason: str) -> str:
    """A reason as it can be kept: what JSON can carry and a database cannot hold is marked as lost.

    That is the character zero, and one half of a character that takes two: an emoji cut in two.
    """
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", reason)


def decision_row(
    version: VersionRow,
    seat: str,
    answer: Answer,
    bound: SignedBytes,
    *,
    request_id: str,
    run: RunIdentity,
    refused: str = "",
    valid_days: int | None = None,
) -> DecisionRow:
    """A decision with everything that it binds.

    :param refused: why it does not count; empty if it does.
    :param valid_days: how long an approval holds.
    """
    person, until = answer.person, None
    if answer.choice in APPROVALS and valid_days is not None:
        until = answer.at + timedelta(days=valid_days)
    return DecisionRow(
        id=digest_json(
            [version.model, version.number, seat, request_id, person.id, answer.choice, answer.at]
        ),
        gate=request_id,
        model=version.model,
        version=version.number,
        seat=seat,
        answer=answer.choice,
        user_id=person.id,
        user_name=person.name,
        reason=as_text(answer.reason),
        method=answer.method,
        counted=not refused,
        refusal=refused,
        **{f"{what}_digest": digest for what, digest in bound.digests().items()},
        run=run.to_json(),
        decided_at=answer.at,
        valid_until=until,
    )


def decision_events(transaction: Transaction, origin: Origin, row: DecisionRow) -> GovernedRuns:
    """The lineage of a decision, from the version and the report that it binds."""
    version = transaction.get(VersionRow, row.model, row.version)
    return decided(
        origin,
        row,
        version,
        registered_spec(transaction, version.spec_digest),
        transaction.find(
            ReportRow, model=row.model, version=row.version, sha256=row.evidence_digest
        ),
    )


def record_decision(
    transaction: Transaction,
    workspace: Workspace,
    row: DecisionRow,
    *,
    signature: Mapping[str, str] | None = None,
) -> None:
    """Insert a decision with its ledger entry, whose action is the outcome.

    :param signature: of the API server, for an answer that counts; the entry keeps it.
    """
    kept = ("id", "seat", "answer", "user_id", "user_name", "reason", "method", "counted")
    digests = ("package", "spec", "snapshot", "evidence", "criteria")
    transaction.record(
        row,
        actor=row.user_id or "airflow",
        action=_ledger_action(row),
        subject=version_subject(row.model, row.version),
        payload={
            **{name: getattr(row, name) for name in kept},
            **{name: getattr(row, f"{name}_digest") for name in digests},
            "refusal": row.refusal,
            "decided_at": row.decided_at,
            "valid_until": row.valid_until,
            "run": row.run,
            **({} if signature is None else {SIGNATURE: dict(signature)}),
        },
        lineage=workspace.emit(decision_events(transaction, workspace.origin, row)),
    )


def _ledger_action(row: DecisionRow) -> LedgerAction:
    return _COUNTED_AS[row.answer] if row.counted else LedgerAction.SIGNATURE_REFUSED
