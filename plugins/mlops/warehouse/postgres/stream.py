"""Read rows of the warehouse as Arrow batches.

Rows come by ADBC, in Postgres' binary COPY format, and never as Python objects. What can be read:

=========================================  ==========================
Postgres                                   Arrow
=========================================  ==========================
smallint, integer, bigint                  int16, int32, int64
real, double precision                     float, double
boolean                                    bool
text, character varying, name, an enum     string
date                                       date32
timestamp with time zone                   timestamp[us, tz=UTC]
uuid                                       uuid
=========================================  ==========================

A domain is read as the type below it. Everything else is refused by name with the cast to write:
``numeric`` because it would arrive as text, a timestamp without time zone because it names no
moment, ``character(n)`` because its padding would make other categories of the same codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_postgresql import StatementOptions, dbapi
from pyarrow import types

from mlops.errors import QueryError, WarehouseError, WarehouseUnreachable
from mlops.postgres_session import Endpoint
from mlops.postgres_url import postgres_url
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.session import READ_SETTINGS, endpoint_of, refusal, unreachable
from mlops.warehouse.postgres.state import CURRENT_SNAPSHOT, LOG_POSITION, NO_LOG_POSITION
from mlops.warehouse.records import BATCH_ROWS, DatabaseState, RowStream
from mlops.warehouse.threads import read_ahead

_HINT_BYTES = 4 << 20
_TIME_LIMIT = "57014"
# Every statement of the transaction sees what its first one saw.
_ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"

# What to write instead of a column whose type cannot be read; by the type's internal name.
_CASTS = {
    "numeric": "{}::float8",
    "money": "{}::numeric::float8",
    "timestamp": "{} AT TIME ZONE 'UTC'",
    "time": "extract(epoch FROM {})::float8",
    "timetz": "extract(epoch FROM {})::float8",
    "interval": "extract(epoch FROM {})::float8",
    "json": "({} ->> 'name')::float8",
    "jsonb": "({} ->> 'name')::float8",
    "oid": "{}::bigint",
    "bytea": "encode({}, 'hex')",
}
_MARKS_OF_A_BROKEN_CONNECTION = (
    "server closed the connection",
    "terminating connection",
    "could not receive data",
    "could not send data",
    "SSL connection has been closed",
    "no connection to the server",
)


@contextmanager
def stream(url: str, sql: str, *, batch_rows: int = BATCH_ROWS) -> Iterator[RowStream]:
    """Run a query and read its rows in a thread, a few batches ahead of the caller.

    The batches hold ``batch_rows`` rows each, the last one fewer; memory does not grow with the
    rows. When the block is left before the last batch, the query is cancelled.

    :raises WarehouseUnreachable: no connection, or one that broke.
    :raises QueryError: SQL that does not run, or a column of a type that cannot be read.
    """
    endpoint = endpoint_of(url)
    query = POSTGRES.statement(sql)
    with ExitStack() as stack:
        with _translated(endpoint):
            cursor, state = _cursor_in_a_state(stack, endpoint)
            cursor.execute(endpoint.settings.use_search_path)
            # Postgres prepares the text, which it refuses unless it is one statement.
            schema = _readable(cursor.adbc_execute_schema(query))

        def cancel() -> None:
            # A connection that broke has nothing to cancel.
            with suppress(adbc_driver_manager.Error):
                cursor.adbc_cancel()

        batches = _batches(cursor, endpoint, query, schema=schema, rows=batch_rows)
        with read_ahead(batches, cancel=cancel) as ahead:
            yield RowStream(schema, state, cancel, ahead)


def _connect(endpoint: Endpoint) -> Any:
    """A connection of the driver, which reads the catalog before the first transaction.

    So a role's own time limit may end that; only then is a longer one set when the connection
    starts, which a pooler may refuse.
    """
    try:
        return dbapi.connect(endpoint.url)
    except adbc_driver_manager.Error as error:
        if getattr(error, "sqlstate", None) != _TIME_LIMIT:
            raise
        limited = {**endpoint.parameters, "options": "-c statement_timeout=60s"}
        with suppress(adbc_driver_manager.Error):
            return dbapi.connect(postgres_url(limited))
        raise


def _cursor_in_a_state(stack: ExitStack, endpoint: Endpoint) -> tuple[Any, DatabaseState]:
    """A cursor, and the state that its transaction sees."""
    cursor = stack.enter_context(_cursor(endpoint))
    snapshot = _one(cursor, CURRENT_SNAPSHOT)
    try:
        return cursor, DatabaseState(snapshot, _one(cursor, LOG_POSITION) or "")
    except adbc_driver_manager.Error as error:
        if getattr(error, "sqlstate", None) not in NO_LOG_POSITION:
            raise
    # After an error the driver goes on in another transaction only.
    stack.close()
    cursor = stack.enter_context(_cursor(endpoint))
    return cursor, DatabaseState(_one(cursor, CURRENT_SNAPSHOT), "")


def _one(cursor: Any, query: str) -> Any:
    cursor.execute(query)
    (value,) = cursor.fetchone()
    return value


@contextmanager
def _cursor(endpoint: Endpoint) -> Iterator[Any]:
    try:
        connection = _connect(endpoint)
    except adbc_driver_manager.Error as error:
        raise unreachable(endpoint, error) from None
    try:
        with connection.cursor() as cursor:
            with _translated(endpoint):
                # This begins the transaction that the settings hold for.
                cursor.executescript(f"{_ONE_STATE};\n{endpoint.settings.begin};\n{READ_SETTINGS}")
                hint = StatementOptions.BATCH_SIZE_HINT_BYTES.value
                cursor.adbc_statement.set_options(**{hint: str(_HINT_BYTES)})
            yield cursor
    finally:
        connection.close()


def _batches(
    cursor: Any, endpoint: Endpoint, query: str, *, schema: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    """Run the query and cut its rows by number: the driver cuts them by bytes.

    The query starts with the first batch, so in the reading thread: the driver waits for the
    first row without listening to signals.
    """
    held: list[pa.RecordBatch] = []
    wanted = rows
    with _translated(endpoint):
        cursor.execute(query)
        for batch in cursor.fetch_record_batch():
            start = 0
            while batch.num_rows - start >= wanted:
                held.append(batch.slice(start, wanted))
                yield _joined(held, schema)
                start, held, wanted = start + wanted, [], rows
            if start < batch.num_rows:
                held.append(batch.slice(start))
                wanted -= batch.num_rows - start
    if held:
        yield _joined(held, schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return pa.RecordBatch.from_arrays(whole.columns, schema=schema)


def _readable(schema: pa.Schema) -> pa.Schema:
    """The schema without the driver's notes, once every column of it can be read."""
    refused = {
        field.name: cast.format(field.name)
        for field in schema
        if (cast := _cast_for(field)) is not None
    }
    if refused:
        kinds = ", ".join(f"{n} ({_pg_type(schema.field(n))})" for n in refused)
        raise QueryError(
            "columns have types that are not read",
            found=kinds,
            action="write in the SQL: " + ", ".join(f"{c} AS {n}" for n, c in refused.items()),
        )
    return pa.schema([pa.field(field.name, field.type) for field in schema])


