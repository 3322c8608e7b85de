"""The factories that come with the library."""

from __future__ import annotations

import numpy as np
import pytest

from mlops.core.encode import Feature
from mlops.core.estimator import build, check_parameters
from mlops.core.estimators import scaled_logistic_regression
from mlops.core.targets.binary.target import BINARY
from mlops.errors import TrainingError
from mlops.spec.model import Candidate

FEATURES = (
    Feature("carrier", "categorical"),
    Feature("delay", "numeric"),
    Feature("never_there", "numeric"),
)
FACTORY = "mlops.core.estimators.scaled_logistic_regression"


def rows(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Late where the delay is long or the carrier is 2; a tenth of each column is missing."""
    rng = np.random.default_rng(seed)
    carrier, delay = rng.integers(0, 3, 2_000).astype(float), rng.normal(1e4, 1e3, 2_000)
    late = (delay > 1.1e4) | (carrier == 2)
    carrier[rng.random(2_000) < 0.1] = np.nan
    delay[rng.random(2_000) < 0.1] = np.nan
    return np.column_stack([carrier, delay, np.full(2_000, np.nan)]), late


def scores(matrix: list[list[float]], *, seed: int = 13) -> np.ndarray:
    x, y = rows()
    model = scaled_logistic_regression(features=FEATURES, seed=seed).fit(x, y)
    return np.asarray(model.predict_proba(np.array(matrix))[:, 1])


def test_learns_from_names_and_from_numbers_of_any_size() -> None:
    nan = np.nan
    found = scores([[0, 9e3, nan], [0, 1.3e4, nan], [2, 9e3, nan]])
    assert found[0] < 0.1
    assert min(found[1], found[2]) > 0.5


def test_takes_missing_numbers_missing_names_and_names_that_are_new() -> None:
    nan = np.nan
    found = scores([[nan, nan, nan], [7, 1e4, nan], [1, 1e4, 5.0]])
    assert np.isfinite(found).all()


def test_the_same_rows_give_the_same_scores() -> None:
    matrix = [[1.0, 1e4, np.nan]]
    assert scores(matrix) == scores(matrix, seed=14)


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_features_of_one_kind_are_enough(kind: str) -> None:
    x, y = rows()
    column = {"categorical": 0, "numeric": 1}[kind]
    model = scaled_logistic_regression(features=[FEATURES[column]], seed=13)
    assert model.fit(x[:, [column]], y).predict_proba(x[:2, [column]]).shape == (2, 2)


def test_a_spec_may_name_it() -> None:
    candidate = Candidate(name="logistic_regression", factory=FACTORY, params={"C": 0.1})
    model = build(candidate, FEATURES, seed=13, target=BINARY)
    assert model[-1].C == 0.1  # type: ignore[index]
    wrong = candidate.model_copy(update={"params": {"c": 0.1}})
    with pytest.raises(TrainingError, match="refuses its parameters"):
        build(wrong, FEATURES, seed=13, target=BINARY)


LINE = "sklearn.linear_model.LogisticRegression"


def test_weights_are_given_by_the_labels_of_the_fit() -> None:
    """Their keys are text in JSON, in which a spec is kept."""
    x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 0, 1])
    for keys in (("0", "1"), ("false", "true")):
        weights = dict(zip(keys, (1, 50), strict=True))
        candidate = Candidate(name="line", estimator=LINE, params={"class_weight": weights})
        model = build(candidate, FEATURES[:1], seed=1, target=BINARY).fit(x, y)
        plain = build(Candidate(name="line", estimator=LINE), FEATURES[:1], seed=1, target=BINARY)
        assert model.predict_proba(x)[2, 1] > 0.5 > plain.fit(x, y).predict_proba(x)[2, 1]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"C": "much"}, "The 'C' parameter of LogisticRegression must be"),
        ({"C": -1}, "The 'C' parameter of LogisticRegression must be"),
        ({"c": 1}, "unexpected keyword argument 'c'"),
    ],
)
def test_an_estimator_judges_its_parameters_without_rows(
    params: dict[str, object], sentence: str
) -> None:
    with pytest.raises(
        TrainingError, match=r"candidate 'line': .* refuses its parameters"
    ) as raised:
        check_parameters(Candidate(name="line", estimator=LINE, params=params), target=BINARY)
    assert sentence in str(raised.value)


def test_sound_parameters_and_factories_pass() -> None:
    check_parameters(
        Candidate(name="line", estimator=LINE, params={"C": 0.1, "class_weight": {"0": 1, "1": 5}}),
        target=BINARY,
    )
    check_parameters(Candidate(name="made", factory=FACTORY, params={"x": 1}), target=BINARY)
