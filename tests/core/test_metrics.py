import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression

from mlops.core.metrics import MISSING, best_index, confusion, evaluate, importance, metrics
from mlops.core.records import Evaluation, from_json, to_json
from mlops.errors import DataRefused, PredictionError, TrainingError


def some_rows(rows=4_000, digits=None, seed=1):
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, 3))
    chance = 1 / (1 + np.exp(-(2 * matrix[:, 0] + matrix[:, 1] - 1)))
    y = random.random(rows) < chance
    score = np.clip(chance + random.normal(0, 0.1, rows), 0, 1)
    return matrix, y, score if digits is None else score.round(digits)


@pytest.mark.parametrize("digits", [None, 2, 1])
def test_agrees_with_scikit_learn_also_with_ties(digits):
    _, y, score = some_rows(digits=digits)
    found = metrics(y, score)
    assert found.rows == 4_000
    assert found.positives == y.sum()
    assert found.auc == pytest.approx(sklearn_metrics.roc_auc_score(y, score), abs=1e-12)
    assert found.average_precision == pytest.approx(
        sklearn_metrics.average_precision_score(y, score), abs=1e-12
    )
    assert found.log_loss == pytest.approx(sklearn_metrics.log_loss(y, score), abs=1e-12)
    assert found.brier == pytest.approx(sklearn_metrics.brier_score_loss(y, score), abs=1e-12)
    assert found.mean_score == pytest.approx(score.mean())


def test_calibration_agrees_with_scikit_learn():
    matrix, y, _ = some_rows()
    score = LogisticRegression().fit(matrix, y).predict_proba(matrix)[:, 1]
    share, mean = calibration_curve(y, score, n_bins=10, strategy="quantile")
    found = evaluated(matrix=matrix, y=y, score=score)
    assert found.calibration.x == pytest.approx(mean, abs=1e-6)
    assert found.calibration.y == pytest.approx(share, abs=1e-6)
    assert found.metrics.calibration_error == pytest.approx(np.abs(share - mean).mean(), abs=1e-6)


def test_calibration_error_by_hand():
    y = np.array([True, False, False, False])
    assert metrics(y, np.full(4, 0.25)).calibration_error == pytest.approx(0.0)
    assert metrics(y, np.full(4, 0.75)).calibration_error == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 1, allow_subnormal=False)), min_size=1, max_size=60
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(pairs, random):
    def of(rows):
        return asdict(metrics(np.array([y for y, _ in rows]), np.array([s for _, s in rows])))

    before = of(pairs)
    random.shuffle(pairs)
    assert of(pairs) == pytest.approx(before, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=80).filter(
        lambda pairs: len({y for y, _ in pairs}) == 2
    )
)
def test_auc_is_the_chance_to_rank_a_pair_rightly(pairs):
    y, score = np.array([y for y, _ in pairs]), np.array([s / 10 for _, s in pairs])
    difference = score[y][:, None] - score[~y][None, :]
    expected = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert metrics(y, score).auc == pytest.approx(expected)


@pytest.mark.parametrize("label", [True, False])
def test_one_class_has_no_auc(label):
    found = metrics(np.full(50, label), np.linspace(0, 1, 50))
    assert found.auc is None
    assert found.average_precision is None
    assert found.positive_share == (1.0 if label else 0.0)
    whole = evaluated(matrix=np.zeros((50, 1)), y=np.full(50, label), score=np.full(50, 0.3))
    assert whole.importance == ()
    assert whole.roc.x == whole.precision_recall.x == ()
    assert whole.metrics.log_loss > 0


