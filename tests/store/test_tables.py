"""The migrated schema is the one that the code means, and the ledger only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Boolean, DateTime, Text, inspect
from sqlalchemy.dialects.postgresql import JSON

from mlops.store import ledger
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.tables import SCHEMA, Base, BatchRow, CaseRow, MeasurementRow

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres

TASKS = "mlops_tasks"
AT = datetime(2026, 3, 14, tzinfo=UTC)
ENTRY = {"actor": "bea", "action": "a.b", "subject": "c", "payload": {}}


@pytest.fixture(scope="module")
def owner(postgres: EmbeddedPostgres, module_database: str) -> str:
    """The URL of a store as the role that owns it, which is no superuser; two entries stand."""
    name = module_database.rpartition("/")[2]
    for role in ("tables_owner", TASKS):
        postgres.ensure_role(role)
    with psycopg.connect(module_database) as connection:
        connection.execute("CREATE SCHEMA mlops AUTHORIZATION tables_owner")
    url = postgres.url(name, user="tables_owner")
    upgrade(url, task_role=TASKS)
    with Store(url).engine.begin() as connection:
        for _ in range(2):
            ledger.append(connection, **ENTRY)
    return url


@pytest.fixture(scope="module")
def tasks(postgres: EmbeddedPostgres, owner: str) -> str:
    """The URL of the same store as the role that the tasks use."""
    return postgres.url(owner.rpartition("/")[2], user=TASKS)


def refusal(url: str, statement: str) -> str:
    """What the database says when it refuses a statement for want of a right."""
    with psycopg.connect(url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
            connection.execute(statement)
        connection.rollback()
    return str(raised.value)


def test_the_migrations_make_what_the_tables_say(owner: str) -> None:
    with Store(owner).engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": SCHEMA,
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_comparison_would_find_a_difference(owner: str) -> None:
    """The tables are really looked at: without one, the comparison says so."""
    with Store(owner).engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE mlops.ledger DROP COLUMN actor")
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
            },
        )
        found = compare_metadata(context, Base.metadata)
        connection.rollback()
    assert [(change[0], change[2]) for change in found if change[0] == "add_column"] == [
        ("add_column", "ledger")
    ]


def test_columns_are_of_few_kinds(owner: str) -> None:
    """Text is text, numbers are eight bytes, times have a zone; nothing is cut off or local."""
    allowed = (Text, BigInteger, Boolean, DateTime, JSON)
    with Store(owner).engine.connect() as connection:
        inspector = inspect(connection)
        for table in inspector.get_table_names(schema=SCHEMA):
            if table == "alembic_version":
                continue
            for column in inspector.get_columns(table, schema=SCHEMA):
                where = f"{table}.{column['name']}"
                assert isinstance(column["type"], allowed), where
                if isinstance(column["type"], DateTime):
                    assert column["type"].timezone, where


def test_keys_are_text_or_whole_numbers() -> None:
    """A ledger entry holds its fact's key as JSON, and compares it with the row's."""
    for table in Base.metadata.sorted_tables:
        kinds = {column.type.python_type for column in table.primary_key}
        assert kinds <= {str, int}, table.name


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops.ledger SET actor = 'nobody'",
        "UPDATE mlops.ledger SET actor = 'nobody' WHERE false",
        "DELETE FROM mlops.ledger",
        "TRUNCATE mlops.ledger",
        "TRUNCATE mlops.ledger, mlops.decision CASCADE",
        "INSERT INTO mlops.ledger SELECT * FROM mlops.ledger"
        " ON CONFLICT (seq) DO UPDATE SET actor = 'nobody'",
        "MERGE INTO mlops.ledger AS l USING mlops.ledger AS o ON l.seq = o.seq"
        " WHEN MATCHED THEN UPDATE SET actor = 'nobody'",
    ],
)
def test_the_ledger_only_grows(
    owner: str, tasks: str, module_database: str, statement: str
) -> None:
    """Refused by the rights of the tasks, and by the trigger for the owner and a superuser."""
    assert "permission denied" in refusal(tasks, statement)
    for url in (owner, module_database):
        assert refusal(url, statement).startswith("the ledger is append-only: ")
    with Store(owner).engine.connect() as connection:
        assert ledger.verify(connection)[1] is None


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE mlops.ledger DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON mlops.ledger",
        "DROP TABLE mlops.ledger",
        "ALTER TABLE mlops.ledger ADD COLUMN other int",
        "CREATE OR REPLACE FUNCTION mlops.ledger_is_append_only() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "UPDATE mlops.alembic_version SET version_num = '0'",
        "SELECT * FROM mlops.ledger FOR UPDATE",
        "LOCK TABLE mlops.ledger IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_the_tasks_cannot_take_the_guard_away(tasks: str, statement: str) -> None:
    assert refusal(tasks, statement)


@pytest.mark.parametrize("table", sorted(table.name for table in Base.metadata.sorted_tables))
def test_the_tasks_can_change_no_fact(tasks: str, table: str) -> None:
    columns = Base.metadata.tables[f"mlops.{table}"].columns
    column = next(column.name for column in columns if column.identity is None)
    for statement in (
        f'UPDATE mlops."{table}" SET "{column}" = "{column}"',
        f'DELETE FROM mlops."{table}"',
        f'TRUNCATE mlops."{table}" CASCADE',
    ):
        assert "permission denied for table" in refusal(tasks, statement)


def test_an_entry_that_the_tasks_forge_is_found(tasks: str) -> None:
    """They may add rows, and so also rows that no step wrote."""
    with Store(tasks).engine.connect() as connection:
        count, broken = ledger.verify(connection)
        connection.exec_driver_sql(
            "INSERT INTO mlops.ledger (seq, at, actor, action, subject, payload, prev_digest,"
            " digest) SELECT max(seq) + 1, now(), 'bea', 'version.signed', 'churn/v1', '{}',"
            " repeat('0', 64), repeat('0', 64) FROM mlops.ledger"
        )
        holding, found = ledger.verify(connection)
        connection.rollback()
    assert broken is None
    assert holding == count
    assert found is not None
    assert found.seq == count + 1


def test_the_tasks_can_write_facts_and_their_entries(tasks: str) -> None:
    values: dict[str, Any] = {
        "id": "written by the tasks",
        "model": "churn",
        "version": 1,
        "cause": "drift",
        "severity": "low",
        "owner": "bea",
        "finding": "none",
        "opened_at": AT,
    }
    with Store(tasks).transaction() as transaction:
        assert transaction.record(CaseRow(**values), **ENTRY) is True
        assert ledger.verify(transaction.session.connection())[1] is None


def test_the_tasks_need_no_right_to_numbers_that_the_database_gives(tasks: str) -> None:
    batch = BatchRow(
        id="b",
        model="churn",
        version=1,
        package_digest="",
        window_start=AT,
        window_end=AT,
        rows=0,
        summary={},
        run={},
        published_at=AT,
    )
    measurement = MeasurementRow(
        digest="d", model="churn", version=1, batch="b", content={}, measured_at=AT
    )
    with Store(tasks).transaction() as transaction:
        assert transaction.record(batch, **ENTRY) is True
        assert transaction.record(measurement, **ENTRY) is True
        assert transaction.get(MeasurementRow, "d").id >= 1


def test_two_entries_cannot_have_one_number(owner: str) -> None:
    with psycopg.connect(owner) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation, match="pk_ledger"):
            connection.execute("INSERT INTO mlops.ledger SELECT * FROM mlops.ledger WHERE seq = 1")
        connection.rollback()
