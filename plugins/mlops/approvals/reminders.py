"""Whom to notify about approval requests that wait: reminders, escalations and lapses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.spec.policy import Notify
from mlops.store.tables import ApprovalRequestRow, DecisionRow, NoticeRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import ESCALATION, LAPSED, REMINDER, LedgerAction
from mlops.workspace.workspace import Workspace, now

_LEDGER_ACTIONS = {
    REMINDER: LedgerAction.REMINDER_SENT,
    ESCALATION: LedgerAction.ESCALATION_SENT,
    LAPSED: LedgerAction.LAPSE_NOTICE_SENT,
}


@dataclass(frozen=True)
class Notice:
    """Something that people are to be notified of once.

    :ivar to: user ids, or addresses for an escalation.
    """

    request_id: str
    kind: str
    to: tuple[str, ...]
    policy: str
    subject: str
    text: str


@dataclass(frozen=True)
class PendingRequest:
    """An approval request that waits for an answer."""

    request_id: str
    model: str
    version: int
    seat: str
    users: tuple[str, ...]
    asked_at: datetime
    answer_by: datetime
    policy: str


def pending_requests(transaction: Transaction, *, at: datetime) -> tuple[PendingRequest, ...]:
    """Every request that waits for people at ``at``, the longest first.

    Of the tries of one task the newest one waits, unless it was answered.
    """
    newest: dict[tuple[str, str, str], ApprovalRequestRow] = {}
    for row in sorted(transaction.find(ApprovalRequestRow), key=lambda row: row.asked_at):
        newest[row.dag_id, row.run_id, row.task_id] = row
    answered = {row.gate for row in transaction.find(DecisionRow, counted=True)}
    return tuple(
        _pending(transaction, row)
        for row in sorted(newest.values(), key=lambda row: row.asked_at)
        if row.id not in answered and row.asked_at <= at
    )


def _pending(transaction: Transaction, row: ApprovalRequestRow) -> PendingRequest:
    version = transaction.get(VersionRow, row.model, row.version)
    return PendingRequest(
        request_id=row.id,
        model=row.model,
        version=row.version,
        seat=row.seat,
        users=tuple(row.users),
        asked_at=row.asked_at,
        answer_by=row.answer_by,
        policy=version.signing_policy.policy,
    )


def due_notices(workspace: Workspace, *, at: datetime) -> tuple[Notice, ...]:
    """The reminders and escalations that are to be sent now and were not sent yet."""
    with workspace.store.transaction() as transaction:
        pending = pending_requests(transaction, at=at)
        sent = {(row.subject, row.kind) for row in transaction.find(NoticeRow)}
    found = []
    for request in pending:
        # A request of a run that was deleted waits for ever; its policy may be deleted as well.
        if request.answer_by <= at:
            continue
        notify = workspace.include.policy(request.policy).notify
        if notify is None:
            continue
        found += [
            notice
            for notice in _notices(request, notify, request.answer_by - at)
            if (notice.request_id, notice.kind) not in sent
        ]
    return tuple(found)


def _notices(request: PendingRequest, notify: Notify, left: timedelta) -> list[Notice]:
    what = f"{request.model} version {request.version}, {request.seat}"
    text = (
        f"{what}: {', '.join(request.users)} were asked to sign on "
        f"{request.asked_at:%Y-%m-%d %H:%M} UTC. Without an answer by "
        f"{request.answer_by:%Y-%m-%d %H:%M} UTC the seat lapses and nothing is deployed. "
        "The request is in Airflow under Required Actions."
    )
    kinds = (
        (REMINDER, notify.remind_hours_before, request.users),
        (ESCALATION, notify.escalate_hours_before, notify.escalate_to),
    )
    return [
        Notice(
            request_id=request.request_id,
            kind=kind,
            to=to,
            policy=request.policy,
            subject=f"{kind.capitalize()}: {what}",
            text=text,
        )
        for kind, hours, to in kinds
        if left <= timedelta(hours=hours) and to
    ]


def record_notice(workspace: Workspace, notice: Notice) -> None:
    """Record that people were notified, after they were."""
    row = NoticeRow(
        subject=notice.request_id,
        kind=notice.kind,
        told=list(notice.to),
        text=notice.text,
        told_at=now(),
    )
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=_LEDGER_ACTIONS[notice.kind],
            subject=notice.request_id,
            payload={"to": list(notice.to), "text": notice.text},
        )