def test_nothing_can_be_said_about_no_rows():
    with pytest.raises(DataRefused, match="no rows"):
        metrics(np.array([], dtype=bool), np.array([]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_scores_that_are_no_probabilities_are_refused(wrong):
    with pytest.raises(PredictionError, match="1 such scores among 3"):
        metrics(np.array([True, False, True]), np.array([0.1, wrong, 0.2]))


def test_lengths_and_labels_are_checked():
    with pytest.raises(ValueError, match="do not match"):
        metrics(np.array([True]), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="boolean"):
        metrics(np.array([0, 2]), np.array([0.1, 0.2]))
    assert metrics(np.array([0, 1]), np.array([0.1, 0.2])).auc == 1.0


def test_extreme_scores_have_a_finite_log_loss():
    found = metrics(np.array([True, False]), np.array([0.0, 1.0]))
    assert np.isfinite(found.log_loss)
    assert found.auc == 0.0


def evaluated(*, matrix, y, score, **more) -> Evaluation:
    names = [f"f{place}" for place in range(matrix.shape[1])]
    return evaluate(
        y=y,
        score=score,
        matrix=matrix,
        names=names,
        predict=lambda rows: np.full(len(rows), 0.5),
        **more,
    )


def test_curves_start_and_end_where_they_must():
    matrix, y, score = some_rows()
    found = evaluated(matrix=matrix, y=y, score=score)
    assert (found.roc.x[0], found.roc.y[0]) == (0.0, 0.0)
    assert (found.roc.x[-1], found.roc.y[-1]) == (1.0, 1.0)
    assert len(found.roc.x) == len(found.roc.y) <= 203
    assert list(found.roc.x) == sorted(found.roc.x)
    assert np.trapezoid(found.roc.y, found.roc.x) == pytest.approx(found.metrics.auc, abs=1e-3)
    recall, precision = found.precision_recall.x, found.precision_recall.y
    assert recall[-1] == 1.0
    assert precision[-1] == pytest.approx(y.mean(), abs=1e-6)
    assert len(recall) == len(precision) <= 203


def test_histogram_and_confusion_count_every_row():
    matrix, y, score = some_rows()
    score[:2] = (0.4, 1.0)
    found = evaluated(matrix=matrix, y=y, score=score, threshold=0.4)
    assert sum(found.score_histogram.y) == len(y)
    assert found.score_histogram.x[0] == 0.0
    assert found.score_histogram.x[-1] == pytest.approx(0.95)
    four = sklearn_metrics.confusion_matrix(y, score >= 0.4).ravel()
    cells = found.confusion
    assert [
        cells.true_negative,
        cells.false_positive,
        cells.false_negative,
        cells.true_positive,
    ] == four.tolist()
    assert confusion(y[:1], np.array([0.4]), 0.4).true_positive == int(y[0])


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
    assert found[0].metrics == metrics(y[jfk], score[jfk])
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
    found = importance(y=y, matrix=matrix, names=names, predict=predict)
    assert [name for name, _ in found] == ["strong", "weak", "none"]
    assert (matrix == before).all()
    assert found == importance(y=y, matrix=matrix, names=names, predict=predict)
    peer = permutation_importance(model, matrix, y, scoring="roc_auc", random_state=1, n_repeats=9)
    assert [fall for _, fall in found] == pytest.approx(peer.importances_mean, abs=0.02)


def test_importance_draws_at_most_twenty_thousand_rows():
    matrix, y, _ = some_rows(rows=30_000)
    sizes = set()

    def predict(rows):
        sizes.add(len(rows))
        return np.clip(rows[:, 0], 0, 1)

    importance(y=y, matrix=matrix, names=("a", "b", "c"), predict=predict)
    assert sizes == {20_000}


def test_an_evaluation_survives_json():
    matrix, y, score = some_rows()
    found = evaluated(matrix=matrix, y=y, score=score, slices={"f": ["a"] * len(y)})
    text = json.dumps(to_json(found), allow_nan=False)
    assert from_json(Evaluation, json.loads(text)) == found


def test_the_best_is_chosen_by_one_metric_and_the_first_of_equals():
    _, y, score = some_rows()
    good, same, bad = metrics(y, score), metrics(y, score), metrics(y, np.full(len(y), 0.5))
    assert best_index("auc", [bad, good, same]) == 1
    assert best_index("log_loss", [bad, good, same]) == 1
    none = metrics(np.full(9, True), np.full(9, 0.9))
    assert best_index("auc", [none, bad]) == 1
    assert best_index("brier", [bad, none]) == 1
    with pytest.raises(TrainingError, match="no candidate can be chosen by auc"):
        best_index("auc", [none, none])
