"""One path from a matrix to scores, and one rule for what a score may be."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.scores import predict_scores, require_probabilities
from mlops.core.targets.target import ROUNDING
from mlops.errors import PredictionError

PACKAGE = Path(__file__).parents[4] / "plugins" / "mlops"


class Halves:
    """Gives the first column as the probability of a true label."""

    columns = 2

    def fit(self, x, y):
        raise AssertionError("it is fitted")

    def predict_proba(self, x):
        return np.column_stack([1 - x[:, 0], x[:, 0], x[:, 0]])[:, : self.columns]


class Thirds(Halves):
    columns = 3


def uses_of(name: str) -> list[str]:
    """Files of the package that call an attribute of this name."""
    return [
        file.relative_to(PACKAGE).as_posix()
        for file in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def test_an_estimator_is_asked_for_probabilities_in_one_place():
    assert uses_of("predict_proba") == ["core/targets/binary/scores.py"]


def test_the_score_is_the_probability_of_a_true_label():
    matrix = np.array([[0.25], [0.75], [1.0]])
    scores = predict_scores(Halves(), matrix)
    assert scores.dtype == np.float64
    assert scores.tolist() == [0.25, 0.75, 1.0]
    assert predict_scores(Halves(), matrix[:0]).shape == (0,)


def test_other_than_two_probabilities_for_each_row_are_refused():
    with pytest.raises(PredictionError, match=r"shape \(4, 3\) for 4 rows; expected two prob"):
        predict_scores(Thirds(), np.zeros((4, 1)))
    with pytest.raises(PredictionError, match="object without predict_proba"):
        predict_scores(object(), np.zeros((4, 1)))


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_score_is_a_probability_up_to_rounding(score):
    is_probability = -ROUNDING <= score <= 1 + ROUNDING
    scores = np.array([0.0, 1.0, score])
    if is_probability:
        require_probabilities(scores, rows=3, what="v1")
        return
    with pytest.raises(PredictionError, match=r"^v1: the score of row 2 is outside \[0, 1\]"):
        require_probabilities(scores, rows=3, what="v1")


@pytest.mark.parametrize("beyond", [-ROUNDING, 1 + ROUNDING, -ROUNDING / 2])
def test_what_rounding_leaves_is_accepted_and_measured_as_the_end(beyond):
    require_probabilities(np.array([beyond]), rows=1, what="v1")
    y = np.array([True, False])
    expected = measure(y, np.array([0.5, min(max(beyond, 0.0), 1.0)]))
    assert measure(y, np.array([0.5, beyond])) == expected


@pytest.mark.parametrize("score", [-2 * ROUNDING, 1 + 2 * ROUNDING, np.nan, np.inf, -np.inf])
def test_what_lies_further_out_is_named_and_counted(score):
    scores = np.full(2_000, score)
    scores[0] = 0.5
    with pytest.raises(PredictionError, match="the score of the row of flight 7") as caught:
        require_probabilities(
            scores, rows=2_000, what="shard 0", name_row=lambda row: f"the row of flight {6 + row}"
        )
    assert caught.value.found == f"{score}, and 1,999 such scores among 2,000 rows"


@pytest.mark.parametrize("shape", [(3,), (2, 1), (), (2, 2)])
def test_one_score_for_each_row_is_needed(shape):
    with pytest.raises(PredictionError, match="one score for each row is needed"):
        require_probabilities(np.zeros(shape), rows=2, what="v1")
