"""The way into the store: all or nothing, each fact once, and errors that say what to do."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from mlops.errors import (
    RecordMissing,
    StoreConflict,
    StoreError,
    StoreNotMigrated,
    StoreUnreachable,
)
from mlops.spec.load import Include, Spec
from mlops.store import ledger
from mlops.store.connect import Store, endpoint_of, head_revision
from mlops.store.migrate import upgrade
from mlops.store.tables import Base, CaseRow, DeploymentRow, LedgerRow, ReportRow, SpecRow
from mlops.store.transaction import Transaction

PROJECT = Path(__file__).parents[2]
AT = datetime(2026, 3, 14, 1, 59, 26, 535897, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(module_database: str) -> Store:
    """A store that the tests of this module share; each writes facts of its own name."""
    upgrade(module_database)
    return Store(module_database)


def case(name: str, **changed: Any) -> CaseRow:
    """A fact to write."""
    values = {
        "id": name,
        "model": "churn",
        "version": 1,
        "cause": "drift",
        "severity": "low",
        "owner": "bea",
        "finding": "none",
        "opened_at": AT,
    }
    return CaseRow(**{**values, **changed})


def record(transaction: Transaction, row: Base, subject: str = "") -> bool:
    """Record a fact the way in which steps do; a case's entry is about the case."""
    return transaction.record(
        row, actor="bea", action="a.b", subject=subject or getattr(row, "id", ""), payload={}
    )


def state(store: Store, name: str) -> tuple[int, int]:
    """How many facts, and how many ledger entries, a case has."""
    with store.transaction() as transaction:
        facts = transaction.session.scalar(
            select(func.count()).select_from(CaseRow).where(CaseRow.id == name)
        )
        entries = transaction.session.scalar(
            select(func.count()).select_from(LedgerRow).where(LedgerRow.subject == name)
        )
    return facts or 0, entries or 0


def test_recorded_twice_a_fact_is_one_row_and_one_entry(store: Store) -> None:
    with store.transaction() as transaction:
        assert record(transaction, case("twice")) is True
        assert record(transaction, case("twice", finding="seen again")) is False
    with store.transaction() as transaction:
        assert record(transaction, case("twice", finding="seen again")) is False
        assert transaction.get(CaseRow, "twice").finding == "none"
    assert state(store, "twice") == (1, 1)


