"""The way into the store: connections and transactions, with the errors of the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import resources
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mlops.errors import (
    StoreConflict,
    StoreError,
    StoreNotMigrated,
    StoreUnreachable,
)
from mlops.postgres_url import libpq_parameters, postgres_url
from mlops.store.tables import SCHEMA
from mlops.store.transaction import Transaction
from mlops.trust import Trust

# SQLSTATEs of a transaction that was undone for the sake of another one: psycopg counts them
# among its operational errors, as it does a server that cannot be reached.
_CONFLICTS = {
    "40001": "changes that another transaction made at the same time",
    "40P01": "a deadlock: two transactions that waited for one another",
}
_LOCK_NOT_AVAILABLE = "55P03"
# Sessions of this database that hold a lock of ours and wait for none. The guard's row is locked
# by the owner's function, so a table lock of this kind is held by each one that called it.
_HOLDERS = """
    SELECT 'process ' || a.pid || ' of role ' || a.usename
        || CASE WHEN a.application_name > '' THEN ' (' || a.application_name || ')' ELSE '' END
    FROM pg_stat_activity AS a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND EXISTS (
        SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.granted AND (
            l.locktype = 'advisory'
            OR l.relation = to_regclass('mlops.ledger_guard') AND l.mode = 'RowShareLock'
        )
    ) AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND NOT l.granted)
    ORDER BY a.pid
"""


def make_engine(url: str, *, settings: str = "") -> Engine:
    """An engine without a pool for any URL that libpq reads: a task opens one connection and ends.

    SQLAlchemy decodes a URL otherwise than libpq does, so it is given the keywords.

    :param settings: command-line options for the server, added to those of the URL.
    :raises StoreError: libpq cannot read the URL; the error does not show it, since it may hold a
        password.
    """
    parameters = parameters_of(url)
    options = " ".join(part for part in (parameters.get("options"), settings) if part)
    if options:
        parameters["options"] = options
    return create_engine(
        "postgresql+psycopg://",
        poolclass=NullPool,
        connect_args={"connect_timeout": 10, **parameters},
    )


def parameters_of(url: str) -> dict[str, Any]:
    """The libpq keywords of the store's URL.

    :raises StoreError: libpq cannot read it.
    """
    try:
        return libpq_parameters(url)
    except ValueError:
        raise StoreError(
            "the URL of the store",
            found="something else",
            expected="postgresql://user:password@host:port/database",
        ) from None


@cache
def head_revision() -> str:
    """The revision that this code needs: of its migrations the last one.

    Each transaction asks, so the names of the files answer, and Alembic is not loaded for it.
    """
    files = (resources.files("mlops.store") / "migrations" / "versions").iterdir()
    revisions = [file.name.partition("_")[0] for file in files if file.name.endswith(".py")]
    known = [revision for revision in revisions if revision]
    if not known:
        raise StoreError("no migration is installed", action="reinstall the plugin")
    return max(known)


class Store:
    """Our tables at one database URL.

    :param url: a Postgres URL of a role with SELECT and INSERT on schema ``mlops``.
    :param trust: which approvals count for those who read it; by default none does.
    """

    def __init__(self, url: str, *, trust: Trust | None = None) -> None:
        self.trust = trust or Trust()
        self._url = url
        self._parameters = parameters_of(url)
        self._is_current = False

    @cached_property
    def engine(self) -> Engine:
        """An engine without a pool."""
        return make_engine(self._url, settings="-c timezone=UTC")

    @property
    def libpq_url(self) -> str:
        """The URL as libpq spells it, with its password."""
        return postgres_url(self._parameters)

    @property
    def place(self) -> str:
        """Where the store is, without its password."""
        found = self._parameters
        return f"{found.get('host')}:{found.get('port', 5432)}/{found.get('dbname', '')}"

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: all of it or nothing.

        :raises StoreUnreachable: no connection.
        :raises StoreConflict: another transaction was in the way; all of this one is undone.
        :raises StoreNotMigrated: the schema is missing or of another revision.
        """
        with self._translated(), self.engine.connect() as connection:
            self._require_revision(connection)
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield Transaction(session, self.trust)

    @contextmanager
    def try_lock(self, name: str) -> Iterator[bool]:
        """Whether this process alone is in a block of this name; no other enters until it ends.

        :raises StoreUnreachable, StoreNotMigrated: as for a transaction.
        """
        with self._translated():
            # A lock of the connection, not of a transaction, which would hold back the clean-up
            # of every table for as long as the block lasts.
            engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                self._require_revision(connection)
                taken = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
                yield bool(connection.execute(taken, {"name": name}).scalar())

    def _require_revision(self, connection: Connection) -> None:
        """Look, until it is so, whether the tables are of this code's revision."""
        if self._is_current:
            return
        found = _revision(connection)
        if found != head_revision():
            raise StoreNotMigrated(
                f"the store at {self.place}",
                found=f"revision {found}" if found else "no tables of mlops",
                expected=f"revision {head_revision()}",
                action="run: python -m mlops db upgrade",
            )
        # The caller's transaction begins after this one.
        connection.rollback()
        self._is_current = True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            if state == _LOCK_NOT_AVAILABLE:
                raise self._waited_too_long(error) from error
            conflict = _CONFLICTS.get(state)
            if conflict is not None:
                raise StoreConflict(
                    f"a transaction of the store at {self.place} was undone",
                    found=f"{conflict} ({_first_line(error)})",
                    expected="a turn of its own",
                    action="try again; nothing of it was kept",
                ) from error
            raise StoreUnreachable(
                f"the store at {self.place} cannot be reached",
                found=_first_line(error),
                expected="a running Postgres that accepts the connection 'mlops_store'",
                action="check the connection and the server; the task may be retried",
            ) from error
        except DBAPIError as error:
            raise StoreError(
                f"the store at {self.place} refused a statement", found=_first_line(error)
            ) from error

    def _waited_too_long(self, error: OperationalError) -> StoreConflict:
        """The error of a wait for a lock, with the sessions that may hold it."""
        with self.engine.connect() as connection:
            holders = connection.execute(text(_HOLDERS)).scalars().all()
        return StoreConflict(
            f"a transaction of the store at {self.place} was undone",
            found=f"a lock that is held by {', '.join(holders) or 'a session that has ended'} "
            f"({_first_line(error)})",
            expected="a turn of its own",
            action="try again; nothing of it was kept. A session that keeps the lock can be ended "
            "by an administrator: SELECT pg_terminate_backend(<process>)",
        )


def _revision(connection: Connection) -> str | None:
    """The revision of the store; None where it has no tables of ours."""
    table = f"{SCHEMA}.alembic_version"
    if connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar() is None:
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()
    return found


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else str(error)
