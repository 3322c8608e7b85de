import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from mlops.core.targets.binary.metrics import confusion, details, measure
from mlops.core.targets.binary.records import positive_share
from mlops.errors import DataRefused, PredictionError
from tests.core.targets.rows import some_rows


@pytest.mark.parametrize("digits", [None, 2, 1])
def test_agrees_with_scikit_learn_also_with_ties(digits):
    _, y, score = some_rows(digits=digits)
    found = measure(y, score)
    assert found.rows == 4_000
    assert found["positives"] == y.sum()
    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, score), abs=1e-12)
    assert found["average_precision"] == pytest.approx(
        sklearn_metrics.average_precision_score(y, score), abs=1e-12
    )
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, score), abs=1e-12)
    assert found["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(y, score), abs=1e-12)
    assert found["mean_score"] == pytest.approx(score.mean())


def test_calibration_agrees_with_scikit_learn():
    matrix, y, _ = some_rows()
    score = LogisticRegression().fit(matrix, y).predict_proba(matrix)[:, 1]
    share, mean = calibration_curve(y, score, n_bins=10, strategy="quantile")
    found = details(y, score, 0.5)
    assert found.calibration.x == pytest.approx(mean, abs=1e-6)
    assert found.calibration.y == pytest.approx(share, abs=1e-6)
    error = measure(y, score)["calibration_error"]
    assert error == pytest.approx(np.abs(share - mean).mean(), abs=1e-6)


def test_calibration_error_by_hand():
    y = np.array([True, False, False, False])
    assert measure(y, np.full(4, 0.25))["calibration_error"] == pytest.approx(0.0)
    assert measure(y, np.full(4, 0.75))["calibration_error"] == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 1, allow_subnormal=False)), min_size=1, max_size=60
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(pairs, random):
    def of(rows):
        return measure(np.array([y for y, _ in rows]), np.array([s for _, s in rows])).write_json()

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
    assert measure(y, score)["auc"] == pytest.approx(expected)


@pytest.mark.parametrize("label", [True, False])
def test_one_class_has_no_auc(label):
    found = measure(np.full(50, label), np.linspace(0, 1, 50))
    assert found["auc"] is None
    assert found["average_precision"] is None
    assert positive_share(found) == (1.0 if label else 0.0)
    whole = details(np.full(50, label), np.full(50, 0.3), 0.5)
    assert whole.roc.x == whole.precision_recall.x == ()
    assert measure(np.full(50, label), np.full(50, 0.3))["log_loss"] > 0


def test_nothing_can_be_said_about_no_rows():
    with pytest.raises(DataRefused, match="no rows"):
        measure(np.array([], dtype=bool), np.array([]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_scores_that_are_no_probabilities_are_refused(wrong):
    with pytest.raises(PredictionError, match="1 such scores among 3"):
        measure(np.array([True, False, True]), np.array([0.1, wrong, 0.2]))


def test_lengths_and_labels_are_checked():
    with pytest.raises(ValueError, match="do not match"):
        measure(np.array([True]), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="boolean"):
        measure(np.array([0, 2]), np.array([0.1, 0.2]))
    assert measure(np.array([0, 1]), np.array([0.1, 0.2]))["auc"] == 1.0


def test_extreme_scores_have_a_finite_log_loss():
    found = measure(np.array([True, False]), np.array([0.0, 1.0]))
    assert np.isfinite(found["log_loss"])
    assert found["auc"] == 0.0


def test_curves_start_and_end_where_they_must():
    _, y, score = some_rows()
    found = details(y, score, 0.5)
    assert (found.roc.x[0], found.roc.y[0]) == (0.0, 0.0)
    assert (found.roc.x[-1], found.roc.y[-1]) == (1.0, 1.0)
    assert len(found.roc.x) == len(found.roc.y) <= 203
    assert list(found.roc.x) == sorted(found.roc.x)
    assert np.trapezoid(found.roc.y, found.roc.x) == pytest.approx(
        measure(y, score)["auc"], abs=1e-3
    )
    recall, precision = found.precision_recall.x, found.precision_recall.y
    assert recall[-1] == 1.0
    assert precision[-1] == pytest.approx(y.mean(), abs=1e-6)
    assert len(recall) == len(precision) <= 203


def test_histogram_and_confusion_count_every_row():
    _, y, score = some_rows()
    score[:2] = (0.4, 1.0)
    found = details(y, score, 0.4)
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