def test_a_fact_and_its_entry_go_together_when_the_block_raises(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        assert record(transaction, case("undone")) is True
        assert transaction.find(CaseRow, id="undone") != []
        raise ZeroDivisionError
    assert state(store, "undone") == (0, 0)
    with store.transaction() as transaction:
        assert record(transaction, case("undone")) is True
    assert state(store, "undone") == (1, 1)
    with store.transaction() as transaction:
        assert ledger.verify(transaction.session.connection())[1] is None


def test_an_entry_that_cannot_be_written_takes_its_fact_with_it(store: Store) -> None:
    row = case("no entry")
    with pytest.raises(ValueError, match="not JSON"), store.transaction() as transaction:
        transaction.record(row, actor="a", action="b.c", subject="d", payload={"x": float("nan")})
    assert state(store, "no entry") == (0, 0)


def test_of_two_transactions_with_the_same_fact_the_second_finds_it(store: Store) -> None:
    """The second waits for the first to end, and only then says whether the fact was new."""
    results: list[bool] = []

    def other() -> None:
        with store.transaction() as transaction:
            results.append(record(transaction, case("raced")))

    with store.transaction() as transaction:
        assert record(transaction, case("raced")) is True
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()
    thread.join(timeout=30)
    assert results == [False]
    assert state(store, "raced") == (1, 1)


def test_a_fact_is_read_as_it_was_written(store: Store) -> None:
    with store.transaction() as transaction:
        record(transaction, case("kept", version=2**40, finding="ß 'quoted' %s :x"))
    with store.transaction() as transaction:
        kept = transaction.get(CaseRow, "kept")
        assert (kept.version, kept.finding) == (2**40, "ß 'quoted' %s :x")
        assert kept.opened_at == AT
        assert kept.opened_at.utcoffset() is not None
        assert transaction.find(CaseRow, cause="drift", version=2**40) == [kept]
        assert transaction.find(CaseRow, cause="nothing of the kind") == []


def test_a_registered_spec_keeps_its_digest_and_the_order_of_its_features(store: Store) -> None:
    """Postgres' JSONB would write -0.0 as 0.0, 1e16 as an integer, and put short keys first."""
    spec = Include(PROJECT / "demo" / "include").spec("flight_delay")
    written = spec.to_json()
    written["content"]["manage"]["kpi"]["target"] = -0.0
    written["content"]["develop"]["candidates"][0]["params"] = {"zz": 1e16, "a": 1e-320, "b": 2.0}
    spec = Spec.from_json(written)
    row = SpecRow(
        digest=spec.digest,
        model=spec.model,
        criteria_digest=spec.criteria_digest,
        content=spec.to_json(),
        registered_at=AT,
    )
    with store.transaction() as transaction:
        assert record(transaction, row, "spec") is True
    with store.transaction() as transaction:
        again = Spec.from_json(transaction.get(SpecRow, spec.digest).content)
    assert again.digest == spec.digest
    assert list(again.content.develop.features) == list(spec.content.develop.features)


def test_an_id_that_the_store_does_not_know(store: Store) -> None:
    with pytest.raises(RecordMissing) as raised, store.transaction() as transaction:
        transaction.get(CaseRow, "nobody")
    assert str(raised.value) == (
        "case nobody; found no such row in the store; expected a row that an earlier step wrote; "
        "what to do: run the step before this one again."
    )
    with store.transaction() as transaction:
        with pytest.raises(RecordMissing, match="report abc/validation"):
            transaction.get(ReportRow, "abc", "validation")
        assert transaction.find(ReportRow, sha256="abc") == []


def test_a_statement_that_the_database_refuses_is_named_and_undone(store: Store) -> None:
    deployment = DeploymentRow(
        key="k",
        model="churn",
        version=99,
        action="deploy",
        package_digest="0" * 64,
        reason="",
        actor="a",
        run={},
        valid_from=AT,
    )
    with pytest.raises(StoreError) as raised, store.transaction() as transaction:
        record(transaction, case("before the refusal"))
        record(transaction, deployment, "deployment")
    assert type(raised.value) is StoreError
    assert not raised.value.retryable
    assert str(raised.value).startswith(f"the store at {store.place} refused a statement; found ")
    assert 'violates foreign key constraint "fk_deployment_model_version"' in str(raised.value)
    assert state(store, "before the refusal") == (0, 0)


def test_of_two_transactions_in_a_deadlock_one_is_undone_and_says_why(store: Store) -> None:
    both_hold_one = threading.Barrier(2)
    lock = text("SELECT pg_advisory_xact_lock(4711, :number)")

    def cross(name: str, first: int, second: int) -> StoreConflict | None:
        try:
            with store.transaction() as transaction:
                transaction.session.execute(lock, {"number": first})
                both_hold_one.wait(timeout=30)
                transaction.session.execute(lock, {"number": second})
                record(transaction, case(name))
        except StoreConflict as error:
            return error
        return None

    with ThreadPoolExecutor(2) as workers:
        jobs = [workers.submit(cross, "left", 1, 2), workers.submit(cross, "right", 2, 1)]
        (error,) = [error for job in jobs if (error := job.result()) is not None]
    assert error.retryable
    assert str(error).startswith(f"a transaction of the store at {store.place} was undone; found a")
    assert "deadlock detected" in str(error)
    assert "cannot be reached" not in str(error)
    assert sorted([state(store, "left"), state(store, "right")]) == [(0, 0), (1, 1)]


def test_a_serialization_failure_is_no_lost_connection(store: Store) -> None:
    touch = text("UPDATE mlops.alembic_version SET version_num = version_num")
    with pytest.raises(StoreConflict) as raised, store.transaction() as late:
        late.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        late.session.execute(text("SELECT 1"))
        with store.transaction() as early:
            early.session.execute(touch)
        record(late, case("late"))
        late.session.execute(touch)
    assert raised.value.retryable
    assert "changes that another transaction made at the same time" in str(raised.value)
    assert state(store, "late") == (0, 0)


def test_a_store_that_is_not_there_is_worth_a_retry() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    store = Store(f"postgresql://tasks:secret@127.0.0.1:{port}/warehouse")
    with pytest.raises(StoreUnreachable) as raised, store.transaction():
        pytest.fail("there is nothing to write to")
    assert raised.value.retryable
    message = str(raised.value)
    assert message.startswith(f"the store at 127.0.0.1:{port}/warehouse cannot be reached; found ")
    assert "what to do: check the connection and the server" in message
    assert "secret" not in message


def test_a_wrong_password_is_not_said_aloud(module_database: str, store: Store) -> None:
    user = module_database.split("//")[1].split(":", maxsplit=1)[0]
    place = module_database.rpartition("@")[2]
    wrong = Store(f"postgresql://{user}:letmein@{place}")
    with pytest.raises(StoreUnreachable) as raised, wrong.transaction():
        pytest.fail("the password is wrong")
    assert "password authentication failed" in str(raised.value)
    assert "letmein" not in str(raised.value)


def test_a_store_without_tables_says_which_command_makes_them(database: str) -> None:
    store = Store(database)
    with pytest.raises(StoreNotMigrated) as raised, store.transaction():
        pytest.fail("there are no tables")
    assert str(raised.value) == (
        f"the store at {store.place}; found no tables of mlops; "
        f"expected revision {head_revision()}; what to do: run: python -m mlops db upgrade."
    )
    assert not raised.value.retryable
    upgrade(database)
    with Store(database).transaction() as transaction:
        assert record(transaction, case("now")) is True


def test_a_store_of_another_revision_is_not_written_to(database: str) -> None:
    upgrade(database)
    with Store(database).engine.begin() as connection:
        connection.execute(text("UPDATE mlops.alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreNotMigrated) as raised, Store(database).transaction():
        pytest.fail("the tables are of another revision")
    assert f"found revision 9999; expected revision {head_revision()}; " in str(raised.value)


def test_times_are_read_in_utc_whatever_the_server_says(database: str) -> None:
    upgrade(database)
    with Store(database).engine.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
        connection.execute(text(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'"))
    with Store(database).transaction() as transaction:
        record(transaction, case("elsewhere"))
        assert transaction.session.scalar(text("SHOW timezone")) == "UTC"
    with Store(database).transaction() as transaction:
        opened = transaction.get(CaseRow, "elsewhere").opened_at
        assert opened.isoformat() == "2026-03-14T01:59:26.535897+00:00"
        assert ledger.verify(transaction.session.connection()) == (1, None)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p%40ss@h:1/d?sslmode=require",
        "postgresql://u:p%40ss@h:1/d?sslmode=require",
        "postgresql+psycopg://u:p%40ss@h:1/d?sslmode=require",
        "postgresql+psycopg2://u:p%40ss@h:1/d?sslmode=require",
    ],
)
def test_every_spelling_of_a_postgres_url_is_understood(url: str) -> None:
    assert endpoint_of(url).parameters == {
        "client_encoding": "UTF8",
        "connect_timeout": "10",
        "user": "u",
        "password": "p@ss",
        "host": "h",
        "port": "1",
        "dbname": "d",
        "sslmode": "require",
    }


@pytest.mark.parametrize("url", ["secret", "", "postgresql://u:secret@h:port/d"])
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        Store(url)
    assert str(raised.value) == (
        "the URL of the store; found something else; "
        "expected postgresql://user:password@host:port/database."
    )
