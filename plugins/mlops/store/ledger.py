"""The ledger: append-only, hash-chained, written in the transaction of the fact it is about.

Each entry's digest is the SHA-256 over the canonical JSON of its columns, the digest of the entry
before among them. Changing, deleting, inserting or reordering a row breaks the chain from there on.
An entry covers the columns that the ledger had at revision 0002; one that covers more lists them in
its payload, under ``covers``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text
from sqlalchemy.orm import Session

from mlops.digests import canonical_json, digest_json
from mlops.store import fact_digests
from mlops.store.covered_columns import (
    REVISION_0002,
    columns_to_list,
    covered_columns,
    uncovered_value,
)
from mlops.store.tables import LedgerRow

GENESIS = "0" * 64
BATCH = 5_000
# Appends are serialised until the fact's transaction ends, so that the order of the chain is the
# order in which facts became visible. The lock is on a row that only the owner can lock; the
# function does it for those who may call it, and waits a bounded time.
LOCK = text("SELECT mlops.lock_ledger()")
_ledger = LedgerRow.__table__
COVERS = "covers"
_TABLE = LedgerRow.__tablename__
_FIRST_COLUMNS = REVISION_0002[_TABLE]
_LATER_COLUMNS = tuple(
    column.name for column in _ledger.c if column.name not in (*_FIRST_COLUMNS, "digest")
)
# Postgres knows times that Python cannot hold. A forged one is read as another time, which the
# entry's digest then does not fit, rather than ending the walk with an error.
_readable_time = func.least(
    func.greatest(_ledger.c.at, datetime(1, 1, 2, tzinfo=UTC)), datetime(9999, 12, 30, tzinfo=UTC)
).label("at")


@dataclass(frozen=True)
class Entry:
    """One entry as it was written.

    :ivar later: the values of columns that the ledger got after revision 0002.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    payload: str
    prev_digest: str
    digest: str
    later: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """The value of each column but the digest."""
        values = {**vars(self), **self.later}
        del values["later"], values["digest"]
        return values

    def recompute(self) -> str:
        """The digest that these values should have."""
        values, listed = self.values, self._listed()
        covered = covered_columns(_TABLE, values, listed)
        if listed is None or covered is None:
            return digest_json([values[name] for name in _FIRST_COLUMNS])
        return digest_json({name: values[name] for name in covered})

    def coverage_fault(self) -> str | None:
        """What is wrong with the columns that the digest covers; none if nothing is."""
        covered = covered_columns(_TABLE, self.values, self._listed())
        if covered is None:
            return "it lists columns in a way in which no entry was ever written"
        extra = uncovered_value(self.values, covered)
        return extra and f"its column {extra} was empty when it was written"

    def _listed(self) -> Any:
        # Most payloads list nothing, and a ledger may have a million of them.
        payload = read_object(self.payload) if f'"{COVERS}"' in self.payload else None
        return None if payload is None else payload.get(COVERS)


@dataclass(frozen=True)
class Break:
    """The first entry of a ledger that is not what it was."""

    seq: int
    reason: str


def append(
    session: Session | Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    payload: dict[str, Any],
    later: Mapping[str, Any] | None = None,
) -> Entry:
    """Append one entry inside the caller's transaction.

    :param actor: who did it: a user id, or ``task:<dag>.<task>``.
    :param action: what was done, one of :class:`~mlops.vocabulary.LedgerAction` or an extension's
        own, in the form ``thing.happened``: ``version.packaged``.
    :param subject: what it is about: ``flight_delay/v3``.
    :param later: values of columns that the ledger got after revision 0002.
    """
    session.execute(LOCK)
    head = session.execute(
        select(_ledger.c.seq, _ledger.c.digest).order_by(_ledger.c.seq.desc()).limit(1)
    ).first()
    seq, prev = (head.seq + 1, head.digest) if head else (1, GENESIS)
    listed = columns_to_list(_TABLE, (*_FIRST_COLUMNS, *_LATER_COLUMNS))
    draft = Entry(
        seq=seq,
        at=datetime.now(UTC),
        actor=actor,
        action=str(action),
        subject=subject,
        payload=canonical_json(payload if listed is None else {**payload, COVERS: listed}),
        prev_digest=prev,
        digest="",
        later={**dict.fromkeys(_LATER_COLUMNS), **(later or {})},
    )
    entry = replace(draft, digest=draft.recompute())
    session.execute(insert(LedgerRow).values(**entry.values, digest=entry.digest))
    return entry


