"""Making the store's tables, and the rights of the role that the tasks use."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import insert

from mlops.errors import StoreError, StoreUnreachable
from mlops.store import fact_digests, ledger
from mlops.store.connect import Store, head_revision
from mlops.store.migrate import alembic_config, upgrade
from mlops.store.tables import Base, NoticeRow

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres

TASKS = "mlops_tasks"
AT = datetime(2026, 3, 14, tzinfo=UTC)
TABLES = {table.name for table in Base.metadata.sorted_tables}


def name_of(url: str) -> str:
    """The database that a URL names."""
    return url.rpartition("/")[2]


def as_role(postgres: EmbeddedPostgres, url: str, role: str) -> str:
    """The URL of the same database for another role, which is made if need be."""
    postgres.ensure_role(role)
    return postgres.url(name_of(url), user=role)


def rights(url: str, role: str) -> dict[str, set[str]]:
    """What a role may do to each table of the schema, by any way."""
    query = (
        "SELECT c.relname, p.name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER'])"
        " AS p(name)"
        " WHERE n.nspname = 'mlops' AND c.relkind = 'r'"
        " AND (has_table_privilege(%(role)s, c.oid, p.name)"
        " OR (p.name = 'INSERT' AND has_any_column_privilege(%(role)s, c.oid, 'INSERT')))"
    )
    found: dict[str, set[str]] = {}
    with psycopg.connect(url) as connection:
        for table, right in connection.execute(query, {"role": role}).fetchall():
            found.setdefault(table, set()).add(right)
    return found


def contents(url: str) -> list[tuple[str, ...]]:
    """Everything that the catalogue knows about the schema."""
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity"
        " FROM information_schema.columns WHERE table_schema = 'mlops'",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'mlops'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'mlops'::regnamespace",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT version_num FROM mlops.alembic_version",
    )
    with psycopg.connect(url) as connection:
        return [row for query in queries for row in sorted(connection.execute(query), key=str)]


def test_an_empty_database_gets_all_tables_and_twice_changes_nothing(database: str) -> None:
    assert upgrade(database) == head_revision()
    first = contents(database)
    assert {row[0] for row in first} >= TABLES | {"alembic_version"}
    assert upgrade(database) == head_revision()
    assert contents(database) == first


def test_facts_stay_when_upgrade_runs_again(database: str) -> None:
    upgrade(database)
    with Store(database).engine.begin() as connection:
        ledger.append(connection, actor="bea", action="a.b", subject="c", payload={})
    upgrade(database)
    with Store(database).engine.connect() as connection:
        assert ledger.verify(connection) == (1, None)


def test_nothing_of_the_customer_s_is_touched(database: str) -> None:
    """The store may stand in the warehouse's own database."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE public.ledger (id int); CREATE TABLE public.spec (id int)")
    upgrade(database)
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
    assert sorted(found) == [("ledger",), ("spec",)]


def test_the_tasks_may_read_and_add_and_nothing_else(
    postgres: EmbeddedPostgres, database: str
) -> None:
    postgres.ensure_role(TASKS)
    with psycopg.connect(database) as connection:
        connection.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {}").format(
                sql.Identifier(TASKS)
            )
        )
    for _ in range(2):
        upgrade(database, task_role=TASKS)
        assert rights(database, TASKS) == {
            **{table: {"SELECT", "INSERT"} for table in TABLES},
            "alembic_version": {"SELECT"},
            "ledger_guard": {"SELECT"},
        }
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(as_role(postgres, database, TASKS)) as connection, refused:
        connection.execute("CREATE TABLE mlops.own (id int)")


def test_a_role_that_is_missing_is_named_with_what_to_grant(database: str) -> None:
    with pytest.raises(StoreError) as raised:
        upgrade(database, task_role="nobody_made_this")
    assert str(raised.value) == (
        "role 'nobody_made_this' of the tasks; found no such role; "
        "expected a role that the connection mlops_store uses; "
        "what to do: as an administrator: "
        "CREATE ROLE nobody_made_this LOGIN PASSWORD '…', then run db upgrade again."
    )
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT to_regnamespace('mlops')").fetchone()
    assert found == (None,), "half a migration stays"


def test_a_role_whose_name_needs_quotes_is_granted_no_more(
    postgres: EmbeddedPostgres, database: str
) -> None:
    role = 'tasks"; DROP SCHEMA mlops CASCADE; --'
    postgres.ensure_role(role)
    upgrade(database, task_role=role)
    assert rights(database, role)["ledger"] == {"SELECT", "INSERT"}


