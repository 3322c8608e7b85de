"""``db upgrade``, ``ledger verify`` and ``status`` against a real store."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from mlops.store.connect import Store
from mlops.store.tables import LedgerRow, SnapshotRow, VersionRow
from tests.fixtures.life import TASK_ROLE, Life, content
from tests.fixtures.shell import mlops

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres
    from tests.fixtures.postgres import MakeDatabase

NOWHERE = "postgresql://somebody:a-secret@127.0.0.1:1/nothing"


def test_an_upgrade_makes_the_store_and_a_second_one_changes_nothing(
    postgres: EmbeddedPostgres, database: str
) -> None:
    postgres.ensure_role(TASK_ROLE)
    first = mlops("db", "upgrade", "--url", database, "--task-role", TASK_ROLE)
    assert (first.code, first.err) == (0, "")
    assert re.fullmatch(
        r"schema mlops is at revision \d+; role mlops_tasks may read and add, nothing else\n",
        first.out,
    )
    made = content(database)
    assert "mlops.ledger" in made
    second = mlops("db", "upgrade", "--url", database, "--task-role", TASK_ROLE)
    assert (second.code, second.out) == (0, first.out)
    assert content(database) == made
    tasks = postgres.url(database.rpartition("/")[2], user=TASK_ROLE)
    with Store(tasks).transaction() as transaction:
        assert transaction.find(LedgerRow) == []


def test_an_upgrade_for_a_role_that_is_not_there_makes_nothing(database: str) -> None:
    answer = mlops("db", "upgrade", "--url", database, "--task-role", "nobody_of_that_name")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("role 'nobody_of_that_name' of the tasks; found no such role")
    assert "CREATE ROLE nobody_of_that_name LOGIN" in answer.err
    assert content(database) == {}


@pytest.mark.parametrize(
    "command",
    [
        # They ask Airflow's settings which keys are trusted.
        pytest.param(["ledger", "verify"], marks=pytest.mark.airflow),
        pytest.param(["status", "late"], marks=pytest.mark.airflow),
        ["db", "upgrade"],
    ],
)
def test_a_server_that_does_not_answer(command: list[str]) -> None:
    role = ["--task-role", TASK_ROLE] if command[0] == "db" else []
    answer = mlops(*command, "--url", NOWHERE, *role)
    assert (answer.code, answer.out) == (1, "")
    assert "cannot be reached" in answer.err and "a-secret" not in answer.err
    assert answer.err.count("\n") == 1 and "; what to do: check " in answer.err


@pytest.mark.airflow
@pytest.mark.parametrize(
    "command",
    [
        ["db", "upgrade"],
        ["ledger", "verify"],
        ["lineage", "verify"],
        ["signoff", "status"],
        ["status", "late"],
        ["trace", "late/v1"],
    ],
)
def test_a_store_that_nobody_named(command: list[str], tmp_path: Path) -> None:
    answer = mlops(*command, AIRFLOW_HOME=str(tmp_path / "home"))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("Airflow's connection 'mlops_store'; found AirflowNotFound")
    assert answer.err.count("\n") == 1
    assert "name the store with --url, or define the connection" in answer.err


@pytest.mark.parametrize("command", [["ledger", "verify"], ["status", "late"]])
def test_a_store_that_is_not_migrated(database: str, command: list[str]) -> None:
    answer = mlops(*command, "--url", database)
    assert (answer.code, answer.out) == (1, "")
    assert "found no tables of mlops" in answer.err
    assert "what to do: run: python -m mlops db upgrade" in answer.err


def tasks_url(postgres: EmbeddedPostgres, life: Life) -> str:
    """The store as the tasks' role, which may read it."""
    return postgres.url(life.database.rpartition("/")[2], user=TASK_ROLE)


def test_a_whole_ledger(postgres: EmbeddedPostgres, shared_small: Life) -> None:
    entries = shared_small.value("SELECT count(*) FROM mlops.ledger")
    answer = mlops("ledger", "verify", "--url", tasks_url(postgres, shared_small))
    assert (answer.code, answer.err) == (0, "")
    digest = shared_small.value("SELECT digest FROM mlops.ledger ORDER BY seq DESC LIMIT 1")
    assert answer.out == (
        f"the ledger is whole: {entries} entries, head {entries}:{digest}\n"
        "2 approvals are signed by keys of the ledger, of which none is pinned\n"
    )


def test_the_entry_that_a_report_names_is_still_there(
    shared_small: Life, make_database: MakeDatabase, postgres: EmbeddedPostgres
) -> None:
    report = Path(shared_small.value("SELECT location FROM mlops.report WHERE kind = 'validation'"))
    ((noted,),) = [set(re.findall(r"\b\d+:[0-9a-f]{64}\b", report.read_text()))]
    url = tasks_url(postgres, shared_small)
    answer = mlops("ledger", "verify", "--head", noted, "--url", url)
    assert (answer.code, answer.err) == (0, "")
    seq, _, digest = noted.partition(":")
    other = f"{seq}:{digest[::-1]}"
    answer = mlops("ledger", "verify", "--head", other, "--url", url)
    assert (answer.code, answer.out) == (1, "")
    assert f"its entry {seq} has digest {digest}: history was rewritten" in answer.err


