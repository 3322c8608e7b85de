"""How we talk to the warehouse: one set of session settings, one translation of its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mlops.errors import DuplicateKey, QueryError, WarehouseError, WarehouseUnreachable

Connection = psycopg.Connection[tuple[Any, ...]]

# Reading is one read-only transaction. Compiling a query costs more than it saves when aggregates
# are many and short; UTC makes date_trunc and casts to date give the same on every server; sorts
# of a snapshot fit into memory more often, and a larger setting of the server's own stays.
READ_SETTINGS = """\
SET LOCAL jit = off;
SET LOCAL timezone = 'UTC';
SELECT set_config('work_mem', '64MB', true)
WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"""

# Classes of SQLSTATE where a second try may succeed: connection, a transaction that was in
# another one's way (a deadlock), resources, shutdown.
_PASSING = ("08", "40", "53", "57P")
_PREFIX = re.compile(r"^.*?(connection failed|failed to connect): ", re.IGNORECASE)


@contextmanager
def read_only_transaction(url: str, *, what: str) -> Iterator[Connection]:
    """A read-only transaction that sees one state of the data from its first to its last query.

    :param what: what is read, as errors name it.
    :raises WarehouseUnreachable: no connection, or one that broke.
    :raises QueryError: SQL that does not run.
    """
    with connected(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with translated(what):
            connection.execute(READ_SETTINGS)
            yield connection


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that is closed at the end; what was not committed is rolled back.

    :param url: of the form ``postgresql://user:password@host:port/database``.
    :raises WarehouseUnreachable: no connection.
    """
    try:
        connection = psycopg.connect(url)
    except psycopg.Error as error:
        raise unreachable(url, str(error)) from error
    try:
        yield connection
    finally:
        connection.close()


def advisory_lock(connection: Connection, name: str, *, shared: bool = False) -> None:
    """Wait for every other transaction that took this name; the next one waits for this.

    :param shared: whether others that share the name need not wait.
    """
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [name])


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the driver's errors into ours.

    :param what: what was read or written, as errors name it.
    """
    try:
        yield
    except psycopg.Error as error:
        raise as_ours(what, error) from error


def as_ours(what: str, error: psycopg.Error) -> WarehouseError:
    """Our error for one of psycopg's."""
    detail = error.diag.message_detail
    found = " ".join((error.diag.message_primary or str(error)).split())
    if detail:
        found = f"{found} ({detail})"
    is_broken = error.sqlstate is None and isinstance(error, psycopg.OperationalError)
    if is_broken or is_passing(error.sqlstate):
        return WarehouseUnreachable(what, found=found, action="try again")
    kind = DuplicateKey if isinstance(error, psycopg.errors.UniqueViolation) else QueryError
    return kind(what, found=found, action="correct the SQL, or the role's rights")


def is_passing(sqlstate: str | None) -> bool:
    """Whether a second try may succeed where this SQLSTATE was given."""
    return sqlstate is not None and sqlstate.startswith(_PASSING)


def unreachable(url: str, found: str) -> WarehouseUnreachable:
    """Our error for a server that does not answer; it never shows a password."""
    return WarehouseUnreachable(
        f"no connection to the warehouse {server_of(url)}",
        found=" ".join(_PREFIX.sub("", found).split()),
        action="see that the server runs and that the connection's host, user and password hold",
    )


def server_of(url: str) -> str:
    """``host:port/database`` of a connection URL, without user and password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "(an address that libpq cannot read)"
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', '')}"