def _cast_for(field: pa.Field) -> str | None:
    name = _pg_type(field)
    if name in _CASTS:
        return _CASTS[name]
    return None if name != "bpchar" and _is_plain(field.type) else "{}::text"


def _pg_type(field: pa.Field) -> str:
    return str((field.metadata or {}).get(b"POSTGRESQL:type", b"unknown").decode())


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        types.is_signed_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_string(kind)
        or types.is_date32(kind)
        or (types.is_timestamp(kind) and kind.tz is not None)
        or kind == pa.uuid()
    )


@contextmanager
def _translated(endpoint: Endpoint) -> Iterator[None]:
    """Turn the errors of ADBC and Arrow into ours."""
    try:
        yield
    except (adbc_driver_manager.Error, OSError, pa.ArrowException) as error:
        raise _as_ours(error, endpoint) from error


def _as_ours(error: Exception, endpoint: Endpoint) -> WarehouseError:
    text = str(error)
    broken = any(mark in text for mark in _MARKS_OF_A_BROKEN_CONNECTION)
    message = text.rpartition("ERROR:")[2] or text
    found = " at ".join(line.strip() for line in message.splitlines()[:2] if line.strip())
    # Arrow passes the message of the driver on, and not its SQLSTATE.
    sqlstate = getattr(error, "sqlstate", None) or (
        _TIME_LIMIT if "statement timeout" in text else ""
    )
    if broken:
        return WarehouseUnreachable(
            "the connection to the warehouse broke", found=found, action="try again"
        )
    return refusal("the query does not run", found, sqlstate, endpoint.settings)
