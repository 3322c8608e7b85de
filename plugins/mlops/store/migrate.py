"""Make or upgrade the store's schema, and the role that the tasks use."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from mlops.errors import StoreError, StoreUnreachable
from mlops.store.connect import head_revision, make_engine
from mlops.store.tables import SCHEMA


def upgrade(url: str, *, task_role: str | None = None) -> str:
    """Bring the store to the newest revision; run twice, it changes nothing.

    :param url: Postgres URL of a role that owns the schema, or may create it.
    :param task_role: role of the tasks; it gets SELECT and INSERT, never UPDATE or DELETE.
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
                _grant(connection, task_role)
    except OperationalError as error:
        raise StoreUnreachable(
            "the store cannot be reached",
            found=" ".join(str(error.orig).split()),
            expected="a running Postgres that accepts the URL or the connection",
            action="check the URL and the server, and run db upgrade again",
        ) from error
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


def _grant(connection: Connection, role: str) -> None:
    """The tasks read everything and add facts; nothing of theirs can change or remove one."""
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        if not cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            raise StoreError(
                f"role '{role}' of the tasks",
                found="no such role",
                expected="a role that the connection mlops_store uses",
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
                f"role '{role}' of the tasks",
                found="a role that may do all that the owner of the ledger may",
                expected="a role of its own, which can add to the ledger and never change it",
                action="name another role, and let the connection mlops_store use that one",
            )
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
            "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "REVOKE INSERT ON {schema}.alembic_version FROM {role}",
        ):
            cursor.execute(
                sql.SQL(statement).format(schema=sql.Identifier(SCHEMA), role=sql.Identifier(role))
            )
