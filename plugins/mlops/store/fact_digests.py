"""How a ledger entry points at the fact it is about, so that an edited fact shows.

An entry carries its fact's table, key and digest, and the columns that the digest covers if they
are not those of revision 0002. The digest is taken over the row as the database gives it back,
since JSONB does not keep every spelling of a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, Table, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from mlops.digests import digest_json
from mlops.store.covered_columns import columns_to_list, covered_columns, uncovered_value
from mlops.store.tables import NOT_FACTS, Base

Key = tuple[Any, ...]
_TABLES = {table.name: table for table in Base.metadata.sorted_tables}
_KEYS = {"table", "key", "digest"}


@dataclass(frozen=True)
class Reference:
    """What a ledger entry records of a fact.

    :ivar seq: number of the entry.
    :ivar covered: the columns of the fact's row that the digest is taken over.
    """

    seq: int
    table: Table
    key: Key
    digest: str
    covered: tuple[str, ...]

    @property
    def what(self) -> str:
        """The fact, as an error names it."""
        return f"its {self.table.name} {'/'.join(str(part) for part in self.key)}"

    def difference(self, values: Mapping[str, Any]) -> str | None:
        """What is wrong with the row as it is now; none if it is what was recorded.

        :param values: of all columns of the row.
        """
        if digest_json({name: values[name] for name in self.covered}) != self.digest:
            return f"{self.what} was changed"
        extra = uncovered_value(values, self.covered)
        return extra and f"{self.what} was changed: {extra} was empty when it was recorded"


def reference(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    """What a ledger entry keeps of a fact: its table, its primary key, the digest of its row."""
    values = values_of(table, row)
    name: str = table.name  # type: ignore[attr-defined]
    listed = columns_to_list(name, values)
    return {
        "table": name,
        "key": [values[column.name] for column in table.primary_key],
        "digest": digest_json(values),
        **({} if listed is None else {"columns": listed}),
    }


def read_reference(seq: int, item: Any) -> Reference | None:
    """The reference that an entry carries; none if it has a shape that was never recorded."""
    if not isinstance(item, dict) or set(item) - {"columns"} != _KEYS:
        return None
    table = _TABLES.get(item["table"]) if isinstance(item["table"], str) else None
    if table is None or not isinstance(item["key"], list):
        return None
    kinds = [column.type.python_type for column in table.primary_key]
    covered = covered_columns(table.name, table.columns.keys(), item.get("columns"))
    if [type(part) for part in item["key"]] != kinds or covered is None:
        return None
    return Reference(seq, table, tuple(item["key"]), item["digest"], covered)


def values_of(table: FromClause, row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row's value of each column."""
    return {column.name: row[column.name] for column in table.columns}


def first_changed(
    connection: Connection, found: Iterable[tuple[int, Any]]
) -> tuple[int, str] | None:
    """Among ledger entries, the first one whose fact is missing or is not what it was.

    :param found: number of each entry, and what it carries as its reference.
    :return: the entry's number and what is wrong; none if all facts are as recorded.
    """
    faults: list[tuple[int, str]] = []
    # Two entries may name one fact: the one that was added later must not excuse an edit.
    wanted: dict[str, dict[Key, list[Reference]]] = defaultdict(lambda: defaultdict(list))
    for seq, item in found:
        recorded = read_reference(seq, item)
        if recorded is not None:
            wanted[recorded.table.name][recorded.key].append(recorded)
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
    """Which table holds more facts than the ledger knows; none if each has its entry.

    :param present: as :func:`counts` gave it before the ledger was read. A fact becomes visible
        together with its entry, so what was counted before has its entry among those read later.
    :param known: how many facts of each table the ledger's entries point at.
    """
    for name, rows in present.items():
        if rows > known.get(name, 0):
            return (
                f"{rows - known.get(name, 0)} of {rows} rows of {name} have no entry: "
                "they were added by hand, or entries were cut off at the end"
            )
    return None


def _faults(
    connection: Connection, table: Table, facts: Mapping[Key, list[Reference]]
) -> list[tuple[int, str]]:
    try:
        with connection.begin_nested():
            differences = _differences(connection, table, facts)
    except (DBAPIError, ValueError, RecursionError):  # JSON may be nested too deeply to be read
        if len(facts) > 1:  # which of them cannot be read?
            single = ({key: recorded} for key, recorded in facts.items())
            return [fault for one in single for fault in _faults(connection, table, one)]
        return [(item.seq, f"{item.what} was changed") for one in facts.values() for item in one]
    faults = []
    for key, recorded in facts.items():
        found = differences.get(key, [f"{item.what} is missing" for item in recorded])
        faults += [(item.seq, why) for item, why in zip(recorded, found, strict=True) if why]
    return faults


def _differences(
    connection: Connection, table: Table, facts: Mapping[Key, list[Reference]]
) -> dict[Key, list[str | None]]:
    """For each fact that is there, what each entry about it finds."""
    columns = list(table.primary_key.columns)
    found = {}
    for row in connection.execute(select(table).where(tuple_(*columns).in_(list(facts)))):
        values = values_of(table, row._mapping)
        key = tuple(values[column.name] for column in columns)
        found[key] = [recorded.difference(values) for recorded in facts[key]]
    return found
