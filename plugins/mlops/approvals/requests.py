"""Deploy: approval requests to the people of a seat, recorded as they were put up and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.approvals.eligibility import Person, current_seat, duty_conflict
from mlops.approvals.evidence import evidence
from mlops.approvals.signed_bytes import signed_bytes
from mlops.digests import digest_json
from mlops.errors import SignOffError
from mlops.store.tables import (
    ApprovalRequestRow,
    DecisionRow,
    NoticeRow,
    ResponseReadRow,
    VersionRow,
)
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction, version_subject
from mlops.workspace.results import Decision
from mlops.workspace.workspace import RunIdentity, Workspace, now

# Before revision 0003 a notice of this kind recorded that a task had read the answer.
_EARLIER_READ = "read"


@dataclass(frozen=True)
class ApprovalRequest:
    """What is put before the people of a seat."""

    subject: str
    body: str
    users: tuple[str, ...]
    answer_within: timedelta


def request_approval(
    workspace: Workspace, *, model: str, version: int, seat: str, pages: str = "/mlops"
) -> ApprovalRequest:
    """Prepare a request and record it: whom it asks, what they sign, the evidence for it.

    :param pages: address of our pages in Airflow.

    :raises SpecError: the policy cannot be read, or has no such seat.
    :raises SignOffError: no person of the seat may sign this version.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        bound = signed_bytes(transaction, row)
        before = _earlier_answers(transaction, row, seat)
    entry = current_seat(workspace, row, seat)
    started_by = workspace.run.triggered_by
    users = tuple(
        user
        for user in entry.users
        if not duty_conflict(row, Person(user, user), asked_by=started_by)
    )
    if not users:
        raise SignOffError(
            f"{model} v{version}: seat '{seat}' has no person who may sign",
            found=f"{', '.join(entry.users)}: developed this version, or started its release",
            expected="a person who did neither",
            action="name another person for the seat in the policy",
        )
    asked_at = now()
    within = timedelta(days=row.signing_policy.respond_within_days)
    with workspace.store.transaction() as transaction:
        _record_request(transaction, workspace.run, row, seat, users, asked_at, asked_at + within)
    return ApprovalRequest(
        subject=f"{entry.title}: sign {model} version {version}?",
        body=before
        + evidence(workspace, row, seat=entry, report_sha256=bound.evidence_digest, pages=pages),
        users=users,
        answer_within=within,
    )


def unprocessed_decision(workspace: Workspace, *, since: datetime) -> DecisionRow | None:
    """An answer to this task's newest request that Airflow has lost.

    Airflow gives up a try when it sees the worker that asked end while the answer is already
    there. The answer is in the store; a worker to which Airflow no longer listened may even have
    read it. An answer that was read before the present try was made led to nothing (it was not
    enough, or the task was cleared), and the task asks again.

    :param since: when the present try was made.
    """
    run = workspace.run
    with workspace.store.transaction() as transaction:
        request = newest_request(
            transaction, dag_id=run.dag_id, run_id=run.run_id, task_id=run.task_id
        )
        if request is None:
            return None
        if any(read_at < since for read_at in _read_at(transaction, request)):
            return None
        found = transaction.find(DecisionRow, gate=request.id, counted=True)
    return max(found, key=lambda row: row.decided_at, default=None)


def _read_at(transaction: Transaction, request: ApprovalRequestRow) -> list[datetime]:
    """When the task read the answer to its request."""
    rows = transaction.find(ResponseReadRow, request=request.id)
    earlier = transaction.find(NoticeRow, subject=request.id, kind=_EARLIER_READ)
    return [row.read_at for row in rows] + [row.told_at for row in earlier]


def acknowledge(workspace: Workspace, *, decision: DecisionRow | Decision, request_id: str) -> None:
    """Record that a task has read the answer to its request: cleared afterwards, it asks again."""
    row = ResponseReadRow(request=request_id, answer=decision.answer, read_at=now())
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.RESPONSE_READ,
            subject=version_subject(decision.model, decision.version),
            payload={"gate": request_id, "answer": decision.answer},
        )


def newest_request(
    transaction: Transaction, *, dag_id: str, run_id: str, task_id: str
) -> ApprovalRequestRow | None:
    """The newest request of a task; none before the first."""
    found = transaction.find(ApprovalRequestRow, dag_id=dag_id, run_id=run_id, task_id=task_id)
    return max(found, key=lambda row: row.asked_at, default=None)


def approval_request_id(run: RunIdentity) -> str:
    """The identity of a request: one for each try of the task that asks."""
    return digest_json([run.dag_id, run.run_id, run.task_id, run.try_number])


def _record_request(
    transaction: Transaction,
    run: RunIdentity,
    version: VersionRow,
    seat: str,
    users: Sequence[str],
    asked_at: datetime,
    answer_by: datetime,
) -> None:
    row = ApprovalRequestRow(
        id=approval_request_id(run),
        model=version.model,
        version=version.number,
        seat=seat,
        users=list(users),
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=run.task_id,
        try_number=run.try_number,
        triggered_by=run.triggered_by,
        asked_at=asked_at,
        answer_by=answer_by,
    )
    transaction.record(
        row,
        actor=run.actor,
        action=LedgerAction.SIGNATURE_REQUESTED,
        subject=version_subject(version.model, version.number),
        payload={"seat": seat, "users": list(users), "answer_by": answer_by, "run": run.to_json()},
    )


def _earlier_answers(transaction: Transaction, version: VersionRow, seat: str) -> str:
    """What was answered before, for the readers of a request that is made again."""
    rows = transaction.find(DecisionRow, model=version.model, version=version.number, seat=seat)
    if not rows:
        return ""
    lines = []
    for row in sorted(rows, key=lambda row: row.decided_at):
        text = f"- {row.decided_at:%Y-%m-%d %H:%M} UTC, {row.user_name}: {row.answer}"
        lines.append(f"{text}, **not counted**: {row.refusal}" if row.refusal else text)
    return "**Answers so far**\n\n" + "\n".join(lines) + "\n\n"
