"""What validation measures for any target, by the one of two values."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression

from mlops.core.records import Evaluation, from_json, to_json
from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.evaluate import MISSING, evaluate, importance
from mlops.spec.model import Deploy
from tests.core.targets.rows import some_rows


def evaluated(*, matrix, y, score, **more) -> Evaluation:
    return evaluate(
        BINARY,
        labels=y,
        scores=score,
        matrix=matrix,
        names=[f"f{place}" for place in range(matrix.shape[1])],
        predict=lambda rows: np.full(len(rows), 0.5),
        deploy=Deploy(),
        **more,
    )


@pytest.mark.parametrize("kind", ["list", "numpy", "arrow", "chunks", "dictionary"])
def test_slices_are_the_metrics_of_their_rows(kind):
    matrix, y, score = some_rows()
    values = ["EWR", "JFK", "JFK", None] * 1_000
    given_as = {
        "list": values,
        "numpy": np.array(values, dtype=object),
        "arrow": pa.array(values),
        "chunks": pa.chunked_array([values[:10], values[10:]]),
        "dictionary": pa.array(values).dictionary_encode(),
    }[kind]
    found = evaluated(matrix=matrix, y=y, score=score, slices={"origin": given_as}).slices
    assert [item.value for item in found] == ["JFK", MISSING, "EWR"]
    assert {item.column for item in found} == {"origin"}
    jfk = np.array([value == "JFK" for value in values])
    assert found[0].metrics == measure(y[jfk], score[jfk])
    assert sum(item.metrics.rows for item in found) == len(y)


def test_a_slice_of_another_length_is_refused():
    matrix, y, score = some_rows()
    with pytest.raises(ValueError, match="slice origin has 1 values for 4000"):
        evaluated(matrix=matrix, y=y, score=score, slices={"origin": ["JFK"]})


def test_importance_finds_what_matters_and_leaves_the_matrix_alone():
    matrix, y, _ = some_rows(rows=6_000)
    model = LogisticRegression().fit(matrix, y)
    before = matrix.copy()

    def predict(rows):
        return model.predict_proba(rows)[:, 1]

    names = ("strong", "weak", "none")
    found = importance(BINARY, labels=y, matrix=matrix, names=names, predict=predict)
    assert [name for name, _ in found] == ["strong", "weak", "none"]
    assert (matrix == before).all()
    assert found == importance(BINARY, labels=y, matrix=matrix, names=names, predict=predict)
    peer = permutation_importance(model, matrix, y, scoring="roc_auc", random_state=1, n_repeats=9)
    assert [fall for _, fall in found] == pytest.approx(peer.importances_mean, abs=0.02)


def test_importance_draws_at_most_twenty_thousand_rows():
    matrix, y, _ = some_rows(rows=30_000)
    sizes = set()

    def predict(rows):
        sizes.add(len(rows))
        return np.clip(rows[:, 0], 0, 1)

    importance(BINARY, labels=y, matrix=matrix, names=("a", "b", "c"), predict=predict)
    assert sizes == {20_000}


def test_an_evaluation_survives_json():
    matrix, y, score = some_rows()
    found = evaluated(matrix=matrix, y=y, score=score, slices={"f": ["a"] * len(y)})
    text = json.dumps(to_json(found), allow_nan=False)
    assert from_json(Evaluation, json.loads(text)) == found


def test_rows_that_do_not_define_the_main_metric_have_no_importance():
    label = np.full(50, True)
    assert evaluated(matrix=np.zeros((50, 1)), y=label, score=np.full(50, 0.3)).importance == ()
    with pytest.raises(ValueError, match="matrix"):
        evaluated(matrix=np.zeros((49, 1)), y=label, score=np.full(50, 0.3))
