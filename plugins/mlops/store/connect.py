"""The way into the store: connections and transactions, with the errors of the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import resources
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mlops.errors import (
    StoreConflict,
    StoreError,
    StoreNotMigrated,
    StoreTimeout,
    StoreUnreachable,
)
from mlops.postgres_errors import Remedy, advise
from mlops.postgres_session import Endpoint, SessionSettings
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


def make_engine(url: str) -> Engine:
    """An engine without a pool for any URL that libpq reads: a task opens one connection and ends.

    SQLAlchemy decodes a URL otherwise than libpq does, so it is given the keywords. Each
    transaction begins with the settings of :mod:`mlops.postgres_session`, and nothing is prepared
    by name, since a pooler may give the next transaction another session.

    :raises StoreError: libpq cannot read the URL; the error does not show it, since it may hold a
        password.
    """
    endpoint = endpoint_of(url)
    engine = create_engine(
        "postgresql+psycopg://",
        poolclass=NullPool,
        # A role or a database may have other defaults.
        execution_options={
            "isolation_level": "READ COMMITTED",
            "postgresql_readonly": False,
            "postgresql_deferrable": False,
        },
        # It would look a type up before the first transaction.
        use_native_hstore=False,
        connect_args={"prepare_threshold": None, **endpoint.parameters},
    )

    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(endpoint.settings.begin.encode())

    event.listen(engine, "begin", begin)
    return engine


def endpoint_of(url: str) -> Endpoint:
    """Where the store is, by its URL.

    :raises StoreError: libpq cannot read it.
    """
    try:
        return Endpoint.of(url)
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
        self._endpoint = endpoint_of(url)
        self._is_current = False

    @cached_property
    def engine(self) -> Engine:
        """An engine without a pool."""
        return make_engine(self._url)

    @property
    def libpq_url(self) -> str:
        """The URL as libpq spells it, with its password and without settings of sessions."""
        return self._endpoint.url

    @property
    def place(self) -> str:
        """Where the store is, without its password."""
        return self._endpoint.place

    @property
    def settings(self) -> SessionSettings:
        """What each transaction begins with."""
        return self._endpoint.settings

    def scrub(self, message: str) -> str:
        """A driver's message without the secrets of the connection."""
        return self._endpoint.scrub(message)

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
        # A transaction holds the lock, since a pooler keeps no lock of a session. It reads and
        # writes nothing while the block lasts, so it holds back the clean-up of no table.
        with self._translated(), self.engine.connect() as connection:
            self._require_revision(connection)
            taken = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
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
            advice = advise(state or None, self.settings)
            if advice.time_limit:
                raise StoreTimeout(
                    f"a transaction of the store at {self.place} was undone",
                    found=f"{advice.note} ({self._first_line(error)})",
                    action=advice.action,
                ) from error
            conflict = _CONFLICTS.get(state)
            if conflict is not None:
                raise StoreConflict(
                    f"a transaction of the store at {self.place} was undone",
                    found=f"{conflict} ({self._first_line(error)})",
                    expected="a turn of its own",
                    action="try again; nothing of it was kept",
                ) from error
            if advice.remedy is not Remedy.RETRY:
                raise self._refused(error) from error
            # The driver's own error may show a part of the connection's parameters.
            raise StoreUnreachable(
                f"the store at {self.place} cannot be reached",
                found=self._first_line(error),
                expected="a running Postgres that accepts the connection 'mlops_store'",
                action="check the connection and the server; the task may be retried",
            ) from None
        except DBAPIError as error:
            raise self._refused(error) from error

    def _refused(self, error: DBAPIError) -> StoreError:
        """The error of a statement that the database refuses."""
        advice = advise(getattr(error.orig, "sqlstate", None) or "", self.settings)
        asks = advice.remedy is Remedy.ASK_ADMINISTRATOR
        return StoreError(
            f"the store at {self.place} refused a statement",
            found=self._first_line(error),
            action=advice.action if asks else None,
        )

    def _first_line(self, error: DBAPIError) -> str:
        message = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        return self.scrub(message)

    def _waited_too_long(self, error: OperationalError) -> StoreConflict:
        """The error of a wait for a lock, with the sessions that may hold it."""
        with self.engine.connect() as connection:
            holders = connection.execute(text(_HOLDERS)).scalars().all()
        return StoreConflict(
            f"a transaction of the store at {self.place} was undone",
            found=f"a lock that is held by {', '.join(holders) or 'a session that has ended'} "
            f"({self._first_line(error)})",
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
