"""What is still known when Airflow has forgotten it, and what shows when somebody edits it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.fixtures.life import PROJECT
from tests.system.governance.site import Site

pytestmark = pytest.mark.system


def mlops(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, as a person gives it."""
    return subprocess.run(
        [sys.executable, "-m", "mlops", *arguments, "--url", site.store_url],
        cwd=PROJECT / "plugins",
        env={"PATH": "/usr/bin", "HOME": str(site.folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_as_of_every_moment_after_airflow_forgot_everything(site: Site) -> None:
    """The real ``airflow db clean``, and no Marquez at all."""
    first, second = site.go_live("late"), site.go_live("late")
    signed = "SELECT version, valid_from, package_digest FROM mlops.deployment WHERE model = 'late'"
    deployments = site.rows(f"{signed} AND version IN ({first}, {second}) ORDER BY id")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    tables = "dag_run,task_instance,task_instance_history,log,xcom"
    subprocess.run(
        [
            sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive",
            "--clean-before-timestamp", until, "--tables", tables,
        ],
        env=site.platform.environment(), cwd=PROJECT, capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    runs = site.client.all_rows("/api/v2/dags/late_sign/dagRuns", "dag_runs", "dora")
    assert len(runs) <= 1, "Airflow keeps at most the newest run of a DAG"
    for version, since, digest in deployments:
        moment = (since + timedelta(milliseconds=1)).isoformat()
        said = mlops(site, "status", "late", "--as-of", moment)
        assert said.returncode == 0, said.stderr
        for words in (f"version      {version} ", digest, "snapshot     sha256", "bea as owner"):
            assert words in said.stdout
    early = (deployments[0][1] - timedelta(days=4000)).isoformat()
    assert mlops(site, "status", "late", "--as-of", early).returncode == 1


EDITS = [
    ("decision", "UPDATE mlops.decision SET user_id = 'ceo' WHERE id = %s"),
    ("decision", "DELETE FROM mlops.decision WHERE id = %s"),
    ("deployment", "UPDATE mlops.deployment SET reason = 'as agreed' WHERE key = %s"),
    ("ledger", "UPDATE mlops.ledger SET actor = 'ceo' WHERE digest = %s"),
    ("ledger", "DELETE FROM mlops.ledger WHERE digest = %s"),
]
KEYS = {"decision": "id", "deployment": "key", "ledger": "digest"}


def test_whatever_a_superuser_edits_verify_names(site: Site) -> None:
    """Each edit is undone again, to the byte."""
    version = site.go_live("late")
    site.version("late")  # more entries follow
    for table, edit in EDITS:
        action = {"decision": "signature.given"}.get(table, "version.deployed")
        ((seq, key),) = site.rows(
            "SELECT seq, digest FROM mlops.ledger WHERE subject = %s AND action = %s",
            f"late/v{version}", action,
        )  # fmt: skip
        if table != "ledger":
            ((key,),) = site.rows(
                f"SELECT {KEYS[table]} FROM mlops.{table} WHERE model = 'late' AND version = %s",
                version,
            )
        found = edited(site, table, key, edit)
        gone = table == "ledger" and edit.startswith("DELETE")
        assert found.returncode == 1, edit
        assert f"broken at entry {seq + 1 if gone else seq}:" in found.stderr
    whole = mlops(site, "ledger", "verify")
    assert whole.returncode == 0, whole.stderr


def edited(site: Site, table: str, key: str, edit: str) -> subprocess.CompletedProcess[str]:
    """What ``ledger verify`` says after an edit, which is then undone."""
    with psycopg.connect(site.database) as connection:
        row = connection.execute(
            f"SELECT to_jsonb(t) FROM mlops.{table} AS t WHERE {KEYS[table]} = %s".encode(), [key]
        ).fetchone()
        assert row is not None
        connection.execute("SET session_replication_role = replica")
        connection.execute(edit.encode(), [key])
        connection.commit()
        try:
            return mlops(site, "ledger", "verify")
        finally:
            restore(connection, table, KEYS[table], key, row[0])


def restore(
    connection: psycopg.Connection, table: str, column: str, key: str, row: dict[str, object]
) -> None:
    """Put a row back as it was."""
    with connection.transaction():
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"DELETE FROM mlops.{table} WHERE {column} = %s".encode(), [key])
        if table == "ledger":
            connection.execute("DELETE FROM mlops.ledger WHERE seq = %s", [row["seq"]])
        override = "OVERRIDING SYSTEM VALUE" if table == "deployment" else ""
        connection.execute(
            f"INSERT INTO mlops.{table} {override} SELECT * FROM"
            f" jsonb_populate_record(NULL::mlops.{table}, %s)".encode(),
            [psycopg.types.json.Jsonb(row)],
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops.ledger SET actor = 'ceo'",
        "DELETE FROM mlops.ledger",
        "TRUNCATE mlops.ledger",
        "UPDATE mlops.decision SET counted = true",
        "DELETE FROM mlops.deployment",
        "ALTER TABLE mlops.ledger DISABLE TRIGGER ALL",
    ],
)
def test_the_role_of_the_tasks_changes_nothing(site: Site, statement: str) -> None:
    with (
        psycopg.connect(site.store_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
