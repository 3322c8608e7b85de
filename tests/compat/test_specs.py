"""Specs and policies of 0.1.0 are read, with the digests that they had."""

from __future__ import annotations

import pytest

from mlops.cli.main import main
from mlops.digests import digest_json
from mlops.spec.load import Include, Spec
from mlops.store.tables import (
    SpecRow,
)
from mlops.store.transaction import Transaction
from tests.compat.earlier import EARLIER, EXPECTED, FILES, LIVED, MODEL, SPECS
from tests.fixtures.life import Life

pytestmark = EARLIER


def test_a_registered_spec_is_read_back_as_it_was_registered(transaction: Transaction) -> None:
    rows = transaction.find(SpecRow)
    assert {row.digest: row.criteria_digest for row in rows} == EXPECTED["specs"]
    for row in rows:
        spec = Spec.from_json(row.content)
        assert (spec.digest, spec.criteria_digest) == (row.digest, row.criteria_digest)
        assert spec.to_json() == row.content


def test_the_file_of_a_registered_spec_has_its_digest(left: Life) -> None:
    spec = left.workspace.include.spec(MODEL)
    assert spec.digest == LIVED["second"]["release"]["intake"]["spec_digest"]
    assert spec.criteria_digest == LIVED["second"]["release"]["intake"]["criteria_digest"]


@pytest.mark.parametrize("file", sorted(SPECS["specs"]))
def test_a_spec_has_the_digests_that_it_had(file: str) -> None:
    include = Include(FILES / "specs")
    spec = include.read_spec(FILES / "specs" / "models" / file)
    assert {"spec": spec.digest, "criteria": spec.criteria_digest} == SPECS["specs"][file]


@pytest.mark.parametrize("file", sorted(SPECS["policies"]))
def test_a_policy_keeps_its_digest(file: str) -> None:
    policy = Include(FILES / "specs").policy(file.partition(".")[0])
    assert digest_json(policy.model_dump(mode="json")) == SPECS["policies"][file]


def test_check_accepts_what_it_accepted(capsys) -> None:
    for folder in ("specs", "include"):
        assert main(["check", "--include", str(FILES / folder)]) == 0, capsys.readouterr().err
