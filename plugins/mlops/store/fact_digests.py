"""How a ledger entry points at the fact it is about, so that an edited fact shows.

An entry carries its fact's table, key and digest. The digest is taken over the row as the database
gives it back, since JSONB does not keep every spelling of a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, FromClause, Table, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from mlops.digests import digest_json
from mlops.store.tables import NOT_FACTS, Base

Key = tuple[Any, ...]
RecordedDigest = tuple[int, str]  # number of an entry, and the digest that it gives of a fact
_TABLES = {table.name: table for table in Base.metadata.sorted_tables}


def reference(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    """What a ledger entry keeps of a fact: its table, its primary key, the digest of its row."""
    values = _values(table, row)
    return {
        "table": table.name,  # type: ignore[attr-defined]
        "key": [values[column.name] for column in table.primary_key],
        "digest": digest_json(values),
    }


def first_changed(
    connection: Connection, found: Iterable[tuple[int, Any]]
) -> tuple[int, str] | None:
    """Among ledger entries, the first one whose fact is gone or is not what it was.

    :param found: number of each entry, and the reference that it carries. Whoever may add to the
        ledger may add an entry of any shape, so a reference may turn out to be none.
    :return: the entry's number and what is wrong; none where all facts stand.
    """
    faults: list[tuple[int, str]] = []
    # A fact may be named twice: an entry that was added later must not speak for the first one.
    wanted: dict[str, dict[Key, list[RecordedDigest]]] = defaultdict(lambda: defaultdict(list))
    for seq, item in found:
        if _is_reference(item):
            wanted[item["table"]][tuple(item["key"])].append((seq, item["digest"]))
        else:
            faults.append((seq, "it points at a fact in a way in which none was ever recorded"))
    for name, facts in wanted.items():
        faults += _faults(connection, _TABLES[name], facts)
    return min(faults, default=None)


def counts(connection: Connection) -> dict[str, int]:
    """How many facts of each kind there are."""
    return {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in _TABLES.items()
        if name not in NOT_FACTS
    }


def without_entry(present: Mapping[str, int], known: Mapping[str, int]) -> str | None:
    """Which table holds more facts than the ledger knows; none where each has its entry.

    :param present: as :func:`counts` gave it before the ledger was read. A fact becomes visible
        together with its entry, so what was counted before has its entry among those read later.
    :param known: how many facts of each table the ledger's entries point at.
    """
    for name, rows in present.items():
        if rows > known.get(name, 0):
            return (
                f"there is no entry for {rows - known.get(name, 0)} of {rows} rows of {name}: "
                "they were added by hand, or entries were cut off at the end"
            )
    return None


def _is_reference(item: Any) -> bool:
    if not isinstance(item, dict) or set(item) != {"table", "key", "digest"}:
        return False
    table = _TABLES.get(item["table"]) if isinstance(item["table"], str) else None
    if table is None or not isinstance(item["key"], list):
        return False
    kinds = [column.type.python_type for column in table.primary_key]
    return [type(part) for part in item["key"]] == kinds


def _faults(
    connection: Connection, table: Table, facts: Mapping[Key, list[RecordedDigest]]
) -> list[tuple[int, str]]:
    try:
        with connection.begin_nested():
            present = _digests(connection, table, list(facts))
    except (DBAPIError, ValueError, RecursionError):  # JSON may be nested too deeply to be read
        if len(facts) > 1:  # which of them cannot be read?
            alone = ({key: said} for key, said in facts.items())
            return [fault for one in alone for fault in _faults(connection, table, one)]
        present = dict.fromkeys(facts, "cannot be read")
    faults = []
    for key, said in facts.items():
        what = f"its {table.name} {'/'.join(str(part) for part in key)}"
        for seq, digest in said:
            if key not in present:
                faults.append((seq, f"{what} is gone"))
            elif present[key] != digest:
                faults.append((seq, f"{what} was changed"))
    return faults


def _digests(connection: Connection, table: Table, keys: list[Key]) -> dict[Key, str]:
    columns = list(table.primary_key.columns)
    found = {}
    for row in connection.execute(select(table).where(tuple_(*columns).in_(keys))):
        values = _values(table, row._mapping)
        found[tuple(values[column.name] for column in columns)] = digest_json(values)
    return found


def _values(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.columns}
