"""Rows that somebody writes into the store by SQL, with the rights of the tasks or of an owner."""

from __future__ import annotations

import pytest

from mlops.errors import NotSigned
from mlops.store import ledger
from tests.governance.conftest import LifeOf
from tests.governance.small import sign

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
