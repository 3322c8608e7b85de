"""Deploy: ask the named people of a seat, and copy each answer into the ledger at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.core.canonical import digest_json
from mlops.errors import SignOffError
from mlops.flow.evidence import evidence
from mlops.flow.results import Decision
from mlops.flow.signatures import REJECT, SignedBytes, seats_needed, signed_bytes, standings
from mlops.flow.workspace import Workspace
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, VersionRow


@dataclass(frozen=True)
class Request:
    """What is put before the people of a seat."""

    subject: str
    body: str
    users: tuple[str, ...]
    answer_within: timedelta


@dataclass(frozen=True)
class Answer:
    """What a person did at a gate, as Airflow authenticated them."""

    user_id: str
    user_name: str
    choice: str
    reason: str
    at: datetime
    method: str = "required_action"


def request(workspace: Workspace, *, model: str, version: int, seat: str) -> Request:
    """Prepare the request: whom to ask, what they sign, and the evidence for it.

    :raises SignOffError: the version's policy has no such seat, or nobody in it.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        bound = signed_bytes(transaction, row)
    entry = seats_needed(row).get(seat)
    if entry is None:
        raise SignOffError(
            f"{model} v{version}: seat '{seat}'",
            found="not a seat of the version's tier",
            expected=", ".join(seats_needed(row)),
        )
    users = tuple(user for user in entry.users if _refusal(row, user) is None)
    if not users:
        raise SignOffError(
            f"{model} v{version}: seat '{seat}' has nobody who may sign",
            found=f"users {', '.join(entry.users)}, who developed or triggered this version",
            expected="a person who did neither",
            action="name another person for the seat in the policy",
        )
    return Request(
        subject=f"{entry.title}: sign {model} version {version}?",
        body=evidence(workspace, row, seat=entry, report_sha256=bound.evidence_digest),
        users=users,
        answer_within=timedelta(days=row.policy["answer_days"]),
    )


def answered(
    workspace: Workspace, *, model: str, version: int, seat: str, answer: Answer
) -> Decision:
    """Record an answer with the digests that it binds; whether it counts is recorded with it."""
    with workspace.store.transaction() as transaction:
        version_row = transaction.get(VersionRow, model, version)
        entry = seats_needed(version_row)[seat]
        refusal = _refusal(version_row, answer.user_id) or ""
        if answer.user_id not in entry.users:
            refusal = f"{answer.user_name} does not hold the seat {entry.title}"
        row = _row(
            workspace,
            version_row,
            seat,
            answer,
            signed_bytes(transaction, version_row),
            refusal,
            valid_until=answer.at + timedelta(days=entry.valid_days),
        )
        _record(transaction, row)
        (standing,) = (
            item for item in standings(transaction, version_row, at=answer.at) if item.seat == seat
        )
    rejected = answer.choice == REJECT and not refusal
    return Decision(
        model=model,
        version=version,
        seat=seat,
        answer=answer.choice,
        user=answer.user_name,
        counted=not refusal,
        enough=rejected or (standing.holds and not refusal),
        why=refusal or standing.reason,
    )


def _refusal(version: VersionRow, user: str) -> str | None:
    """Separation of duties: nobody signs what they built or set in motion."""
    if user == version.developer:
        return f"{user} developed {version.model} v{version.number} and cannot sign it"
    if user == version.triggered_by:
        return f"{user} triggered the release of {version.model} v{version.number}"
    return None


def _row(
    workspace: Workspace,
    version: VersionRow,
    seat: str,
    answer: Answer,
    bound: SignedBytes,
    refusal: str,
    *,
    valid_until: datetime,
) -> DecisionRow:
    run = workspace.run.to_json()
    identity = digest_json(
        [version.model, version.number, seat, answer.user_id, answer.choice, answer.at, run]
    )
    return DecisionRow(
        id=identity,
        model=version.model,
        version=version.number,
        seat=seat,
        answer=answer.choice,
        user_id=answer.user_id,
        user_name=answer.user_name,
        reason=answer.reason,
        method=answer.method,
        counted=not refusal,
        refusal=refusal,
        **{f"{what}_digest": digest for what, digest in bound.digests().items()},
        run=run,
        decided_at=answer.at,
        valid_until=None if answer.choice == REJECT else valid_until,
    )


def _record(transaction: Transaction, row: DecisionRow) -> None:
    kept = ("id", "seat", "answer", "user_id", "user_name", "reason", "method", "counted")
    digests = ("package", "spec", "snapshot", "evidence", "criteria")
    transaction.record(
        row,
        actor=row.user_id,
        action="signature.given" if row.counted else "signature.refused",
        subject=f"{row.model}/v{row.version}",
        payload={
            **{name: getattr(row, name) for name in kept},
            **{name: getattr(row, f"{name}_digest") for name in digests},
            "refusal": row.refusal,
            "decided_at": row.decided_at,
            "valid_until": row.valid_until,
            "run": row.run,
        },
    )
