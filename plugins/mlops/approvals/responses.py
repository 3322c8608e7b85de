"""Deploy: the answers of a seat's people, copied into the ledger at once; silence as well."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.approvals.decisions import Answer, decision_events, decision_row, record_decision
from mlops.approvals.eligibility import Person, current_seat, refusal_reason
from mlops.approvals.key_register import read_key_register
from mlops.approvals.reminders import Notice
from mlops.approvals.requests import approval_request_id
from mlops.approvals.signatures import seat_statuses, seats_needed
from mlops.approvals.signed_bytes import signed_bytes
from mlops.approvals.statement import sign_decision
from mlops.spec.policy import Seat
from mlops.store.tables import ApprovalRequestRow, DecisionRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.trust import NoSigner
from mlops.vocabulary import APPROVALS, LAPSE, LAPSED, REJECT, TIMEOUT
from mlops.workspace.results import Decision
from mlops.workspace.workspace import Workspace, now


@dataclass(frozen=True)
class Refusal:
    """Why an answer does not count.

    :ivar outside: whether a person gave it who does not hold the seat at all.
    """

    reason: str
    outside: bool


def record_response(
    workspace: Workspace, *, model: str, version: int, seat: str, answer: Answer, request_id: str
) -> Decision:
    """Record an answer with the digests that it binds; whether it counts is recorded with it.

    An answer that is recorded already, since the API server saw it first, is only read.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
    entry = current_seat(workspace, row, seat)
    return _record_answer(workspace, row, seat, entry, answer, request_id)


def refuse_response(
    workspace: Workspace, *, request: ApprovalRequestRow, answer: Answer
) -> Refusal | None:
    """Record why an answer that is about to be given would not count; none if it would.

    A refusal is recorded with the person who tried; nothing else is written.
    """
    with workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, request.model, request.version)
    seat = current_seat(workspace, version, request.seat)
    with workspace.store.transaction() as transaction:
        reason = _refusal_reason(transaction, version, request.seat, seat, answer, request.id)
        reason = reason or _unsigned_reason(transaction, workspace, answer)
        if not reason:
            return None
        row = decision_row(
            version,
            request.seat,
            answer,
            signed_bytes(transaction, version),
            request_id=request.id,
            run=workspace.run,
            refused=reason,
        )
        record_decision(transaction, workspace, row)
    return Refusal(reason, outside=answer.person.id not in seat.users)


def record_lapse(workspace: Workspace, *, model: str, version: int, seat: str) -> Notice:
    """Record that no answer arrived in time; returns the notice for the people who were asked.

    A lapse empties the seat: nothing is deployed on answers given before it.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        request = transaction.get(ApprovalRequestRow, approval_request_id(workspace.run))
        asked = tuple(str(user) for user in request.users)
        title = seats_needed(row)[seat].title
        until = f"{request.answer_by:%Y-%m-%d %H:%M} UTC"
        answer = Answer(
            person=Person(id="", name=", ".join(asked)),
            choice=LAPSE,
            reason=f"asked {request.asked_at:%Y-%m-%d %H:%M}, to be answered by {until}",
            # A wait may end early, by an error of Airflow or a clock that is ahead. A lapse with a
            # time to come would empty the seat then, of what was signed in between as well.
            at=min(request.answer_by, now()),
            method=TIMEOUT,
        )
        if not transaction.find(DecisionRow, gate=request.id, answer=LAPSE):
            bound = signed_bytes(transaction, row)
            record_decision(
                transaction,
                workspace,
                decision_row(row, seat, answer, bound, request_id=request.id, run=workspace.run),
            )
    return Notice(
        request_id=request.id,
        kind=LAPSED,
        to=asked,
        policy=row.signing_policy.policy,
        subject=f"Lapsed: {model} version {version}, {title}",
        text=f"{title}: none of {', '.join(asked)} answered for {model} version {version} by "
        f"{until}. The seat is lapsed and nothing is deployed.",
    )


def record_manual_state(
    workspace: Workspace, *, request: ApprovalRequestRow, answer: Answer
) -> Decision:
    """Record that a person set the state of a task that asks: a member's answer, or a refusal.

    ``mark success`` by a member of the seat is that person's approval, ``mark failed`` a
    rejection; by anybody else it is recorded as a refusal and opens nothing.
    """
    return record_response(
        workspace,
        model=request.model,
        version=request.version,
        seat=request.seat,
        answer=answer,
        request_id=request.id,
    )


def _record_answer(
    workspace: Workspace,
    version: VersionRow,
    seat: str,
    entry: Seat,
    answer: Answer,
    request_id: str,
) -> Decision:
    with workspace.store.transaction() as transaction:
        # Two answers of one person that arrive at once, to two requests, must see one another.
        transaction.advisory_lock(f"mlops.sign.{version.model}.{version.number}")
        row = decision_row(
            version,
            seat,
            answer,
            signed_bytes(transaction, version),
            request_id=request_id,
            run=workspace.run,
            valid_days=entry.valid_days,
        )
        known = transaction.find(DecisionRow, id=row.id)
        if known:
            reason = known[0].refusal
            workspace.emit(decision_events(transaction, workspace.origin, known[0]))
        else:
            reason = _refusal_reason(transaction, version, seat, entry, answer, request_id)
            reason = reason or _unsigned_reason(transaction, workspace, answer)
            row.counted, row.refusal = not reason, reason
            signature = None if reason else _signature(workspace, row)
            record_decision(transaction, workspace, row, signature=signature)
        statuses = seat_statuses(transaction, version, at=now())
        (status,) = (item for item in statuses if item.seat == seat)
    rejected = answer.choice == REJECT and not reason
    return Decision(
        model=version.model,
        version=version.number,
        seat=seat,
        answer=answer.choice,
        user=answer.person.name,
        counted=not reason,
        enough=rejected or (status.holds and not reason),
        why=reason or status.reason,
    )


def _signature(workspace: Workspace, row: DecisionRow) -> dict[str, str] | None:
    """The signature of an answer that counts; a task has none, and only an approval needs one."""
    signer = workspace.signer
    return None if isinstance(signer, NoSigner) else sign_decision(row, signer)


def _unsigned_reason(transaction: Transaction, workspace: Workspace, answer: Answer) -> str:
    """Why an approval cannot be signed here; empty if it can, or if none is needed."""
    if answer.choice not in APPROVALS:
        return ""
    signer = workspace.signer
    if isinstance(signer, NoSigner):
        why = signer.reason
    else:
        register = read_key_register(transaction)
        current = {key.fingerprint for key in register.current() if key.counts_at(answer.at)}
        if signer.fingerprint in current & transaction.trust.keys:
            return ""
        why = f"its key {signer.fingerprint[:12]}… is not " + (
            "pinned in [mlops] approval_keys"
            if signer.fingerprint in current
            else "a key of the ledger that counts"
        )
    return (
        f"the approval of {answer.person.name} could not be signed: {why}. It is recorded and does "
        "not count; the request stays open. The operator of the platform finds what to do with "
        "`mlops doctor`; please answer again then"
    )


def _refusal_reason(
    transaction: Transaction,
    version: VersionRow,
    seat: str,
    entry: Seat,
    answer: Answer,
    request_id: str,
) -> str:
    return refusal_reason(
        transaction,
        version,
        seat,
        entry,
        answer.person,
        choice=answer.choice,
        reason=answer.reason,
        at=answer.at,
        asked_by=transaction.get(ApprovalRequestRow, request_id).triggered_by,
    )
