"""The store of 0.1.0 is upgraded, verified and kept from changes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from mlops.cli.main import main
from mlops.store import ledger
from mlops.store.connect import make_engine
from mlops.store.migrate import upgrade
from mlops.store.tables import (
    ReportRow,
    SnapshotRow,
    TrainingRow,
    VersionRow,
)
from mlops.store.transaction import Transaction
from tests.compat.earlier import EARLIER, EXPECTED, FILES, plain
from tests.fixtures.life import TASK_ROLE, Life, content

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres

pytestmark = EARLIER


def test_the_dump_is_what_was_put_away(restored: str) -> None:
    assert plain(content(restored)) == EXPECTED["tables"]
    assert EXPECTED["revision"] == "0002"


def test_an_upgrade_changes_no_fact(restored: str, postgres: EmbeddedPostgres) -> None:
    upgrade(restored, task_role=TASK_ROLE)
    upgrade(restored, task_role=TASK_ROLE)
    now = plain(content(restored))
    kept = {table: now.get(table) for table in EXPECTED["tables"] if "alembic" not in table}
    assert kept == {table: EXPECTED["tables"][table] for table in kept}


def test_the_ledger_is_whole_and_has_the_head_that_was_noted(left: Life, capsys) -> None:
    head, entries = EXPECTED["ledger"]["head"], EXPECTED["ledger"]["entries"]
    assert main(["ledger", "verify", "--head", head, "--url", left.database]) == 0
    whole, approvals = capsys.readouterr().out.splitlines()
    # One entry came since then: the key that signs approvals.
    assert whole.startswith(f"the ledger is whole: {entries + 1} entries, head {entries + 1}:")
    assert approvals.endswith("are not signed; it was recorded before approvals were signed")
    with left.workspace.store.transaction() as transaction:
        connection = transaction.session.connection()
        assert ledger.verify(connection) == (entries + 1, None)
        seq, _, digest = head.partition(":")
        assert ledger.missing(connection, seq=int(seq), digest=digest) is None


def test_a_row_of_0_1_0_that_is_edited_now_is_named(left: Life) -> None:
    """Its digest is taken over the row as it is read back today."""
    free = {"check_result": "subject", "notice": "text", "version": "tier", "deployment": "reason"}
    facts = {
        name.removeprefix("mlops.") for name in EXPECTED["tables"] if name.startswith("mlops.")
    }
    facts -= {"alembic_version", "ledger", "lineage_event", "lineage_delivery"}
    assert len(facts) == 16
    engine = make_engine(left.database)
    for table in sorted(facts):
        column = free.get(table, "model")
        with engine.connect() as connection:
            connection.execute(text(f"UPDATE mlops.\"{table}\" SET {column} = {column} || '!'"))
            _, broken = ledger.verify(connection)
            connection.rollback()
        assert broken is not None
        assert f"its {table} " in broken.reason
        assert "was changed" in broken.reason


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops.ledger SET actor = 'eve' WHERE seq = 7",
        "DELETE FROM mlops.ledger WHERE seq = 7",
        "TRUNCATE mlops.ledger",
    ],
)
def test_the_ledger_still_refuses_to_be_changed(left: Life, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the ledger is append-only"):
        left.run(statement)


def test_the_tasks_may_add_and_nothing_else(left: Life) -> None:
    url = left.workspace.store.libpq_url
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE mlops.decision SET reason = ''")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO mlops.notice VALUES ('x', 'y', '[]', 'z', now())")
        connection.rollback()


def test_every_artifact_of_a_fact_is_there(left: Life, transaction: Transaction) -> None:
    digests = {
        *(row.sha256 for row in transaction.find(SnapshotRow)),
        *(row.sha256 for row in transaction.find(ReportRow)),
        *(row.model_sha256 for row in transaction.find(TrainingRow)),
        *(row.package_digest for row in transaction.find(VersionRow)),
    }
    assert digests == {file.name for file in (FILES / "artifacts").rglob("*") if file.is_file()}
    for digest in digests:
        assert hashlib.sha256(left.workspace.artifacts.read(digest)).hexdigest() == digest
