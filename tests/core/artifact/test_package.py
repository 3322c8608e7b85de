"""The package that people sign: one file, one digest, and no byte of it that may change."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from mlops.core.artifact.package import PackageParts, build, load_model, read
from mlops.core.artifact.skops_format import SKOPS
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.core.encode import Feature, FeatureEncoder
from mlops.digests import digest_bytes
from mlops.errors import (
    ArtifactChanged,
    ArtifactRefused,
    DataRefused,
    PredictionError,
    TrainingError,
)

MEMBERS = {
    "manifest.json",
    "model.skops",
    "encoder.json",
    "schema.json",
    "spec.json",
    "golden.json",
    "requirements.json",
    "reference.json",
    "card.md",
}


def table() -> pa.Table:
    rng = np.random.default_rng(5)
    distance = np.where(rng.random(400) < 0.1, np.nan, rng.gamma(2.0, 500.0, 400))
    carrier = rng.choice(["AA", "DL", "UA"], 400)
    late = (np.nan_to_num(distance) > 900) ^ (carrier == "UA")
    return pa.table(
        {
            "flight": np.arange(400),
            "distance": pa.array(distance, from_pandas=True),
            "carrier": carrier,
            "late": late,
        }
    )


def train(estimator: Any = None, label: str = "late") -> PackageParts:
    """The whole way from rows to the parts of a package."""
    rows = table()
    features = (Feature("distance", "numeric"), Feature("carrier", "categorical"))
    encoder = FeatureEncoder.fit(features, rows)
    matrix = encoder.encode_table(rows)
    if estimator is None:
        estimator = HistGradientBoostingClassifier(
            max_iter=8, random_state=3, categorical_features=[1]
        )
    y = rows[label].to_numpy()
    if isinstance(estimator, LogisticRegression | SVC):
        matrix = np.nan_to_num(matrix)
    # Sums over threads are formed in another order: the number of them is part of the training.
    with threadpool_limits(1):
        estimator.fit(matrix, y)
    golden = matrix[::20]
    has_proba = hasattr(estimator, "predict_proba")
    outputs = estimator.predict_proba(golden)[:, -1] if has_proba else estimator.predict(golden)
    return PackageParts(
        model="flight_delay",
        model_bytes=SKOPS.dump(estimator),
        encoder=encoder,
        schema=[{"name": field.name, "type": str(field.type)} for field in rows.schema],
        spec={"model": "flight_delay", "develop": {"seed": 3}},
        golden_inputs=golden,
        golden_outputs=np.asarray(outputs, dtype=np.float64),
        reference={"rows": 400, "features": {"distance": {"edges": [0.5, 1.5]}}},
        card="# flight_delay\n\nWhat it is for: ≥ 15 minutes late.\n",
        code={"python": "3.11.0", "numpy": "2.0.0", "factory": "0" * 64},
        facts={"snapshot_sha256": "a" * 64, "spec": "b" * 64},
    )


@cache
def parts() -> PackageParts:
    return train()


@cache
def packaged() -> bytes:
    return build(parts()).data


def test_training_twice_gives_the_same_digest():
    assert build(train()).digest == build(train()).digest


def test_training_in_another_process_gives_the_same_digest():
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root / "plugins"), str(root)]),
        "PYTHONHASHSEED": "99",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == build(parts()).digest


@pytest.mark.parametrize(
    "change",
    [
        {"card": "# Another\n"},
        {"facts": {"snapshot_sha256": "c" * 64}},
        {"spec": {"model": "flight_delay", "develop": {"seed": 4}}},
        {"reference": {"rows": 401}},
        {"model": "another"},
        {"code": {"python": "3.12.0"}},
    ],
)
def test_whatever_changes_gives_another_digest(change):
    assert build(replace(parts(), **change)).digest != build(parts()).digest


def test_what_was_put_in_is_read_back():
    package = build(parts())
    contents = read(package.data, expected_digest=package.digest)
    given_parts = parts()
    assert contents.digest == package.digest == digest_bytes(package.data)
    for name in ("model", "model_bytes", "encoder", "schema", "spec", "reference", "card"):
        assert getattr(contents, name) == getattr(given_parts, name)
    assert (contents.code, contents.facts) == (given_parts.code, given_parts.facts)
    np.testing.assert_array_equal(contents.golden_inputs, given_parts.golden_inputs)
    np.testing.assert_array_equal(contents.golden_outputs, given_parts.golden_outputs)
    assert np.isnan(contents.golden_inputs).any()
    assert set(read_members(package.data, what="a package")) == MEMBERS


def test_the_versions_are_those_of_the_training():
    contents = read(packaged(), expected_digest=digest_bytes(packaged()))
    assert contents.requirements["python"] == "3.11.0"
    assert contents.requirements["numpy"] == "2.0.0"
    assert set(contents.requirements) == {"python", "numpy", "scikit-learn", "skops", "pyarrow"}


def test_infinite_inputs_are_kept_exactly():
    golden = parts().golden_inputs.copy()
    golden[0, 0], golden[1, 0] = math.inf, -math.inf
    package = build(replace(parts(), golden_inputs=golden))
    contents = read(package.data, expected_digest=package.digest)
    np.testing.assert_array_equal(contents.golden_inputs, golden)


@pytest.mark.parametrize(
    "golden",
    [
        {"golden_inputs": np.zeros((20, 1))},
        {"golden_inputs": np.zeros((19, 2))},
        {"golden_inputs": np.zeros((0, 2)), "golden_outputs": np.zeros(0)},
        {"golden_outputs": np.zeros((20, 1))},
    ],
)
def test_golden_rows_that_do_not_fit_are_refused(golden):
    with pytest.raises(TrainingError, match="flight_delay: golden rows"):
        build(replace(parts(), **golden))


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.01, 1.01])
def test_golden_scores_that_are_not_probabilities_are_refused(score):
    outputs = parts().golden_outputs.copy()
    outputs[3] = score
    with pytest.raises(PredictionError, match="flight_delay: the score of golden row 3"):
        build(replace(parts(), golden_outputs=outputs))


def test_what_json_does_not_know_is_refused():
    with pytest.raises(TrainingError, match="cannot be written as JSON"):
        build(replace(parts(), reference={"edges": [math.nan]}))


def test_other_bytes_are_refused_with_both_digests():
    changed = packaged()[:-1] + bytes([packaged()[-1] ^ 1])
    approved = digest_bytes(packaged())
    with pytest.raises(ArtifactChanged) as caught:
        read(changed, expected_digest=approved)
    assert f"found sha256 {digest_bytes(changed)}" in str(caught.value)
    assert f"approved sha256 {approved}" in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte_that_is_changed_is_refused(position, flip):
    changed = bytearray(packaged())
    changed[int(position * len(changed))] ^= flip
    with pytest.raises(ArtifactChanged):
        read(bytes(changed), expected_digest=digest_bytes(packaged()))


@settings(max_examples=200, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_does_not_reach_the_contents_even_under_its_own_digest(position, flip):
    changed = bytearray(packaged())
    changed[int(position * len(changed))] ^= flip
    try:
        contents = read(bytes(changed), expected_digest=digest_bytes(bytes(changed)))
    except (ArtifactChanged, ArtifactRefused):
        return
    # The time of a member, or its permissions: not its content.
    assert contents.model_bytes == parts().model_bytes
    assert contents.encoder == parts().encoder
    assert contents.card == parts().card


def forged(**members: bytes) -> bytes:
    """A package in which somebody replaced members, with all checksums of the zip right."""
    known = read_members(packaged(), what="a package")
    return write_stored_zip({**known, **members}.items())


def test_a_member_that_was_replaced_is_named():
    data = forged(**{"card.md": b"# Harmless\n"})
    with pytest.raises(ArtifactChanged, match=r"card\.md in a model package has changed"):
        read(data, expected_digest=digest_bytes(data))


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"more.txt": b"hello"}, "other members"),
        ({"manifest.json": b"[]"}, "a model package was expected"),
        ({"manifest.json": b"{}"}, "a model package was expected"),
        ({"manifest.json": b"no json"}, "a model package was expected"),
        (
            {"manifest.json": b'{"format": 3}'},
            "another format; found format 3; expected format 1 or",
        ),
        ({"manifest.json": b'{"format": 1, "members": {}}'}, "other members"),
    ],
)
def test_a_file_that_is_no_package_is_refused(members, match):
    data = forged(**members)
    with pytest.raises(ArtifactRefused, match=match):
        read(data, expected_digest=digest_bytes(data))


def test_a_pickle_with_the_right_digest_is_refused():
    data = pickle.dumps({"model": 1})
    with pytest.raises(ArtifactRefused, match="a pickle"):
        read(data, expected_digest=digest_bytes(data))


def contents_of(made: PackageParts) -> Any:
    package = build(made)
    return read(package.data, expected_digest=package.digest)


def here(made: PackageParts) -> PackageParts:
    """As if it had been trained with the libraries that are installed here."""
    return replace(made, code={})


def test_the_loaded_model_scores_as_the_trained_one():
    loaded = load_model(contents_of(here(parts())))
    assert loaded.warnings == ()
    matrix = loaded.contents.encoder.encode_table(table())
    scores = loaded.predict(matrix)
    assert scores.dtype == np.float64
    assert scores.shape == (400,)
    np.testing.assert_array_equal(scores, loaded.estimator.predict_proba(matrix)[:, 1])
    np.testing.assert_array_equal(scores[::20], parts().golden_outputs)
    assert loaded.check_golden() == 0.0
    assert loaded.predict(matrix[:0]).shape == (0,)


def test_other_versions_are_reported_and_not_hidden():
    loaded = load_model(contents_of(parts()))
    assert [warning.partition(":")[0] for warning in loaded.warnings] == ["numpy", "python"]
    assert "made with 2.0.0, here is" in loaded.warnings[0]
    assert loaded.check_golden() == 0.0


def test_what_scikit_learn_warns_of_is_reported():
    def change(state: Any) -> Any:
        if isinstance(state, dict):
            return {
                key: old_version if key == "_sklearn_version" else change(value)
                for key, value in state.items()
            }
        return [change(value) for value in state] if isinstance(state, list) else state

    old_version = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": '"1.8.0"',
    }
    members = read_members(parts().model_bytes, what="a model file")
    members["schema.json"] = json.dumps(change(json.loads(members["schema.json"]))).encode()
    made = replace(here(parts()), model_bytes=write_stored_zip(members.items()))
    loaded = load_model(contents_of(made))
    assert any("HistGradientBoostingClassifier from version 1.8.0" in w for w in loaded.warnings)


@pytest.mark.parametrize(
    ("made", "shift", "refused"),
    [(parts, 1e-5, True), (parts, 1e-8, False)],
)
def test_golden_rows_with_other_versions(made, shift, refused):
    _check_golden(made(), shift, refused=refused)


@pytest.mark.parametrize(("shift", "refused"), [(1e-8, True), (1e-10, False)])
def test_golden_rows_with_the_same_versions(shift, refused):
    _check_golden(here(parts()), shift, refused=refused)


def _check_golden(made: PackageParts, shift: float, *, refused: bool) -> None:
    outputs = made.golden_outputs.copy()
    outputs[7] += shift
    loaded = load_model(contents_of(replace(made, golden_outputs=outputs)))
    if not refused:
        assert loaded.check_golden() == pytest.approx(shift, rel=1e-3)
        return
    with pytest.raises(PredictionError, match="golden row 7") as caught:
        loaded.check_golden()
    assert repr(float(outputs[7])) in str(caught.value)
    assert repr(float(made.golden_outputs[7])) in str(caught.value)


def test_a_matrix_of_another_width_is_refused():
    loaded = load_model(contents_of(here(parts())))
    for shape in ((3, 1), (3, 3), (3,)):
        with pytest.raises(DataRefused, match=r"expected \(rows, 2\)"):
            loaded.predict(np.zeros(shape))


@pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn")
def test_golden_rows_whose_scores_are_not_probabilities_are_refused():
    made = here(train(LogisticRegression()))
    loaded = load_model(contents_of(made))
    loaded.estimator.intercept_ = np.array([math.nan])
    message = r"flight_delay: the score of golden row 0 is outside \[0, 1\]; found nan, and 20 such"
    with pytest.raises(PredictionError, match=message):
        loaded.check_golden()


@pytest.mark.parametrize(
    ("estimator", "label", "found"),
    [
        (SVC(), "late", "SVC without predict_proba"),
        (DummyClassifier(), "carrier", r"shape \(20, 3\) for 20 rows"),
    ],
)
def test_a_model_that_does_not_give_one_number_a_row_is_refused(estimator, label, found):
    made = train(estimator, label=label)
    outputs = np.zeros(len(made.golden_inputs))
    loaded = load_model(contents_of(replace(made, golden_outputs=outputs)))
    with pytest.raises(PredictionError, match=found):
        loaded.check_golden()


def test_a_model_outside_of_the_list_is_refused():
    made = replace(parts(), model_bytes=pickle.dumps(LogisticRegression()))
    with pytest.raises(ArtifactRefused, match="a pickle"):
        load_model(contents_of(made))


if __name__ == "__main__":
    print(build(train()).digest)