def head(session: Session | Connection) -> tuple[int, str]:
    """Number and digest of the newest entry; ``(0, GENESIS)`` for an empty ledger."""
    row = session.execute(
        select(_ledger.c.seq, _ledger.c.digest).order_by(_ledger.c.seq.desc()).limit(1)
    ).first()
    return (row.seq, row.digest) if row else (0, GENESIS)


def entries(connection: Connection, *, batch_rows: int = BATCH) -> Generator[Entry]:
    """Every entry in order, streamed through a server-side cursor in bounded memory."""
    columns = [column for column in _ledger.c if column.name != "at"]
    query = select(_readable_time, *columns).order_by(_ledger.c.seq)
    with connection.execute(query.execution_options(yield_per=batch_rows)) as result:
        for row in result:
            yield _entry(row)


def verify(connection: Connection) -> tuple[int, Break | None]:
    """Walk the whole chain, and hold each fact against the entry that was written with it.

    A fact without an entry shows as well: one that was added by hand, or one whose entry was
    cut off at the ledger's end.

    :return: how many entries hold, and the first one that does not.
    """
    prev, count = GENESIS, 0
    present = fact_digests.counts(connection)
    known: Counter[str] = Counter()
    with closing(entries(connection)) as walk:
        while batch := list(islice(walk, BATCH)):
            held: list[Entry] = []
            broken: Break | None = None
            for entry in batch:
                reason = _fault(entry, count + len(held) + 1, prev)
                if reason:
                    broken = Break(seq=entry.seq, reason=reason)
                    break
                held.append(entry)
                prev = entry.digest
            changed = fact_digests.first_changed(connection, _references(held))
            if changed is not None:
                return changed[0] - 1, Break(seq=changed[0], reason=changed[1])
            known.update(item["table"] for _, item in _references(held))
            count += len(held)
            if broken is not None:
                return count, broken
    missing = fact_digests.without_entry(present, known)
    return count, Break(seq=count + 1, reason=missing) if missing else None


def missing(connection: Connection, *, seq: int, digest: str) -> str | None:
    """Why the ledger does not hold an entry that a copy elsewhere names; None if it does.

    Entries that were cut off at the end together with their facts leave a whole chain: only what
    was noted down elsewhere, in a report for example, shows that there was more.

    :param seq: number of the entry; 0 with the digest :data:`GENESIS` for a ledger without any.
    """
    if (seq, digest) == (0, GENESIS):
        return None
    found = connection.execute(select(_ledger.c.digest).where(_ledger.c.seq == seq)).scalar()
    if found == digest:
        return None
    if found is not None:
        return f"its entry {seq} has digest {found}: history was rewritten there or before"
    last, _ = head(connection)
    return f"it ends at entry {last}: what came after was cut off"


def _references(held: list[Entry]) -> Iterator[tuple[int, Any]]:
    """What entries point at as their facts."""
    for entry in held:
        found = json.loads(entry.payload).get("fact")
        if found is not None:
            yield entry.seq, found


def read_object(payload: str) -> dict[str, Any] | None:
    """A payload as a JSON object; none if it is anything else."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fault(entry: Entry, seq: int, prev: str) -> str | None:
    if entry.seq != seq:
        return f"entry {seq} is missing; the next one found is {entry.seq}"
    if entry.prev_digest != prev:
        return f"names {entry.prev_digest} as the entry before, whose digest is {prev}"
    if entry.recompute() != entry.digest:
        return f"its content has digest {entry.recompute()}, its recorded digest is {entry.digest}"
    if read_object(entry.payload) is None:
        return "its payload is not a JSON object, so no step wrote it"
    return entry.coverage_fault()


def _entry(row: Row[Any]) -> Entry:
    values = {**row._mapping, "at": row.at.astimezone(UTC)}
    later = {name: values.pop(name) for name in _LATER_COLUMNS}
    return Entry(**values, later=later)
