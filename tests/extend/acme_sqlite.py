"""SQLite as a warehouse that can be read: an extension in one file, outside of the package."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from mlops.errors import QueryError, WarehouseError, WarehouseUnreachable
from mlops.warehouse.base import WarehouseBase
from mlops.warehouse.dialect import Dialect
from mlops.warehouse.port import (
    BATCH_ROWS,
    Address,
    Capability,
    Column,
    DatabaseState,
    KeyCounts,
    RowStream,
)
from mlops.warehouse.registry import WAREHOUSES, ConnectionDetails
from mlops.warehouse.threads import read_ahead

ARROW = {
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
# A computed column has no declared type in SQLite; its first value shows one.
STORED = {"integer": "bigint", "real": "double precision"}


class SqliteDialect(Dialect):
    """SQLite has no moments: they are texts of one format, which sort as the moments do."""

    def moment_literal(self, moment: datetime) -> str:
        return self.text_literal(moment.isoformat(sep=" ", timespec="microseconds"))

    def folded(self, name: str) -> str:
        return name


SQLITE = SqliteDialect(name="sqlite", title="SQLite")


@dataclass(frozen=True)
class SqliteWarehouse(WarehouseBase):
    """The tables of one file."""

    path: Path

    capabilities = frozenset({Capability.READ})
    default_schema = "main"
    dialect = SQLITE

    @property
    def address(self) -> Address:
        return Address("sqlite", server="", database=str(self.path), dialect="sqlite")

    def describe(self, sql: str) -> tuple[Column, ...]:
        with self._query(sql) as connection:
            found = connection.execute("SELECT name, type FROM pragma_table_info('query')")
            return tuple(
                Column(name, declared.lower() or _shown(connection, name))
                for name, declared in found.fetchall()
            )

    @contextmanager
    def stream(self, sql: str, *, batch_rows: int = BATCH_ROWS) -> Iterator[RowStream]:
        columns = self.describe(sql)
        schema = pa.schema([(column.name, ARROW[column.type]) for column in columns])
        with self._query(sql) as connection:
            # SQLite does not number its states; the moment of the reading identifies this one.
            state = DatabaseState(snapshot=datetime.now(UTC).isoformat(), lsn="")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master")
            batches = _batches(connection, schema, batch_rows)
            with read_ahead(batches, cancel=connection.interrupt) as ahead:
                yield RowStream(schema, state, connection.interrupt, ahead)

    def count_keys(self, sql: str, key: str, *, time: str | None = None) -> KeyCounts:
        newest = f"max(query.{SQLITE.quoted(time)})" if time else "NULL"
        cells = f"count(*), count(DISTINCT query.{SQLITE.quoted(key)}), {newest}"
        with self._query(sql) as connection:
            rows, distinct, found = connection.execute(f"SELECT {cells} FROM query").fetchone()
        return KeyCounts(rows, distinct, datetime.fromisoformat(found) if found else None)

    @contextmanager
    def _query(self, sql: str) -> Iterator[sqlite3.Connection]:
        """A connection in which ``query`` is a view of the SQL, and that can change nothing."""
        with _errors_of_sqlite():
            found = sqlite3.connect(
                f"file:{self.path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
            )
            with closing(found) as connection:
                connection.execute(f"CREATE TEMP VIEW query AS\n{SQLITE.statement(sql)}")
                yield connection


class SqliteType:
    """Connections of the type ``sqlite``; their host is the path of the file, as in Airflow."""

    name = "sqlite"
    dialect = SQLITE

    def open(self, connection: ConnectionDetails) -> SqliteWarehouse:
        return SqliteWarehouse(Path(connection.host or ""))


WAREHOUSES.register("sqlite", SqliteType())


def _batches(
    connection: sqlite3.Connection, schema: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    with _errors_of_sqlite():
        cursor = connection.execute("SELECT * FROM query")
        while part := cursor.fetchmany(rows):
            columns = zip(*part, strict=True)
            arrays = [_array(values, f.type) for values, f in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array([v if v is None else datetime.fromisoformat(str(v)) for v in values], kind)
    if pa.types.is_boolean(kind):
        return pa.array([v if v is None else bool(v) for v in values], kind)
    return pa.array(values, kind)


def _shown(connection: sqlite3.Connection, name: str) -> str:
    first = connection.execute(f"SELECT typeof(query.{SQLITE.quoted(name)}) FROM query LIMIT 1")
    return STORED.get((first.fetchone() or ("text",))[0], "text")


@contextmanager
def _errors_of_sqlite() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error) from error


def _translated(error: sqlite3.Error) -> WarehouseError:
    if "unable to open" in str(error):
        return WarehouseUnreachable(
            "the warehouse's file cannot be opened", found=error, action="see that it exists"
        )
    return QueryError("the query does not run", found=error, action="correct the SQL")
