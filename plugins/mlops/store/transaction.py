"""One transaction of the store: facts, written together with their ledger entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import inspect, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mlops.errors import RecordMissing
from mlops.store import fact_digests, ledger, outbox
from mlops.store.tables import Base, LedgerRow
from mlops.trust import Trust
from mlops.vocabulary import LedgerAction

Row = TypeVar("Row", bound=Base)
# Any role that may connect could take a lock of a known name and keep it. A step that has its turn
# may load a model meanwhile.
_LONGEST_WAIT = "120s"


@dataclass(frozen=True)
class LedgerBacked(Generic[Row]):
    """What one ledger entry records of a fact.

    :ivar seq: number of the entry.
    :ivar payload: of the entry.
    :ivar row: the fact; none if it is no longer what was recorded.
    """

    seq: int
    payload: Mapping[str, Any]
    row: Row | None


class Transaction:
    """Facts and their ledger entries, written together.

    :param trust: which approvals count for those who read in it.
    """

    def __init__(self, session: Session, trust: Trust | None = None) -> None:
        self.session = session
        self.trust = trust or Trust()

    def record(
        self,
        row: Base,
        *,
        actor: str,
        action: LedgerAction,
        subject: str,
        payload: dict[str, Any],
        lineage: outbox.LineageEvents | None = None,
    ) -> bool:
        """Insert a fact, its ledger entry and its lineage, unless the fact is there already.

        :param lineage: the fact's events for Marquez; the entry carries their digest.
        :return: whether it was new. A fact's identity is its table's primary or unique key.
        """
        table = type(row).__table__
        values = {c.name: getattr(row, c.name) for c in table.columns if c.identity is None}
        kept = self.session.execute(
            insert(type(row)).values(**values).on_conflict_do_nothing().returning(*table.columns)
        ).first()
        if kept is None:
            return False
        self.note(
            actor=actor,
            action=action,
            subject=subject,
            payload={**payload, "fact": fact_digests.reference(table, kept._mapping)},
            lineage=lineage,
        )
        return True

    def note(
        self,
        *,
        actor: str,
        action: str,
        subject: str,
        payload: dict[str, Any],
        lineage: outbox.LineageEvents | None = None,
    ) -> None:
        """Append a ledger entry about an act that has no table of its own.

        :param action: one of :class:`~mlops.vocabulary.LedgerAction`, or an extension's own.
        :param lineage: what Marquez receives about it; the entry carries its digest.
        """
        if lineage is not None:
            payload = {**payload, "lineage": lineage.digest}
        entry = ledger.append(
            self.session, actor=actor, action=action, subject=subject, payload=payload
        )
        if lineage is not None:
            outbox.put(self.session, entry, lineage)

    def notes(self, *, action: LedgerAction, subject: str) -> list[dict[str, Any]]:
        """The payloads of entries with this action and subject that point at no fact."""
        payloads = self.session.scalars(
            select(LedgerRow.payload)
            .where(LedgerRow.action == str(action), LedgerRow.subject == subject)
            .order_by(LedgerRow.seq)
        )
        found = filter(None, map(ledger.read_object, payloads))
        return [payload for payload in found if "fact" not in payload]

    def advisory_lock(self, name: str) -> None:
        """Wait for every other transaction that took this name; the next one waits for this.

        A wait that takes too long ends as a :class:`~mlops.errors.StoreConflict`.
        """
        before = self.session.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
        self._limit_waiting(_LONGEST_WAIT)
        self.session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
        )
        self._limit_waiting(before)

    def _limit_waiting(self, limit: str) -> None:
        self.session.execute(
            text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit}
        )

    def clock(self) -> datetime:
        """The time now by the store's clock, which is one for all workers."""
        found: datetime = self.session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return found

    def get(self, kind: type[Row], *key: Any) -> Row:
        """One row by its primary key.

        :raises RecordMissing: the store does not know it.
        """
        row = self.session.get(kind, key if len(key) > 1 else key[0])
        if row is None:
            raise RecordMissing(
                f"{kind.__tablename__} {'/'.join(str(part) for part in key)}",
                found="no such row in the store",
                expected="a row that an earlier step wrote",
                action="run the step before this one again",
            )
        return row

    def find(self, kind: type[Row], /, **equal: Any) -> list[Row]:
        """All rows whose columns have these values."""
        return list(self.session.scalars(select(kind).filter_by(**equal)))

    def ledger_backed(
        self, kind: type[Row], /, *, subject: str, **equal: Any
    ) -> list[LedgerBacked[Row]]:
        """What the ledger records of such rows, in its own order, each with its row as written.

        A row that was added by hand is not among them; one that was edited or deleted by hand is
        there without its row, so that taking a row away does not undo what was recorded.

        :param subject: of the entries that were written with such rows.
        """
        entries = self.session.execute(
            select(LedgerRow.seq, LedgerRow.payload)
            .where(LedgerRow.subject == subject)
            .order_by(LedgerRow.seq)
        )
        rows = {inspect(row).identity: row for row in self.find(kind, **equal)}
        found = []
        for seq, content in entries:
            payload = ledger.read_object(content) or {}
            fact = fact_digests.read_reference(0, payload.get("fact"))
            if fact is None or fact.table is not kind.__table__:
                continue
            row = rows.get(fact.key)
            if row is None or fact.difference(_values(row)) is not None:
                found.append(LedgerBacked[Row](seq, payload, None))
            else:
                # A second entry about a row adds nothing to the first one.
                found.append(LedgerBacked(seq, payload, rows.pop(fact.key)))
        return found


def _values(row: Base) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}
