"""Tables get columns: what was recorded before still verifies, and every edit is still found.

The later version of the library is the present one in a process of its own, with a column more in
the ledger and in a table of facts, and with the migration that adds them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops.digests import digest_json
from mlops.store import ledger
from mlops.store.connect import Store
from mlops.store.covered_columns import REVISION_0002, columns_to_list, covered_columns
from mlops.store.ledger import Break
from mlops.store.migrate import upgrade
from mlops.store.tables import Base, CaseRow
from mlops.vocabulary import LedgerAction

PROJECT = Path(__file__).parents[2]
AT = datetime(2026, 3, 14, 1, 59, 26, 535897, tzinfo=UTC)
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("case", sa.Column("materiality", sa.Text()), schema="mlops")
    op.add_column("ledger", sa.Column("request", sa.Text()), schema="mlops")
"""
LATER = """
import json, sys
from datetime import UTC, datetime

from sqlalchemy import Text, text
from sqlalchemy.orm import mapped_column

from mlops.store.tables import CaseRow, LedgerRow

CaseRow.materiality = mapped_column(Text, nullable=True)
LedgerRow.request = mapped_column(Text, nullable=True)

from mlops.store import connect, ledger, migrate

url, migrations, *edits = sys.argv[1:]
as_installed = migrate.alembic_config


def with_one_more():
    config = as_installed()
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", migrations)
    return config


migrate.alembic_config = with_one_more
connect.head_revision = migrate.head_revision = lambda: "9999"
assert migrate.upgrade(url) == "9999"
store = connect.Store(url)
found = []


def verify(*statements):
    with store.engine.connect() as connection:
        connection.execute(text("ALTER TABLE mlops.ledger DISABLE TRIGGER append_only"))
        for statement in statements:
            connection.execute(text(statement))
        count, broken = ledger.verify(connection)
        connection.rollback()
    found.append([count, broken and broken.seq, broken and broken.reason])


verify()
with store.transaction() as transaction:
    for id, materiality in (("three", "high"), ("four", None)):
        transaction.record(
            CaseRow(id=id, model="churn", version=2, cause="drift", severity="low", owner="bea",
                    finding="none", materiality=materiality, opened_at=datetime.now(UTC)),
            actor="bea", action="case.opened", subject="churn/v2/drift", payload={},
        )
    ledger.append(transaction.session, actor="bea", action="run.started", subject="churn/r",
                  payload={}, later={"request": "r-17"})
    (old,) = transaction.ledger_backed(CaseRow, subject="churn/v1/drift", version=1, id="one")
    assert old.row is not None and old.row.id == "one"
    new = transaction.ledger_backed(CaseRow, subject="churn/v2/drift", version=2)
    assert [item.row.materiality for item in new] == ["high", None]
verify()
for edit in edits:
    verify(edit)
print(json.dumps(found))
"""


def record_case(store: Store, case: str) -> None:
    with store.transaction() as transaction:
        transaction.record(
            CaseRow(
                id=case,
                model="churn",
                version=1,
                cause="drift",
                severity="low",
                owner="bea",
                finding="none",
                opened_at=AT,
            ),
            actor="bea",
            action=LedgerAction.CASE_OPENED,
            subject=f"churn/v1/{'drift' if case == 'one' else 'kpi'}",
            payload={},
        )


EDITS = {
    "UPDATE mlops.\"case\" SET owner = 'max' WHERE id = 'one'": (1, "its case one was changed"),
    "UPDATE mlops.\"case\" SET materiality = 'low' WHERE id = 'two'": (
        2,
        "its case two was changed: materiality was empty when it was recorded",
    ),
    "UPDATE mlops.\"case\" SET materiality = 'low' WHERE id = 'three'": (
        3,
        "its case three was changed",
    ),
    "UPDATE mlops.\"case\" SET materiality = 'low' WHERE id = 'four'": (
        4,
        "its case four was changed",
    ),
    "UPDATE mlops.ledger SET request = 'r-1' WHERE seq = 2": (
        2,
        "its column request was empty when it was written",
    ),
    "UPDATE mlops.ledger SET request = 'r-1' WHERE seq = 3": (3, "its content has digest "),
    "UPDATE mlops.ledger SET request = NULL WHERE seq = 5": (5, "its content has digest "),
    "UPDATE mlops.ledger SET payload = replace(payload, '\"request\",', '') WHERE seq = 5": (
        5,
        "its content has digest ",
    ),
}


@pytest.fixture(scope="module")
def later(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What verifying finds, by the later version: at first, after its own facts, after edits."""
    head = upgrade(module_database)
    store = Store(module_database)
    record_case(store, "one")
    record_case(store, "two")
    with store.engine.connect() as connection:
        assert ledger.verify(connection) == (2, None)
    folder = tmp_path_factory.mktemp("versions")
    (folder / "9999_one_column_more.py").write_text(MIGRATION.format(head=head))
    installed = PROJECT / "plugins" / "mlops" / "store" / "migrations" / "versions"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            LATER,
            module_database,
            os.pathsep.join((str(installed), str(folder))),
            *EDITS,
        ],
        env={"PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_was_recorded_before_still_verifies(later: list[Any]) -> None:
    assert later[0] == [2, None, None]


def test_new_facts_and_entries_verify_with_their_new_columns(later: list[Any]) -> None:
    assert later[1] == [5, None, None]


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_an_edit_of_an_old_or_a_new_column_is_found(later: list[Any], number: int) -> None:
    seq, reason = list(EDITS.values())[number]
    count, found, why = later[2 + number]
    assert (count, found) == (seq - 1, seq)
    assert why.startswith(reason)


def test_nothing_is_listed_as_long_as_the_columns_are_the_first_ones(database: str) -> None:
    """So entries are written as they always were, and an earlier version reads them."""
    upgrade(database)
    store = Store(database)
    record_case(store, "one")
    with store.engine.connect() as connection:
        (entry,) = ledger.entries(connection)
    fact = json.loads(entry.payload)["fact"]
    assert set(fact) == {"table", "key", "digest"}
    assert "covers" not in json.loads(entry.payload)
    assert entry.digest == digest_json(
        [1, entry.at, "bea", "case.opened", "churn/v1/drift", entry.payload, ledger.GENESIS]
    )


def test_the_columns_of_revision_0002_are_all_still_there() -> None:
    """A column may be added; none may be renamed or taken away."""
    tables = {table.name: table.columns.keys() for table in Base.metadata.sorted_tables}
    for name, columns in REVISION_0002.items():
        assert set(columns) <= set(tables[name]), name
        assert columns_to_list(name, columns) is None
    assert len(REVISION_0002) == 17


@pytest.mark.parametrize(
    "listed",
    [
        5,
        [],
        ["id"],
        [["id"]],
        [*REVISION_0002["case"], "colour"],
        list(REVISION_0002["case"])[1:],
        "".join(REVISION_0002["case"]),
    ],
)
def test_a_list_that_leaves_out_or_adds_a_column_is_none_that_was_recorded(listed: Any) -> None:
    assert covered_columns("case", REVISION_0002["case"], listed) is None


def test_a_forged_list_is_named(database: str) -> None:
    """A role that may add to the ledger may add an entry with any payload."""
    upgrade(database)
    payload = {"covers": ["seq", "at"]}
    with Store(database).engine.connect() as connection:
        ledger.append(
            connection,
            actor="bea",
            action=LedgerAction.RUN_STARTED,
            subject="c",
            payload=payload,
        )
        assert ledger.verify(connection) == (
            0,
            Break(1, "it lists columns in a way in which no entry was ever written"),
        )
