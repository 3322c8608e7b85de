"""The columns that a query returns, by their names and types; the query is not run."""

from __future__ import annotations

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from mlops.errors import QueryError
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.session import Connection, read_only_transaction, type_names
from mlops.warehouse.records import Column


def describe(url: str, sql: str) -> tuple[Column, ...]:
    """Return the columns that a query would return; it is parsed and not run.

    :raises WarehouseUnreachable: no connection.
    :raises QueryError: SQL that Postgres refuses.
    """
    with read_only_transaction(url, what="the query cannot be read") as connection:
        text = POSTGRES.statement(sql)
        found = prepare_reading(connection, text)
        names = type_names(connection, [found.ftype(i) for i in range(found.nfields)])
    return tuple(
        Column(name=(found.fname(i) or b"").decode(), type=name) for i, name in enumerate(names)
    )


def prepare_reading(connection: Connection, sql: str) -> PGresult:
    """Have Postgres describe a text, and refuse all but one statement that only reads.

    :raises QueryError: it is another statement, or more than one.
    """
    with connection.sql_file_names():
        found = _prepared(connection.pgconn, sql)
        if not found.nfields:
            raise QueryError(
                "the SQL returns no columns",
                found=_first_line(sql),
                expected="one SELECT that names its columns",
            )
        _require_reading(connection.pgconn, sql)
    return found


def _require_reading(pgconn: PGconn, sql: str) -> None:
    """Have Postgres check that a statement, which it has parsed, does nothing but read.

    Only such a statement can be a part of another one.
    """
    found = pgconn.prepare(b"", f"SELECT 1 FROM (\n{sql}\n) AS rows_read".encode())
    if found.status != ExecStatus.COMMAND_OK:
        raise QueryError(
            "the SQL is not one SELECT",
            found=error_from_result(found).diag.message_primary,
            expected="one statement that only reads",
            action="keep one SELECT in the file, without INTO and without changes inside WITH",
        )


def _prepared(pgconn: PGconn, sql: str) -> PGresult:
    """Postgres' description of a statement that it has parsed."""
    found = pgconn.prepare(b"", sql.encode())
    if found.status == ExecStatus.COMMAND_OK:
        found = pgconn.describe_prepared(b"")
    if found.status != ExecStatus.COMMAND_OK:
        error = error_from_result(found)
        raise _at_its_line(error, sql) from error
    return found


def _at_its_line(error: psycopg.Error, sql: str) -> Exception:
    """Our error with the line that Postgres points to; where it points to none, its own error."""
    if error.diag.statement_position is None:
        return error
    number = sql[: int(error.diag.statement_position) - 1].count("\n")
    line = sql.split("\n")[number].strip()
    return QueryError(
        f"the SQL does not run, line {number + 1}: {line}",
        found=error.diag.message_primary,
        action=error.diag.message_hint or "correct the SQL",
    )


def _first_line(sql: str) -> str:
    return sql.strip().partition("\n")[0]
