"""Rows that somebody writes into the store by SQL, with the rights of the tasks or of an owner."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops.errors import NotSigned
from mlops.flow.fallback import choose_version
from mlops.store import ledger
from mlops.views.status import status_as_of
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import revoke, sign

COPY = """
INSERT INTO mlops.decision SELECT (d).* FROM (
    SELECT jsonb_populate_record(d, jsonb_build_object('id', 'forged', 'version', {version})) AS d
    FROM mlops.decision AS d LIMIT 1
) AS forged
"""


def test_a_decision_without_a_ledger_entry_is_no_signature(life_of: LifeOf) -> None:
    life = life_of("late")
    first = life.release("2026-01-05").packaged
    sign(life, first.version, "owner", "bea")
    second = life.release("2026-01-06").packaged
    life.run(COPY.format(version=second.version))
    life.run(
        "UPDATE mlops.decision AS d SET package_digest = v.package_digest, "
        "spec_digest = v.spec_digest, criteria_digest = v.criteria_digest, "
        "snapshot_digest = s.sha256, evidence_digest = r.sha256 "
        "FROM mlops.version AS v JOIN mlops.snapshot AS s ON s.id = v.snapshot_id "
        "JOIN mlops.report AS r ON r.version = v.number AND r.kind = 'validation' "
        f"WHERE d.id = 'forged' AND v.number = {second.version}"
    )
    with pytest.raises(NotSigned, match="nobody has signed"):
        life.deploy(second.version)
    assert life.deploy(first.version).version == first.version


@pytest.mark.parametrize("table", ["decision", "deployment"])
def test_an_edited_row_is_named_by_verify(life_of: LifeOf, table: str) -> None:
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    life.run(f"UPDATE mlops.{table} SET run = '{{}}'")
    with life.workspace.store.transaction() as transaction:
        _, broken = ledger.verify(transaction.session.connection())
    assert broken is not None
    assert f"its {table} " in broken.reason
    assert "was changed" in broken.reason
    if table == "decision":
        with pytest.raises(NotSigned):
            life.deploy(version)


@pytest.mark.parametrize(
    "how",
    [
        "DELETE FROM mlops.decision WHERE answer = 'Revoke'",
        "UPDATE mlops.decision SET answer = 'Approve' WHERE answer = 'Revoke'",
        "UPDATE mlops.decision SET version = 7 WHERE answer = 'Revoke'",
    ],
)
def test_a_revocation_whose_row_was_taken_away_stays_one(life_of: LifeOf, how: str) -> None:
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    revoke(life, version)
    life.run(how)
    with pytest.raises(NotSigned, match="ben answered Revoke, and the row of that answer was"):
        life.deploy(version)
    with life.workspace.store.transaction() as transaction:
        assert choose_version(transaction, "late", at=datetime.now(UTC)).version is None
    assert sign(life, version, "owner", "bea", reason="it is fit after all").enough


def test_a_decision_without_a_ledger_entry_is_none_to_an_auditor(life_of: LifeOf) -> None:
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    life.run(COPY.format(version=version))
    life.run("UPDATE mlops.decision SET user_name = 'eve' WHERE id = 'forged'")
    with life.workspace.store.transaction() as transaction:
        found = status_as_of(transaction, "late", datetime.now(UTC))
    assert found is not None
    assert [line.split()[0] for line in found.signed_by] == ["bea"]
