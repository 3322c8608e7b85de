"""Deploy: the answers of a seat's people, copied into the ledger at once; silence as well."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.approvals.decisions import Answer, decision_events, decision_row, record_decision
from mlops.approvals.eligibility import Person, refusal, seat_now
from mlops.approvals.reminders import Notice
from mlops.approvals.requests import (
    Request,
    acknowledge,
    gate_id,
    gate_of,
    request,
    unprocessed_decision,
)
from mlops.approvals.signatures import seat_statuses, seats_needed, signed_bytes
from mlops.spec.policy import Seat
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, GateRow, VersionRow
from mlops.vocabulary import LAPSE, LAPSED, REJECT, TIMEOUT
from mlops.workspace.results import Decision
from mlops.workspace.workspace import Workspace, now

__all__ = [
    "Answer",
    "Refusal",
    "Request",
    "acknowledge",
    "gate_id",
    "gate_of",
    "lapsed",
    "record_manual_state",
    "record_response",
    "refusal_of_response",
    "request",
    "unprocessed_decision",
]


@dataclass(frozen=True)
class Refusal:
    """Why an answer does not count.

    :ivar outside: whether it was given by somebody who does not hold the seat at all.
    """

    why: str
    outside: bool


def record_response(
    workspace: Workspace, *, model: str, version: int, seat: str, answer: Answer, gate: str
) -> Decision:
    """Record an answer with the digests that it binds; whether it counts is recorded with it.

    An answer that is on record already, since the API server saw it first, is only read.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
    entry = seat_now(workspace, row, seat)
    return _record_answer(workspace, row, seat, entry, answer, gate)


def refusal_of_response(workspace: Workspace, *, gate: GateRow, answer: Answer) -> Refusal | None:
    """Why an answer that is about to be given would not count; none when it would.

    A refusal is put on record, with who tried; nothing else is written.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, gate.model, gate.version)
    entry = seat_now(workspace, row, gate.seat)
    with workspace.store.transaction() as transaction:
        why = _why_not(transaction, row, gate.seat, entry, answer, gate.id)
        if why:
            bound = signed_bytes(transaction, row)
            record_decision(
                transaction,
                workspace,
                decision_row(
                    row, gate.seat, answer, bound, gate=gate.id, run=workspace.run, refused=why
                ),
            )
    return Refusal(why, outside=answer.person.id not in entry.users) if why else None


def lapsed(workspace: Workspace, *, model: str, version: int, seat: str) -> Notice:
    """Record that nobody answered in time; returns what those who were asked are to be told.

    A lapse empties the seat: nothing is deployed on answers given before it.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        gate = transaction.get(GateRow, gate_id(workspace.run))
        asked = tuple(str(user) for user in gate.users)
        title = seats_needed(row)[seat].title
        until = f"{gate.answer_by:%Y-%m-%d %H:%M} UTC"
        answer = Answer(
            person=Person(id="", name=", ".join(asked)),
            choice=LAPSE,
            reason=f"asked {gate.asked_at:%Y-%m-%d %H:%M}, to be answered by {until}",
            # A wait may end early, by an error of Airflow's or a clock that is ahead. A lapse with
            # a time to come would empty the seat then, of what was signed in between as well.
            at=min(gate.answer_by, now()),
            method=TIMEOUT,
        )
        if not transaction.find(DecisionRow, gate=gate.id, answer=LAPSE):
            bound = signed_bytes(transaction, row)
            record_decision(
                transaction,
                workspace,
                decision_row(row, seat, answer, bound, gate=gate.id, run=workspace.run),
            )
    return Notice(
        gate=gate.id,
        kind=LAPSED,
        to=asked,
        policy=row.signing_policy.policy,
        subject=f"Lapsed: {model} version {version}, {title}",
        text=f"{title}: nobody of {', '.join(asked)} answered for {model} version {version} by "
        f"{until}. The seat is lapsed and nothing is deployed.",
    )


def record_manual_state(workspace: Workspace, *, gate: GateRow, answer: Answer) -> Decision:
    """Record that somebody set a gate's task by hand: a member's answer, or a refusal.

    ``mark success`` by a member of the seat is that person's approval, ``mark failed`` a
    rejection; by anybody else it is on record and opens nothing.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, gate.model, gate.version)
    entry = seat_now(workspace, row, gate.seat)
    return _record_answer(workspace, row, gate.seat, entry, answer, gate.id)


def _record_answer(
    workspace: Workspace,
    version: VersionRow,
    seat: str,
    entry: Seat,
    answer: Answer,
    gate: str,
) -> Decision:
    with workspace.store.transaction() as transaction:
        # Two answers of one person that arrive at once, at two gates, must see one another.
        transaction.advisory_lock(f"mlops.sign.{version.model}.{version.number}")
        bound = signed_bytes(transaction, version)
        row = decision_row(
            version,
            seat,
            answer,
            bound,
            gate=gate,
            run=workspace.run,
            valid_days=entry.valid_days,
        )
        known = transaction.find(DecisionRow, id=row.id)
        why = (
            known[0].refusal if known else _why_not(transaction, version, seat, entry, answer, gate)
        )
        row.counted, row.refusal = not why, why
        if known:
            workspace.emit(decision_events(transaction, workspace.origin, known[0]))
        else:
            record_decision(transaction, workspace, row)
        (standing,) = (
            item for item in seat_statuses(transaction, version, at=now()) if item.seat == seat
        )
    rejected = answer.choice == REJECT and not why
    return Decision(
        model=version.model,
        version=version.number,
        seat=seat,
        answer=answer.choice,
        user=answer.person.name,
        counted=not why,
        enough=rejected or (standing.holds and not why),
        why=why or standing.reason,
    )


def _why_not(
    transaction: Transaction,
    version: VersionRow,
    seat: str,
    entry: Seat,
    answer: Answer,
    gate: str,
) -> str:
    return refusal(
        transaction,
        version,
        seat,
        entry,
        answer.person,
        choice=answer.choice,
        reason=answer.reason,
        at=answer.at,
        asked_by=transaction.get(GateRow, gate).triggered_by,
    )
