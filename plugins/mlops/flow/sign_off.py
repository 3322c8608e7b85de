"""Deploy: ask the named people of a seat, and copy each answer into the ledger at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.core.canonical import digest_json
from mlops.errors import SignOffError
from mlops.flow.evidence import evidence
from mlops.flow.notices import Notice
from mlops.flow.results import Decision
from mlops.flow.signatures import (
    APPROVE,
    LAPSE,
    REJECT,
    SignedBytes,
    seats_needed,
    signed_bytes,
    standings,
)
from mlops.flow.signers import Person, duties, refusal, seat_now
from mlops.flow.workspace import RunIdentity, Workspace, now
from mlops.spec.policy import Seat
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, GateRow, NoticeRow, VersionRow

# The kind of the notice that says that a task has read the answer to its request.
READ = "read"


@dataclass(frozen=True)
class Request:
    """What is put before the people of a seat."""

    subject: str
    body: str
    users: tuple[str, ...]
    answer_within: timedelta


@dataclass(frozen=True)
class Objection:
    """Why an answer does not count.

    :ivar outside: whether it was given by somebody who does not hold the seat at all.
    """

    why: str
    outside: bool


@dataclass(frozen=True)
class Answer:
    """What a person did at a gate.

    ``method``: ``required_action``, ``mark_success``, ``mark_failed``, ``api`` or ``timeout``.
    """

    person: Person
    choice: str
    reason: str
    at: datetime
    method: str = "required_action"


def request(workspace: Workspace, *, model: str, version: int, seat: str) -> Request:
    """Prepare the request and put it on record: whom to ask, what they sign, the evidence for it.

    :raises SpecError: the policy cannot be read, or has no such seat.
    :raises SignOffError: nobody holds the seat who may sign this version.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        bound = signed_bytes(transaction, row)
        before = _answers_so_far(transaction, row, seat)
    entry = seat_now(workspace, row, seat)
    started_by = workspace.run.triggered_by
    users = tuple(
        user for user in entry.users if not duties(row, Person(user, user), asked_by=started_by)
    )
    if not users:
        raise SignOffError(
            f"{model} v{version}: seat '{seat}' has nobody who may sign",
            found=f"{', '.join(entry.users)}: developed this version, or started its release",
            expected="a person who did neither",
            action="name another person for the seat in the policy",
        )
    asked_at = now()
    within = timedelta(days=row.policy["answer_days"])
    with workspace.store.transaction() as transaction:
        _record_gate(transaction, workspace.run, row, seat, users, asked_at, asked_at + within)
    return Request(
        subject=f"{entry.title}: sign {model} version {version}?",
        body=before + evidence(workspace, row, seat=entry, report_sha256=bound.evidence_digest),
        users=users,
        answer_within=within,
    )


def answered(
    workspace: Workspace, *, model: str, version: int, seat: str, answer: Answer, gate: str
) -> Decision:
    """Record an answer with the digests that it binds; whether it counts is recorded with it.

    An answer that is on record already, since the API server saw it first, is only read.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
    entry = seat_now(workspace, row, seat)
    return _record_answer(workspace, row, seat, entry, answer, gate)


def objection(workspace: Workspace, *, gate: GateRow, answer: Answer) -> Objection | None:
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
                decision_row(
                    row, gate.seat, answer, bound, gate=gate.id, run=workspace.run, refused=why
                ),
            )
    return Objection(why, outside=answer.person.id not in entry.users) if why else None


def unread(workspace: Workspace) -> DecisionRow | None:
    """An answer to this task's newest request that no task has read yet.

    Airflow starts a new try when it sees a worker end while the answer is already there; the
    answer it forgets then is on our record.
    """
    run = workspace.run
    with workspace.store.transaction() as transaction:
        gate = gate_of(transaction, dag_id=run.dag_id, run_id=run.run_id, task_id=run.task_id)
        if gate is None or transaction.find(NoticeRow, subject=gate.id, kind=READ):
            return None
        found = transaction.find(DecisionRow, gate=gate.id, counted=True)
    return max(found, key=lambda row: row.decided_at, default=None)


def close(workspace: Workspace, *, decision: DecisionRow | Decision, gate: str) -> None:
    """Note that a task has read the answer to a request: once it is cleared, it asks anew."""
    row = NoticeRow(subject=gate, kind=READ, told=[], text=decision.answer, told_at=now())
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action="signature.read",
            subject=f"{decision.model}/v{decision.version}",
            payload={"gate": gate, "answer": decision.answer},
        )


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
            at=gate.answer_by,
            method="timeout",
        )
        bound = signed_bytes(transaction, row)
        record_decision(
            transaction, decision_row(row, seat, answer, bound, gate=gate.id, run=workspace.run)
        )
    return Notice(
        gate=gate.id,
        kind="lapsed",
        to=asked,
        policy=row.policy["policy"],
        subject=f"Lapsed: {model} version {version}, {title}",
        text=f"{title}: nobody of {', '.join(asked)} answered for {model} version {version} by "
        f"{until}. The seat is lapsed and nothing is deployed.",
    )


def marked(workspace: Workspace, *, gate: GateRow, answer: Answer) -> Decision:
    """Record that somebody set a gate's task by hand: a member's answer, or a refusal.

    ``mark success`` by a member of the seat is that person's approval, ``mark failed`` a
    rejection; by anybody else it is on record and opens nothing.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, gate.model, gate.version)
    entry = seat_now(workspace, row, gate.seat)
    return _record_answer(workspace, row, gate.seat, entry, answer, gate.id)