@pytest.mark.parametrize("how", ["the owner", "a superuser", "a member of the owner"])
def test_tasks_that_could_do_what_the_owner_can_are_refused(
    postgres: EmbeddedPostgres, database: str, how: str
) -> None:
    owner = as_role(postgres, database, "store_owner")
    postgres.ensure_role("deputy")
    with psycopg.connect(database) as connection:
        name = sql.Identifier(name_of(database))
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO store_owner").format(name))
        grant = "GRANT" if how == "a member of the owner" else "REVOKE"
        way = "TO" if grant == "GRANT" else "FROM"
        connection.execute(f"{grant} store_owner {way} deputy")
    role = {"the owner": "store_owner", "a superuser": "postgres"}.get(how, "deputy")
    with pytest.raises(StoreError) as raised:
        upgrade(owner, task_role=role)
    assert str(raised.value) == (
        f"role '{role}' of the tasks; "
        "found a role that may do all that the owner of the ledger may; "
        "expected a role of its own, which can add to the ledger and never change it; "
        "what to do: name another role, and let the connection mlops_store use that one."
    )


def test_the_owner_is_refused_as_well_where_an_administrator_upgrades(
    postgres: EmbeddedPostgres, database: str
) -> None:
    owner = as_role(postgres, database, "store_owner")
    postgres.ensure_role(TASKS)
    with psycopg.connect(database) as connection:
        name = sql.Identifier(name_of(database))
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO store_owner").format(name))
    upgrade(owner, task_role=TASKS)
    with pytest.raises(StoreError, match="may do all that the owner of the ledger may"):
        upgrade(database, task_role="store_owner")
    assert upgrade(database, task_role=TASKS) == head_revision()


def test_a_role_that_may_not_make_the_schema_says_what_an_administrator_must_grant(
    postgres: EmbeddedPostgres, database: str
) -> None:
    url = as_role(postgres, database, "beginner")
    with pytest.raises(StoreError) as raised:
        upgrade(url)
    message = str(raised.value)
    assert type(raised.value) is StoreError
    assert f"permission denied for database {name_of(database)}" in message
    assert "what to do: as an administrator: GRANT CREATE ON DATABASE" in message
    assert "CREATE SCHEMA mlops AUTHORIZATION" in message


@pytest.mark.parametrize(
    "grant",
    ["GRANT CREATE ON DATABASE {database} TO {role}", "CREATE SCHEMA mlops AUTHORIZATION {role}"],
    ids=["create on the database", "a schema of its own"],
)
def test_what_the_message_asks_for_is_enough(
    postgres: EmbeddedPostgres, database: str, grant: str
) -> None:
    url = as_role(postgres, database, "maker")
    postgres.ensure_role(TASKS)
    with psycopg.connect(database) as connection:
        connection.execute(
            sql.SQL(grant).format(
                database=sql.Identifier(name_of(database)), role=sql.Identifier("maker")
            )
        )
    for _ in range(2):
        assert upgrade(url, task_role=TASKS) == head_revision()
    assert rights(database, TASKS)["ledger"] == {"SELECT", "INSERT"}


def test_a_server_that_is_not_there_is_worth_a_retry() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(StoreUnreachable) as raised:
        upgrade(f"postgresql://owner:secret@127.0.0.1:{port}/warehouse")
    assert raised.value.retryable
    assert "secret" not in str(raised.value)


def test_the_names_of_the_migrations_say_which_is_the_last_one() -> None:
    """Each transaction compares revisions, so the newest one is read off without Alembic."""
    script = ScriptDirectory.from_config(alembic_config())
    assert head_revision() == script.get_current_head()
    for revision in script.walk_revisions():
        assert Path(revision.path).name.startswith(f"{revision.revision}_")


# In the place of the lock that a later revision brings.
NO_LOCK = "CREATE FUNCTION mlops.lock_ledger() RETURNS void LANGUAGE sql AS 'SELECT'"


