"""How a ledger entry points at the fact it is about, so that an edited fact shows.

An entry carries its fact's table, key and digest. The digest is taken over the row as the database
gives it back, since JSONB does not keep every spelling of a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, FromClause, select, tuple_

from mlops.core.canonical import digest_json
from mlops.store.tables import Base

Reference = Mapping[str, Any]


def reference(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    """What a ledger entry keeps of a fact: its table, its primary key, the digest of its row."""
    values = _values(table, row)
    return {
        "table": table.name,  # type: ignore[attr-defined]
        "key": [values[column.name] for column in table.primary_key],
        "digest": digest_json(values),
    }


def first_changed(
    connection: Connection, found: Iterable[tuple[int, Reference]]
) -> tuple[int, str] | None:
    """Among ledger entries, the first one whose fact is gone or is not what it was.

    :param found: number of each entry, and the reference that it carries.
    :return: the entry's number and what is wrong; none where all facts stand.
    """
    wanted: dict[str, dict[tuple[Any, ...], tuple[int, str]]] = defaultdict(dict)
    for seq, item in found:
        wanted[item["table"]][tuple(item["key"])] = (seq, item["digest"])
    faults = [fault for name, facts in wanted.items() for fault in _faults(connection, name, facts)]
    return min(faults, default=None)


def _faults(
    connection: Connection, name: str, facts: Mapping[tuple[Any, ...], tuple[int, str]]
) -> list[tuple[int, str]]:
    table = next(t for t in Base.metadata.sorted_tables if t.name == name)
    key = list(table.primary_key.columns)
    rows = connection.execute(select(table).where(tuple_(*key).in_(list(facts))))
    present = {}
    for row in rows:
        values = _values(table, row._mapping)
        present[tuple(values[column.name] for column in key)] = digest_json(values)
    faults = []
    for identity, (seq, digest) in facts.items():
        what = f"its {name} {'/'.join(str(part) for part in identity)}"
        if identity not in present:
            faults.append((seq, f"{what} is gone"))
        elif present[identity] != digest:
            faults.append((seq, f"{what} was changed"))
    return faults


def _values(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.columns}