def gate_of(transaction: Transaction, *, dag_id: str, run_id: str, task_id: str) -> GateRow | None:
    """The newest request of a task; none where nobody was asked yet."""
    found = transaction.find(GateRow, dag_id=dag_id, run_id=run_id, task_id=task_id)
    return max(found, key=lambda row: row.asked_at, default=None)


def gate_id(run: RunIdentity) -> str:
    """The identity of a request: one for each try of a gate's task."""
    return digest_json([run.dag_id, run.run_id, run.task_id, run.try_number])


def decision_row(
    version: VersionRow,
    seat: str,
    answer: Answer,
    bound: SignedBytes,
    *,
    gate: str,
    run: RunIdentity,
    refused: str = "",
    valid_days: int | None = None,
) -> DecisionRow:
    """A decision with everything that it binds."""
    person, until = answer.person, None
    if answer.choice == APPROVE and valid_days is not None:
        until = answer.at + timedelta(days=valid_days)
    return DecisionRow(
        id=digest_json(
            [version.model, version.number, seat, gate, person.id, answer.choice, answer.at]
        ),
        gate=gate,
        model=version.model,
        version=version.number,
        seat=seat,
        answer=answer.choice,
        user_id=person.id,
        user_name=person.name,
        reason=answer.reason,
        method=answer.method,
        counted=not refused,
        refusal=refused,
        **{f"{what}_digest": digest for what, digest in bound.digests().items()},
        run=run.to_json(),
        decided_at=answer.at,
        valid_until=until,
    )


def _record_answer(
    workspace: Workspace,
    version: VersionRow,
    seat: str,
    entry: Seat,
    answer: Answer,
    gate: str,
) -> Decision:
    with workspace.store.transaction() as transaction:
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
        if not known:
            record_decision(transaction, row)
        (standing,) = (
            item for item in standings(transaction, version, at=now()) if item.seat == seat
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


def record_decision(transaction: Transaction, row: DecisionRow) -> None:
    """Insert a decision with its ledger entry, named for what became of it."""
    kept = ("id", "seat", "answer", "user_id", "user_name", "reason", "method", "counted")
    digests = ("package", "spec", "snapshot", "evidence", "criteria")
    action = "signature.given" if row.counted else "signature.refused"
    if row.answer != APPROVE and row.counted:
        action = {REJECT: "signature.rejected", LAPSE: "seat.lapsed"}.get(
            row.answer, "signature.revoked"
        )
    transaction.record(
        row,
        actor=row.user_id or "airflow",
        action=action,
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


def _record_gate(
    transaction: Transaction,
    run: RunIdentity,
    version: VersionRow,
    seat: str,
    users: Sequence[str],
    asked_at: datetime,
    answer_by: datetime,
) -> None:
    row = GateRow(
        id=gate_id(run),
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
        action="signature.requested",
        subject=f"{version.model}/v{version.number}",
        payload={"seat": seat, "users": list(users), "answer_by": answer_by, "run": run.to_json()},
    )


def _answers_so_far(transaction: Transaction, version: VersionRow, seat: str) -> str:
    """What was answered before, for whoever reads a request that is asked again."""
    rows = transaction.find(DecisionRow, model=version.model, version=version.number, seat=seat)
    if not rows:
        return ""
    lines = []
    for row in sorted(rows, key=lambda row: row.decided_at):
        text = f"- {row.decided_at:%Y-%m-%d %H:%M} UTC, {row.user_name}: {row.answer}"
        lines.append(f"{text}, **not counted**: {row.refusal}" if row.refusal else text)
    return "**Answers so far**\n\n" + "\n".join(lines) + "\n\n"