def at_revision(url: str, revision: str) -> None:
    """A store as an earlier version of the library made it."""
    with Store(url).engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA mlops")
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.mark.parametrize("revision", ["0002", "0003"])
def test_a_store_of_an_earlier_revision_is_upgraded_with_what_it_holds(
    postgres: EmbeddedPostgres, database: str, revision: str
) -> None:
    """Entries without a fact, and notices, stay as they are; the tasks keep what they may do."""
    postgres.ensure_role(TASKS)
    at_revision(database, revision)
    with psycopg.connect(database) as connection:
        name = sql.Identifier(TASKS)
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA mlops TO {}").format(name))
        connection.execute(
            sql.SQL("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA mlops TO {}").format(name)
        )
        connection.execute("REVOKE INSERT ON mlops.alembic_version FROM mlops_tasks")
    notice = {"subject": "g", "kind": "read", "told": [], "text": "Approve", "told_at": AT}
    with Store(database).engine.begin() as connection:
        connection.exec_driver_sql(NO_LOCK)
        connection.execute(insert(NoticeRow), [notice])
        fact = fact_digests.reference(NoticeRow.__table__, notice)
        for action, payload in (
            ("run.started", {"user_id": "7", "user_name": "bea"}),
            ("version.confirmed", {"key": "k", "run": {}}),
            ("signature.read", {"gate": "g", "answer": "Approve", "fact": fact}),
        ):
            ledger.append(connection, actor="bea", action=action, subject="s", payload=payload)
        before = list(ledger.entries(connection))
        connection.exec_driver_sql("DROP FUNCTION mlops.lock_ledger()")
    assert upgrade(database) == head_revision()
    assert rights(database, TASKS) == {
        **{table: {"SELECT", "INSERT"} for table in TABLES},
        "alembic_version": {"SELECT"},
        "ledger_guard": {"SELECT"},
    }
    with Store(database).engine.connect() as connection:
        assert ledger.verify(connection) == (3, None)
        assert list(ledger.entries(connection)) == before


@pytest.mark.parametrize("table", ["confirmation", "run_start", "response_read"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {} = {}"])
def test_the_newer_tables_take_inserts_only(database: str, table: str, statement: str) -> None:
    """For their owner as well."""
    upgrade(database)
    column = next(iter(Base.metadata.tables[f"mlops.{table}"].columns)).name
    with psycopg.connect(database) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
            connection.execute(statement.format(f"mlops.{table}", column, column))
        connection.rollback()
    verb = statement.partition(" ")[0]
    assert str(raised.value).startswith(f"the table {table} is append-only: {verb} is refused")


ENTRY = {"actor": "bea", "action": "signature.given", "subject": "late/v1", "payload": {}}


def append_as(postgres: EmbeddedPostgres, url: str, role: str, **changed: Any) -> None:
    """Append an entry as a role does."""
    with Store(as_role(postgres, url, role)).transaction() as transaction:
        transaction.note(**{**ENTRY, **changed})


def test_only_the_role_of_the_api_server_appends_approvals(
    postgres: EmbeddedPostgres, database: str
) -> None:
    for role in (TASKS, "mlops_api"):
        postgres.ensure_role(role)
    upgrade(database, task_role=TASKS)
    append_as(postgres, database, TASKS)
    for _ in range(2):
        upgrade(database, task_role=TASKS, api_role="mlops_api")
    append_as(postgres, database, "mlops_api")
    append_as(postgres, database, TASKS, action="signature.refused")
    for role in (TASKS, "postgres"):
        with pytest.raises(StoreError, match=f"role {role} may not append signature.given"):
            append_as(postgres, database, role)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT api_roles FROM mlops.ledger_guard").fetchall()
    assert found == [(["mlops_api"],)]
    assert rights(database, "mlops_api") == rights(database, TASKS)


@pytest.mark.parametrize("role", [TASKS, "mlops_api"])
def test_no_role_but_the_owners_registers_a_key(
    postgres: EmbeddedPostgres, database: str, role: str
) -> None:
    for name in (TASKS, "mlops_api"):
        postgres.ensure_role(name)
    upgrade(database, task_role=TASKS, api_role="mlops_api")
    with pytest.raises(StoreError, match="keys are for the owner of the ledger"):
        append_as(postgres, database, role, action="key.registered")
    append_as(postgres, database, "postgres", action="key.registered")


def test_tasks_and_api_server_cannot_share_a_role(
    postgres: EmbeddedPostgres, database: str
) -> None:
    postgres.ensure_role(TASKS)
    with pytest.raises(StoreError, match="found the role of the tasks"):
        upgrade(database, task_role=TASKS, api_role=TASKS)
