"""The outbox: finished events, put there in the transaction of the fact that they describe.

Nothing is sent from here. The sender listens on :data:`CHANNEL`, which notifies it when the
transaction has been committed, so that a task never waits for the receiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from mlops.store.ledger import Entry
from mlops.store.tables import LineageEventRow

CHANNEL = "mlops_lineage"


@dataclass(frozen=True)
class Event:
    """One event as it will be sent.

    :ivar stream: events of one stream are sent in their order, also when those of others fail.
    :ivar stage: ``START`` or ``COMPLETE``.
    """

    run_id: str
    job: str
    stream: str
    stage: str
    body: str


class LineageEvents(Protocol):
    """The events of a fact."""

    @property
    def digest(self) -> str:
        """SHA-256 over all events, for the ledger's entry."""

    def events(self, entry: Entry) -> Sequence[Event]:
        """The events in the order in which they are sent; each names the entry."""


def put(session: Session, entry: Entry, lineage: LineageEvents) -> None:
    """Put the events of an entry into the outbox, inside the caller's transaction."""
    rows = [
        {
            "seq": entry.seq,
            "position": position,
            "run_id": event.run_id,
            "job": event.job,
            "stream": event.stream,
            "stage": event.stage,
            "body": event.body,
        }
        for position, event in enumerate(lineage.events(entry))
    ]
    session.execute(insert(LineageEventRow), rows)
    session.execute(text(f"NOTIFY {CHANNEL}"))
