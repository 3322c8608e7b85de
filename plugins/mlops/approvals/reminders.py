"""Whom to tell about gates that wait: reminders, escalations and lapses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.spec.policy import Notify
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, GateRow, NoticeRow, VersionRow
from mlops.vocabulary import ESCALATION, LAPSED, REMINDER, LedgerAction
from mlops.workspace.workspace import Workspace, now

_LEDGER_ACTIONS = {
    REMINDER: LedgerAction.REMINDER_SENT,
    ESCALATION: LedgerAction.ESCALATION_SENT,
    LAPSED: LedgerAction.LAPSE_NOTICE_SENT,
}


@dataclass(frozen=True)
class Notice:
    """Something that people are to be told once.

    :ivar to: user ids, or addresses for an escalation.
    """

    gate: str
    kind: str
    to: tuple[str, ...]
    policy: str
    subject: str
    text: str


@dataclass(frozen=True)
class Waiting:
    """A gate that waits for an answer."""

    gate: str
    model: str
    version: int
    seat: str
    users: tuple[str, ...]
    asked_at: datetime
    answer_by: datetime
    policy: str


def waiting(transaction: Transaction, *, at: datetime) -> tuple[Waiting, ...]:
    """Every gate that waits for people at ``at``, the longest first.

    Of each gate's tries the newest one waits, unless it was answered.
    """
    newest: dict[tuple[str, str, str], GateRow] = {}
    for row in sorted(transaction.find(GateRow), key=lambda row: row.asked_at):
        newest[row.dag_id, row.run_id, row.task_id] = row
    answered = {row.gate for row in transaction.find(DecisionRow, counted=True)}
    return tuple(
        _waiting(transaction, row)
        for row in sorted(newest.values(), key=lambda row: row.asked_at)
        if row.id not in answered and row.asked_at <= at
    )


def _waiting(transaction: Transaction, row: GateRow) -> Waiting:
    version = transaction.get(VersionRow, row.model, row.version)
    return Waiting(
        gate=row.id,
        model=row.model,
        version=row.version,
        seat=row.seat,
        users=tuple(row.users),
        asked_at=row.asked_at,
        answer_by=row.answer_by,
        policy=version.signing_policy.policy,
    )


def due(workspace: Workspace, *, at: datetime) -> tuple[Notice, ...]:
    """The reminders and escalations that are to be sent now and were not sent yet."""
    with workspace.store.transaction() as transaction:
        gates = waiting(transaction, at=at)
        told = {(row.subject, row.kind) for row in transaction.find(NoticeRow)}
    found = []
    for gate in gates:
        # A gate of a run that is gone waits for ever; its policy may be gone as well.
        if gate.answer_by <= at:
            continue
        notify = workspace.include.policy(gate.policy).notify
        if notify is None:
            continue
        left = gate.answer_by - at
        found += [
            notice
            for notice in _notices(gate, notify, left)
            if (notice.gate, notice.kind) not in told
        ]
    return tuple(found)


def _notices(gate: Waiting, notify: Notify, left: timedelta) -> list[Notice]:
    what = f"{gate.model} version {gate.version}, {gate.seat}"
    text = (
        f"{what}: {', '.join(gate.users)} were asked to sign on {gate.asked_at:%Y-%m-%d %H:%M} "
        f"UTC. Without an answer by {gate.answer_by:%Y-%m-%d %H:%M} UTC the seat lapses and "
        "nothing is deployed. The request stands in Airflow under Required Actions."
    )
    found = []
    if left <= timedelta(hours=notify.remind_hours_before):
        found.append(
            Notice(gate.gate, REMINDER, gate.users, gate.policy, f"Reminder: {what}", text)
        )
    if left <= timedelta(hours=notify.escalate_hours_before) and notify.escalate_to:
        found.append(
            Notice(
                gate.gate,
                ESCALATION,
                notify.escalate_to,
                gate.policy,
                f"Escalation: {what}",
                text,
            )
        )
    return found


def record_told(workspace: Workspace, notice: Notice) -> None:
    """Put on record that people were told, after they were."""
    row = NoticeRow(
        subject=notice.gate,
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
            subject=notice.subject,
            payload={"to": list(notice.to), "text": notice.text},
        )
