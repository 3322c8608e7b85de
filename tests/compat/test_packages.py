"""Packages of 0.1.0 are read, audited and give the same scores."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest

from mlops.core.artifact.package import load_model, read
from mlops.core.estimator import code_facts
from mlops.core.targets.binary.scores import predict_scores
from mlops.errors import ArtifactChanged, ArtifactRefused
from mlops.flow.load_version import load_version
from mlops.spec.model import Candidate
from mlops.store.tables import (
    VersionRow,
)
from tests.compat.earlier import (
    AS_MADE,
    EARLIER,
    KINDS,
    PACKAGES,
    as_hex,
    assert_same_scores,
    loads_models,
)
from tests.fixtures.life import Life

pytestmark = EARLIER


@pytest.fixture(scope="module")
def rows() -> pa.RecordBatch:
    """Flights to be scored, some with names that no package knows, or with none."""
    columns = json.loads((PACKAGES / "rows.json").read_text())
    found = {
        name: pa.array(column["values"], pa.type_for_alias(column["type"]))
        for name, column in columns.items()
    }
    return pa.RecordBatch.from_pydict(found)


@loads_models
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_package_scores_as_it_did(kind: str, rows: pa.RecordBatch) -> None:
    expected = KINDS[kind]
    contents = read((PACKAGES / f"{kind}.zip").read_bytes(), expected_digest=expected["digest"])
    loaded = load_model(contents, trusted=contents.spec["content"]["develop"]["trusted_types"])
    difference = loaded.check_golden()
    assert difference == 0.0 or not AS_MADE
    matrix, unseen = contents.encoder.encode_counting(rows)
    assert unseen == expected["unseen"]
    assert matrix.shape == (200, 5)
    numbers = np.where(np.isnan(matrix), "nan", np.vectorize(float.hex)(matrix))
    lines = "\n".join(map(" ".join, numbers))
    assert hashlib.sha256(lines.encode()).hexdigest() == expected["matrix"]
    assert_same_scores(as_hex(loaded.predict(matrix)), expected["predict"])
    assert_same_scores(
        as_hex(predict_scores(loaded.estimator, matrix)), expected["positive_scores"]
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_package_that_is_not_what_was_signed_is_refused(kind: str) -> None:
    data = bytearray((PACKAGES / f"{kind}.zip").read_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ArtifactChanged):
        read(bytes(data), expected_digest=KINDS[kind]["digest"])


def test_a_type_that_only_a_spec_trusts_is_refused_without_it() -> None:
    expected = KINDS["trusted_type"]
    assert expected["trusted"] == ["sklearn.kernel_approximation.RBFSampler"]
    contents = read(
        (PACKAGES / "trusted_type.zip").read_bytes(), expected_digest=expected["digest"]
    )
    with pytest.raises(ArtifactRefused, match="RBFSampler"):
        load_model(contents)


@loads_models
def test_the_package_of_every_version_is_read_and_gives_its_golden_rows(left: Life) -> None:
    with left.workspace.store.transaction() as transaction:
        versions = transaction.find(VersionRow)
    for row in versions:
        difference = load_version(left.workspace, row).check_golden()
        assert difference == 0.0 or not AS_MADE


def test_a_factory_of_the_library_keeps_its_source() -> None:
    """Each training names the digest of the module in which its factory is written.

    So an edit of ``core/estimators.py``, even of an import or a comment, gives every model with
    that factory another training id and another package, from the same rows and the same spec. A
    change of what a factory does belongs into a new module with a new name.
    """
    contents = read(
        (PACKAGES / "logistic_regression.zip").read_bytes(),
        expected_digest=KINDS["logistic_regression"]["digest"],
    )
    factory = "mlops.core.estimators.scaled_logistic_regression"
    facts = code_facts([Candidate(name="logistic_regression", factory=factory)])
    assert facts[factory] == contents.code[factory]
