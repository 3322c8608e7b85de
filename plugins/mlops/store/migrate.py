"""Make or upgrade the store's schema, and the roles that the tasks and the API server use."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from mlops.errors import StoreError, StoreUnreachable
from mlops.store.connect import endpoint_of, head_revision, make_engine
from mlops.store.tables import SCHEMA, LedgerGuardRow

# To the roles that add facts: all but the numbers that the database gives.
_INSERT = """
    SELECT c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position)
    FROM information_schema.columns AS c
    WHERE c.table_schema = %(schema)s AND c.is_identity = 'NO'
        AND NOT c.table_name = ANY (%(closed)s)
    GROUP BY c.table_name
"""
_NUMBERED = """
    SELECT DISTINCT table_name FROM information_schema.columns
    WHERE table_schema = %(schema)s AND is_identity = 'YES'
"""
# Settings of the store itself, which only its owner writes.
_CLOSED = ("alembic_version", LedgerGuardRow.__tablename__)


def upgrade(url: str, *, task_role: str | None = None, api_role: str | None = None) -> str:
    """Bring the store to the newest revision; run twice, it changes nothing.

    :param url: Postgres URL of a role that owns the schema, or may create it.
    :param task_role: role of the tasks; it gets SELECT and INSERT, never UPDATE or DELETE.
    :param api_role: role of the API server; it gets the same, and from then on such roles alone
        may append approvals to the ledger.
    :return: the revision that the store has now.
    :raises StoreUnreachable: no connection.
    :raises StoreError: the role may not create the schema; the message names what to grant.
    """
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            # Postgres asks for the right to create a schema even where the schema is there.
            if SCHEMA not in inspect(connection).get_schema_names():
                connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if task_role is not None:
                _grant(connection, task_role, "the tasks", "mlops_store")
            if api_role is not None:
                _grant(connection, api_role, "the API server", "in [mlops] api_store_url_file")
                _let_approve(connection, api_role, task_role)
    except OperationalError as error:
        raise StoreUnreachable(
            "the store cannot be reached",
            found=endpoint_of(url).scrub(" ".join(str(error.orig).split())),
            expected="a running Postgres that accepts the URL or the connection",
            action="check the URL and the server, and run db upgrade again",
        ) from None
    except ProgrammingError as error:
        raise StoreError(
            "the store's schema cannot be made",
            found=str(error.orig).strip().splitlines()[0],
            action="as an administrator: GRANT CREATE ON DATABASE … TO …, "
            f"or CREATE SCHEMA {SCHEMA} AUTHORIZATION <the role that runs db upgrade>",
        ) from error
    return head_revision()


def alembic_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", "mlops.store:migrations")
    return config


def _grant(connection: Connection, role: str, whose: str, used_by: str) -> None:
    """A role reads everything and adds facts; it can change or remove none."""
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        if not cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            raise StoreError(
                f"role '{role}' of {whose}",
                found="no such role",
                expected=f"a role that the connection {used_by} uses",
                action=f"as an administrator: CREATE ROLE {role} LOGIN PASSWORD '…', "
                "then run db upgrade again",
            )
        # The role that upgrades may be another one than the role that made the tables.
        powers = (
            "SELECT pg_has_role(%(role)s, current_user, 'MEMBER') OR "
            "bool_or(pg_has_role(%(role)s, relowner, 'MEMBER')) FROM pg_class "
            "WHERE relnamespace = to_regnamespace(%(schema)s)"
        )
        found = cursor.execute(powers, {"role": role, "schema": SCHEMA}).fetchone()
        if found == (True,):
            raise StoreError(
                f"role '{role}' of {whose}",
                found="a role that may do all that the owner of the ledger may",
                expected="a role of its own, which can add to the ledger and never change it",
                action=f"name another role, and let the connection {used_by} use that one",
            )
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "GRANT EXECUTE ON FUNCTION {schema}.lock_ledger() TO {role}",
        ):
            cursor.execute(
                sql.SQL(statement).format(schema=sql.Identifier(SCHEMA), role=sql.Identifier(role))
            )
        _grant_insert(cursor, role)


def _grant_insert(cursor: Any, role: str) -> None:
    names = {"schema": SCHEMA, "closed": list(_CLOSED)}
    numbered = {table for (table,) in cursor.execute(_NUMBERED, names).fetchall()}
    for table, columns in cursor.execute(_INSERT, names).fetchall():
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        which = sql.SQL(" ({})").format(listed) if table in numbered else sql.SQL("")
        cursor.execute(
            sql.SQL("GRANT INSERT{} ON {} TO {}").format(
                which, sql.Identifier(SCHEMA, table), sql.Identifier(role)
            )
        )


def _let_approve(connection: Connection, api_role: str, task_role: str | None) -> None:
    """From now on such roles alone append approvals.

    :raises StoreError: it is the role of the tasks.
    """
    if api_role == task_role:
        raise StoreError(
            f"role '{api_role}' of the API server",
            found="the role of the tasks",
            expected="another role, so that no task can append an approval",
            action="as an administrator make a role of its own, and run db upgrade again",
        )
    connection.execute(
        text(
            "UPDATE mlops.ledger_guard SET api_roles = api_roles || to_jsonb(CAST(:role AS text)) "
            "WHERE NOT jsonb_exists(api_roles, :role)"
        ),
        {"role": api_role},
    )
