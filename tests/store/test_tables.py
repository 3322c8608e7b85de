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

from mlops.errors import StoreConflict
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
    """The message with which the database refuses a statement, for want of a right or a fit."""
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    with psycopg.connect(url) as connection:
        with pytest.raises(refused) as raised:
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


FORGED = (
    "INSERT INTO mlops.ledger (seq, at, actor, action, subject, payload, prev_digest, digest)"
    " SELECT seq + {}, now(), 'bea', 'version.signed', 'churn/v1', '{{}}', {}, repeat('0', 64)"
    " FROM mlops.ledger ORDER BY seq DESC LIMIT 1"
)


def test_an_entry_that_a_hand_adds_is_found(owner: str) -> None:
    """The owner may add rows, and so also rows that no step wrote."""
    with Store(owner).engine.connect() as connection:
        count, broken = ledger.verify(connection)
        connection.exec_driver_sql(FORGED.format(1, "repeat('0', 64)"))
        holding, found = ledger.verify(connection)
        connection.rollback()
    assert broken is None
    assert holding == count
    assert found is not None
    assert found.seq == count + 1


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (FORGED.format(2, "digest"), "does not follow entry"),
        (FORGED.format(1_000_000, "digest"), "does not follow entry"),
        (FORGED.format(0, "digest"), "does not follow entry"),
        (FORGED.format(1, "repeat('0', 64)"), "does not follow entry"),
        (FORGED.format(1, "digest"), "does not have the digest of its content"),
        (FORGED.format(1, "digest").replace("version.signed", "key.registered"), "keys are for"),
        ("UPDATE mlops.ledger_guard SET api_roles = '[]'", "permission denied"),
        ("INSERT INTO mlops.ledger_guard VALUES (2, '[]')", "permission denied"),
        ("SELECT * FROM mlops.ledger_guard FOR UPDATE", "permission denied"),
    ],
)
def test_the_tasks_can_neither_break_the_chain_nor_register_a_key(
    tasks: str, statement: str, why: str
) -> None:
    assert why in refusal(tasks, statement)
    with Store(tasks).transaction() as transaction:
        transaction.note(actor="bea", action="a.b", subject="c", payload={})
        assert ledger.verify(transaction.session.connection())[1] is None


@pytest.mark.parametrize("number", ["1000000", "DEFAULT"])
def test_the_tasks_cannot_choose_a_number_that_the_database_gives(tasks: str, number: str) -> None:
    statement = (
        "INSERT INTO mlops.deployment (id, key, model, version, action, package_digest, reason,"
        " actor, run, valid_from) {} VALUES ({}, 'k', 'churn', 1, 'deploy', '', '', '', '{{}}',"
        " now())"
    )
    for how in ("OVERRIDING SYSTEM VALUE", "OVERRIDING USER VALUE"):
        assert "permission denied" in refusal(tasks, statement.format(how, number))


TEXTS = (
    "", "a", '"', "\\", "/", "\n\r\t\b\f", "\x01\x1f\x7f", "é“”", "\U0001f600", "\u2028", "</a>"
)  # fmt: skip


def test_the_database_and_the_library_take_the_same_digest(tasks: str) -> None:
    """The trigger computes it in SQL, over the same canonical JSON."""
    with Store(tasks).transaction() as transaction:
        for value in TEXTS:
            transaction.note(actor=value, action=f"a.{value}", subject=value, payload={"v": value})
        assert ledger.verify(transaction.session.connection())[1] is None


def test_a_role_without_a_grant_cannot_hold_up_the_ledger(
    postgres: EmbeddedPostgres, tasks: str, module_database: str
) -> None:
    postgres.ensure_role("outsider")
    outside = postgres.url(module_database.rpartition("/")[2], user="outsider")
    assert "permission denied" in refusal(outside, "SELECT mlops.lock_ledger()")
    with psycopg.connect(module_database) as connection:
        connection.execute("GRANT USAGE ON SCHEMA mlops TO outsider")
    assert "permission denied" in refusal(outside, "SELECT mlops.lock_ledger()")


def test_a_task_that_keeps_the_lock_is_named_after_a_bounded_wait(
    tasks: str, module_database: str
) -> None:
    with psycopg.connect(module_database) as connection:
        connection.execute("ALTER FUNCTION mlops.lock_ledger() SET lock_timeout = '200ms'")
    with psycopg.connect(tasks, application_name="a notebook") as holder:
        holder.execute("SELECT mlops.lock_ledger()")
        pid = holder.info.backend_pid
        with pytest.raises(StoreConflict) as raised, Store(tasks).transaction() as transaction:
            transaction.note(actor="bea", action="a.b", subject="c", payload={})
        holder.rollback()
    assert raised.value.retryable
    assert f"process {pid} of role mlops_tasks (a notebook)" in str(raised.value)
    assert "pg_terminate_backend" in str(raised.value)
    with Store(tasks).transaction() as transaction:
        transaction.note(actor="bea", action="a.b", subject="c", payload={})


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
