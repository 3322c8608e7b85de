"""How we talk to the warehouse: one set of session settings, one translation of its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

from mlops.errors import (
    DuplicateKey,
    QueryError,
    WarehouseError,
    WarehouseTimeout,
    WarehouseUnreachable,
)
from mlops.postgres_errors import Remedy, advise
from mlops.postgres_session import Endpoint, SessionSettings

# Reading is one read-only transaction. Compiling a query costs more than it saves when aggregates
# are many and short; sorts of a snapshot fit into memory more often, and a larger setting of the
# server's own stays.
READ_SETTINGS = """\
SET LOCAL jit = off;
SELECT set_config('work_mem', '64MB', true)
WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"""

_PREFIX = re.compile(r"^.*?(connection failed|failed to connect): ", re.IGNORECASE)


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose transactions begin with the settings that they depend on.

    :ivar settings: see :class:`mlops.postgres_session.SessionSettings`.
    """

    settings: SessionSettings

    @contextmanager
    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,  # noqa: FBT001, FBT002 (as psycopg has it)
    ) -> Iterator[psycopg.Transaction]:
        """A transaction, or within one a savepoint."""
        is_outer = self.pgconn.transaction_status == TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as block:
            if is_outer:
                self.execute(self.settings.begin.encode())
            yield block

    @contextmanager
    def sql_file_names(self) -> Iterator[None]:
        """Look names up as the SQL that people write wants it, until the block ends.

        After an error the transaction has failed, and the search path ends with it.
        """
        self.execute(self.settings.use_search_path.encode())
        yield
        self.execute(self.settings.leave_search_path.encode())


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
        with translated(what, connection.settings), connection.transaction():
            connection.execute(READ_SETTINGS)
            yield connection


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that is closed at the end; what was not committed is rolled back.

    Nothing is prepared by name, since a pooler may give the next transaction another session.

    :param url: of the form ``postgresql://user:password@host:port/database``.
    :raises WarehouseUnreachable: no connection.
    """
    endpoint = endpoint_of(url)
    try:
        connection = Connection.connect(prepare_threshold=None, **endpoint.parameters)
    except psycopg.Error as error:
        raise unreachable(endpoint, error) from None
    connection.settings = endpoint.settings
    # Each is set explicitly: a role's own defaults may differ.
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    connection.read_only = False
    connection.deferrable = False
    try:
        yield connection
    finally:
        connection.close()


def endpoint_of(url: str) -> Endpoint:
    """Where a warehouse is, by its URL.

    :raises WarehouseError: libpq cannot read it; the error does not show it.
    """
    try:
        return Endpoint.of(url)
    except ValueError as error:
        raise WarehouseError(
            "the URL of the warehouse",
            found=error,
            expected="postgresql://user:password@host:port/database",
            action="correct the connection; a special character of a URL is written as %xx",
        ) from None


def execute_one(
    connection: Connection, text: str, *, binary: bool = False
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a text that holds SQL of a file, once Postgres has taken it as one statement.

    Our reading of SQL and that of Postgres may differ, and without parameters a text of several
    statements would run whole. Parameters are not sent, so a percent sign stays one.

    :raises psycopg.Error: Postgres refuses it; more than one statement is a syntax error.
    """
    found = connection.pgconn.prepare(b"", text.encode())
    if found.status != ExecStatus.COMMAND_OK:
        raise error_from_result(found)
    return connection.execute(text.encode(), binary=binary)


def type_names(connection: Connection, oids: Sequence[int]) -> list[str]:
    """The types of these numbers, as the SQL that people write would spell them."""
    with connection.sql_file_names():
        found = connection.execute(
            "SELECT pg_catalog.format_type(oid, NULL) FROM pg_catalog.unnest(%s::pg_catalog.oid[]) "
            "WITH ORDINALITY AS t (oid, at) ORDER BY at",
            [list(oids)],
        )
        return [name for (name,) in found]


def advisory_lock(connection: Connection, name: str, *, shared: bool = False) -> None:
    """Wait for every other transaction that took this name; the next one waits for this.

    :param shared: whether others that share the name need not wait.
    """
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [name])


@contextmanager
def translated(what: str, settings: SessionSettings | None = None) -> Iterator[None]:
    """Turn the driver's errors into ours.

    :param what: what was read or written, as errors name it.
    :param settings: of the session, for the error of a time limit.
    """
    try:
        yield
    except psycopg.Error as error:
        raise as_ours(what, error, settings) from error


def as_ours(
    what: str, error: psycopg.Error, settings: SessionSettings | None = None
) -> WarehouseError:
    """Our error for one of psycopg's."""
    detail = error.diag.message_detail
    found = " ".join((error.diag.message_primary or str(error)).split())
    if detail:
        found = f"{found} ({detail})"
    is_broken = error.sqlstate is None and isinstance(error, psycopg.OperationalError)
    if isinstance(error, psycopg.errors.UniqueViolation):
        return DuplicateKey(what, found=found, action="correct the SQL")
    return refusal(what, found, None if is_broken else error.sqlstate or "", settings)


def refusal(
    what: str, found: str, sqlstate: str | None, settings: SessionSettings | None = None
) -> WarehouseError:
    """Our error, of the kind that shows what can be done.

    :param sqlstate: None where the connection broke, empty where there is none.
    """
    advice = advise(sqlstate, settings or SessionSettings())
    if advice.time_limit:
        found = f"{advice.note} ({found})"
        return WarehouseTimeout(what, found=found, action=advice.action)
    kind = WarehouseUnreachable if advice.remedy is Remedy.RETRY else QueryError
    return kind(what, found=found, action=advice.action)


def unreachable(endpoint: Endpoint, error: Exception) -> WarehouseUnreachable:
    """Our error for a server that does not answer; it never shows a password."""
    return WarehouseUnreachable(
        f"no connection to the warehouse {endpoint.place}",
        found=endpoint.scrub(" ".join(_PREFIX.sub("", str(error)).split())),
        action="see that the server runs and that the connection's host, user and password hold",
    )
