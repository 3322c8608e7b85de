"""From the outbox to Marquez: in the order of the ledger, at least once, however long it was away.

No task waits here. What has arrived is noted in rows that are only ever inserted; a receiver that
was emptied since then is noticed, and everything is sent to it again, which does no harm: the ids
of runs and versions are made here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from mlops.errors import LineageUnreachable
from mlops.lineage.events.run import START
from mlops.lineage.marquez.client import Marquez, Outcome
from mlops.store.connect import Store
from mlops.store.tables import LineageDeliveryRow, LineageEventRow
from mlops.store.transaction import Transaction

CHUNK = 100
# So many refusals in a row speak of the receiver, not of the events.
MOST_REFUSED = 10
# An event that fails so often while the receiver is alive is the cause itself.
POISON_TRIES = 3
DELIVERED, REFUSED, THROUGH, RESET = "delivered", "refused", "through", "reset"
UNREACHABLE, VERIFIED = "unreachable", "verified"
VERIFIED_FOR = timedelta(days=7)
_event, _delivery = LineageEventRow.__table__.c, LineageDeliveryRow.__table__.c


@dataclass(frozen=True)
class Delivery:
    """What came of one round.

    :ivar delivered: events that have arrived in this round.
    :ivar waiting: events that have not arrived yet.
    :ivar refused: the receiver's answers to the events that it refused, a line each. The later
        events of their models wait behind them.
    :ivar unreachable: why the round ended early; empty where it did not.
    :ivar again: whether the receiver had been emptied, so that all was sent again.
    :ivar busy: whether another process was delivering.
    """

    delivered: int = 0
    waiting: int = 0
    refused: tuple[str, ...] = ()
    unreachable: str = ""
    again: bool = False
    busy: bool = False


@dataclass(frozen=True)
class _Progress:
    """What a destination has received so far.

    :ivar reset: rows up to this id no longer count.
    :ivar through: all events up to this entry have arrived.
    """

    reset: int
    through: int


def deliver(
    store: Store, marquez: Marquez, progress: Callable[[int], None] | None = None
) -> Delivery:
    """Send what has not arrived, one caller at a time; run again, it sends nothing twice.

    Never raises for what the receiver does.

    :param progress: is called with the number of delivered events after each hundred.

    :raises StoreUnreachable, StoreNotMigrated: the outbox cannot be read.
    """
    with store.try_lock(f"mlops.lineage.{marquez.url}") as alone:
        if not alone:
            return Delivery(busy=True)
        try:
            # Also shows in one short call that the receiver is away.
            again = emptied(store, marquez)
        except LineageUnreachable as error:
            return _counted(store, marquez.url, Delivery(unreachable=str(error)))
        with store.transaction() as transaction:
            if again:
                _insert(transaction, marquez.url, 0, 0, RESET, "a run that had arrived was missing")
            received = _progress(transaction, marquez.url)
        found = _round(store, marquez, received, progress or _ignore)
        return _counted(store, marquez.url, replace(found, again=again))


def emptied(store: Store, marquez: Marquez) -> bool:
    """Whether a run that had arrived is missing.

    :raises LineageUnreachable: the receiver does not answer.
    """
    with store.transaction() as transaction:
        known = _arrived(transaction, marquez.url, _progress(transaction, marquez.url))
    return any(marquez.run(run_id) is None for run_id in known)


def refusals(store: Store, destination: str) -> list[str]:
    """The events that a destination refuses, by job and entry, in the order of the ledger."""
    newest = (_delivery.seq, _delivery.position)
    with store.transaction() as transaction:
        progress = _progress(transaction, destination)
        rows = transaction.session.execute(
            select(_event.job, _delivery.seq, _delivery.outcome)
            .ext(distinct_on(*newest))
            .join(
                LineageEventRow.__table__,
                and_(_event.seq == _delivery.seq, _event.position == _delivery.position),
            )
            .where(
                _delivery.destination == destination,
                _delivery.outcome.in_((DELIVERED, REFUSED)),
                _delivery.id > progress.reset,
            )
            .order_by(*newest, _delivery.id.desc())
        ).all()
    return [f"{job} (entry {seq})" for job, seq, outcome in rows if outcome == REFUSED]


def waiting(store: Store, destination: str) -> int:
    """How many events have not arrived at a destination."""
    with store.transaction() as transaction:
        return _waiting(transaction, destination, _progress(transaction, destination))


def verification_due(store: Store, destination: str, *, at: datetime) -> bool:
    """Whether a week has passed since a destination was last found to agree with the outbox."""
    with store.transaction() as transaction:
        last = transaction.session.scalar(
            select(func.max(_delivery.at)).where(
                _delivery.destination == destination, _delivery.outcome == VERIFIED
            )
        )
    return last is None or at - last >= VERIFIED_FOR


def record_verified(store: Store, destination: str) -> None:
    """Note that a destination agrees with the outbox."""
    with store.transaction() as transaction:
        _insert(transaction, destination, 0, 0, VERIFIED, "")


def _ignore(delivered: int) -> None:
    pass


def _round(
    store: Store, marquez: Marquez, progress: _Progress, report: Callable[[int], None]
) -> Delivery:
    delivered, in_a_row = 0, 0
    refused: dict[str, str] = {}
    last = (progress.through, -1)
    while True:
        with store.transaction() as transaction:
            chunk = _pending(transaction, marquez.url, progress, after=last)
        if not chunk:
            break
        outcomes: list[tuple[LineageEventRow, str, str]] = []
        unreachable = ""
        for event in chunk:
            last = (event.seq, event.position)
            if event.stream in refused:
                continue
            outcome = _post(marquez, event)
            if outcome.kind == UNREACHABLE:
                unreachable = outcome.detail
                break
            outcomes.append((event, outcome.kind, outcome.detail))
            if outcome.kind == DELIVERED:
                delivered, in_a_row = delivered + 1, 0
                continue
            in_a_row += 1
            refused[event.stream] = f"entry {event.seq}, {event.job}: {outcome.detail}"
            if in_a_row == MOST_REFUSED:
                unreachable = f"it refuses everything: {outcome.detail}"
                break
        _note(store, marquez.url, progress, outcomes)
        report(delivered)
        if unreachable:
            return Delivery(delivered, refused=tuple(refused.values()), unreachable=unreachable)
    if not refused and delivered:
        with store.transaction() as transaction:
            _insert(transaction, marquez.url, last[0], last[1], THROUGH, "")
    return Delivery(delivered, refused=tuple(refused.values()))


def _post(marquez: Marquez, event: LineageEventRow) -> Outcome:
    """Post an event; one that Marquez fails over again and again, while it is alive, is refused.

    Marquez answers 500 to what it cannot store, as to a NUL in a text. Such an event would hold
    back all models for ever, with the advice to start Marquez.
    """
    outcome = marquez.post(event.body)
    for _ in range(POISON_TRIES - 1):
        if not (outcome.kind == UNREACHABLE and outcome.detail.startswith("5")):
            return outcome
        if not marquez.is_alive():
            return outcome
        outcome = marquez.post(event.body)
    if outcome.kind == UNREACHABLE and outcome.detail.startswith("5") and marquez.is_alive():
        return Outcome("refused", f"{outcome.detail} ({POISON_TRIES} times, while it is alive)")
    return outcome


def _progress(transaction: Transaction, destination: str) -> _Progress:
    reset = transaction.session.scalar(
        select(func.max(_delivery.id)).where(
            _delivery.destination == destination, _delivery.outcome == RESET
        )
    )
    through = transaction.session.scalar(
        select(func.max(_delivery.seq)).where(
            _delivery.destination == destination,
            _delivery.outcome == THROUGH,
            _delivery.id > (reset or 0),
        )
    )
    return _Progress(reset=reset or 0, through=through or 0)


def _not_arrived(destination: str, progress: _Progress) -> ColumnElement[bool]:
    arrived = exists().where(
        _delivery.destination == destination,
        _delivery.seq == _event.seq,
        _delivery.position == _event.position,
        _delivery.outcome == DELIVERED,
        _delivery.id > progress.reset,
    )
    return and_(_event.seq > progress.through, ~arrived)


def _pending(
    transaction: Transaction, destination: str, progress: _Progress, *, after: tuple[int, int]
) -> Sequence[LineageEventRow]:
    return transaction.session.scalars(
        select(LineageEventRow)
        .where(_not_arrived(destination, progress))
        .where(tuple_(_event.seq, _event.position) > after)
        .order_by(_event.seq, _event.position)
        .limit(CHUNK)
    ).all()


def _waiting(transaction: Transaction, destination: str, progress: _Progress) -> int:
    count = transaction.session.scalar(
        select(func.count()).select_from(LineageEventRow).where(_not_arrived(destination, progress))
    )
    return count or 0


def _counted(store: Store, destination: str, found: Delivery) -> Delivery:
    return replace(found, waiting=waiting(store, destination))


def _arrived(transaction: Transaction, destination: str, progress: _Progress) -> list[str]:
    """Runs that must be there: those of the first and of the last entry that have arrived."""
    ends = transaction.session.execute(
        select(func.min(_delivery.seq), func.max(_delivery.seq)).where(
            _delivery.destination == destination,
            _delivery.outcome.in_((DELIVERED, THROUGH)),
            _delivery.id > progress.reset,
        )
    ).one()
    runs = [
        transaction.session.scalar(
            select(_event.run_id)
            .where(_event.seq == seq, _event.stage != START)
            .order_by(_event.position)
            .limit(1)
        )
        for seq in {seq for seq in ends if seq is not None}
    ]
    return [run for run in runs if run is not None]


def _note(
    store: Store,
    destination: str,
    progress: _Progress,
    outcomes: Sequence[tuple[LineageEventRow, str, str]],
) -> None:
    with store.transaction() as transaction:
        for event, outcome, detail in outcomes:
            if outcome == REFUSED and _is_noted(transaction, destination, progress, event, detail):
                continue
            kept = detail if outcome == REFUSED else ""
            _insert(transaction, destination, event.seq, event.position, outcome, kept)


def _is_noted(
    transaction: Transaction,
    destination: str,
    progress: _Progress,
    event: LineageEventRow,
    detail: str,
) -> bool:
    """Whether this refusal is noted already: an event is tried again and again."""
    return bool(
        transaction.session.scalar(
            select(
                exists().where(
                    _delivery.destination == destination,
                    _delivery.seq == event.seq,
                    _delivery.position == event.position,
                    _delivery.outcome == REFUSED,
                    _delivery.detail == detail,
                    _delivery.id > progress.reset,
                )
            )
        )
    )


def _insert(
    transaction: Transaction, destination: str, seq: int, position: int, outcome: str, detail: str
) -> None:
    transaction.session.execute(
        insert(LineageDeliveryRow).values(
            destination=destination,
            seq=seq,
            position=position,
            outcome=outcome,
            detail=detail,
            at=datetime.now(UTC),
        )
    )