def test_entries_that_were_cut_off_with_their_facts_show_against_a_head_noted_elsewhere(
    shared_small: Life, make_database: MakeDatabase
) -> None:
    copy = make_database(template=shared_small.database.rpartition("/")[2])
    whole = mlops("ledger", "verify", "--url", copy)
    head = whole.out.splitlines()[0].rpartition(" ")[2]
    seq = int(head.partition(":")[0])
    with psycopg.connect(copy) as connection:
        row = connection.execute("SELECT action, payload FROM mlops.ledger WHERE seq = %s", [seq])
        assert (row.fetchone() or ("",))[0] == "version.deployed"
        for table in ("ledger", "deployment"):
            connection.execute(f"ALTER TABLE mlops.{table} DISABLE TRIGGER ALL".encode())
        connection.execute("DELETE FROM mlops.ledger WHERE seq = %s", [seq])
        connection.execute("DELETE FROM mlops.deployment")
    unaware = mlops("ledger", "verify", "--url", copy)
    assert (unaware.code, unaware.err) == (0, ""), "what is left is a whole chain"
    answer = mlops("ledger", "verify", "--head", head, "--url", copy)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"the ledger does not hold entry {seq} with digest {head.partition(':')[2]}: it ends at "
        f"entry {seq - 1}: what came after was cut off; the {seq - 1} entries that are there hold\n"
    )


def test_the_url_is_the_connection_s_unless_it_is_named(
    postgres: EmbeddedPostgres, shared_small: Life, tmp_path: Path
) -> None:
    url = tasks_url(postgres, shared_small).replace("postgresql:", "postgres:")
    answer = mlops(
        "ledger", "verify", AIRFLOW_CONN_MLOPS_STORE=url, AIRFLOW_HOME=str(tmp_path / "home")
    )
    assert answer.code == 0
    assert answer.out.startswith("the ledger is whole: ")


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE mlops.ledger SET actor = 'eve' WHERE seq = 4", 4, "its content has digest"),
        ("DELETE FROM mlops.ledger WHERE seq = 4", 5, "entry 4 is missing"),
        ("UPDATE mlops.version SET developer = 'eve'", None, "version"),
    ],
)
def test_a_broken_ledger_is_told_by_its_first_broken_entry(
    shared_small: Life, make_database: MakeDatabase, statement: str, seq: int | None, why: str
) -> None:
    copy = make_database(template=shared_small.database.rpartition("/")[2])
    with psycopg.connect(copy) as connection:
        connection.execute("ALTER TABLE mlops.ledger DISABLE TRIGGER ALL")
        connection.execute(statement.encode())
    answer = mlops("ledger", "verify", "--url", copy)
    assert (answer.code, answer.out) == (1, "")
    found = re.search(r"the ledger is broken at entry (\d+): ", answer.err)
    assert found is not None and why in answer.err
    assert seq is None or int(found[1]) == seq


def test_status_says_what_is_live_and_who_signed_it(
    postgres: EmbeddedPostgres, shared_small: Life
) -> None:
    with shared_small.workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, "late", 1)
        snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    answer = mlops("status", "late", "--url", tasks_url(postgres, shared_small))
    assert (answer.code, answer.err) == (0, "")
    head, *lines = answer.out.splitlines()
    assert re.fullmatch(r"late as of \d{4}-\d\d-\d\d \d\d:\d\d UTC", head)
    facts = [line.strip().split(maxsplit=1) for line in lines]
    told = "\n".join(lines)
    assert facts[0][0] == "version" and facts[0][1].startswith("1 (deploy, since ")
    assert f"sha256 {version.package_digest}" in told
    assert f"sha256 {version.spec_digest}" in told
    assert f"sha256 {snapshot.sha256}, 9,217 rows, 2013-06-21 to 2013-07-01" in told
    assert "bea as business_owner on " in told and "lin as lead_data_scientist on " in told


def test_status_as_of_a_date(postgres: EmbeddedPostgres, shared_small: Life) -> None:
    url = tasks_url(postgres, shared_small)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    before = mlops("status", "late", "--as-of", yesterday, "--url", url)
    assert (before.code, before.err) == (1, "")
    assert before.out == f"late: nothing was live on {yesterday} 00:00 UTC\n"
    after = mlops("status", "late", "--as-of", "2100-01-01T12:30+02:00", "--url", url)
    assert after.code == 0
    assert after.out.startswith("late as of 2100-01-01 10:30 UTC\n")


def test_status_of_a_model_that_nobody_knows(
    postgres: EmbeddedPostgres, shared_small: Life
) -> None:
    answer = mlops("status", "churn", "--url", tasks_url(postgres, shared_small))
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.startswith("churn: nothing was live on ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ledger"],
        ["ledger", "verify", "--head", "7"],
        ["ledger", "verify", "--head", "7:abc"],
        ["status"],
        ["status", "late", "--as-of", "yesterday"],
        ["status", "late", "--as-of", "0001-01-01T00:00+14:00"],
        ["trace", "late/v1", "--since", "9999-12-31T23:00-14:00"],
        ["check", "--all"],
    ],
)
def test_wrong_usage_has_a_code_of_its_own(arguments: list[str]) -> None:
    answer = mlops(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("usage: mlops ")


def test_help_names_every_command() -> None:
    answer = mlops("--help")
    assert (answer.code, answer.err) == (0, "")
    assert {"check", "db", "ledger", "status"} <= set(answer.out.split())
