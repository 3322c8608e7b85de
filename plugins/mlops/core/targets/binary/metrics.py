"""How good probabilities of a true label are: metrics, curves and counts at a threshold.

AUC and average precision are None if the labels have one class only. The calibration error is
the expected calibration error over ten bins of equal count (Naeini et al. 2015); Brier score and
log loss are as in scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.core.records import Metrics
from mlops.core.targets.binary import ranking
from mlops.core.targets.binary.ranking import Bools, Floats, Ranked
from mlops.core.targets.binary.records import Confusion, Curve, Details
from mlops.core.targets.binary.scores import require_probabilities
from mlops.errors import DataRefused

HISTOGRAM_BINS = 20


def measure(y: NDArray[Any], score: NDArray[Any]) -> Metrics:
    """The metrics of some rows.

    :param y: labels, boolean (or 0 and 1), one for each row.
    :param score: predicted probabilities of a true label, 0 to 1, as many as ``y``.
    :raises DataRefused: there are no rows, so there is nothing to measure.
    :raises PredictionError: a score is NaN, infinite, or outside [0, 1] by more than rounding.
    :raises ValueError: ``y`` and ``score`` do not match.
    """
    labels, scores = _checked(y, score)
    return _metrics(labels, scores, ranking.rank(labels, scores))


def details(y: NDArray[Any], score: NDArray[Any], threshold: float) -> Details:
    """Curves and counts of some rows; errors are those of :func:`measure`.

    :param threshold: a row is flagged where its score is at or above it.
    """
    labels, scores = _checked(y, score)
    ranked = ranking.rank(labels, scores)
    roc, precision_recall = ranking.curves(ranked)
    counts, _ = np.histogram(scores, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return Details(
        roc=roc,
        precision_recall=precision_recall,
        calibration=ranking.calibration(ranked),
        score_histogram=Curve(
            x=tuple(edge / HISTOGRAM_BINS for edge in range(HISTOGRAM_BINS)),
            y=tuple(float(count) for count in counts),
        ),
        confusion=confusion(labels, scores, threshold),
    )


def confusion(y: NDArray[Any], score: NDArray[Any], threshold: float) -> Confusion:
    """The four counts where rows with a score at or above ``threshold`` are flagged."""
    labels, scores = _checked(y, score)
    flagged = scores >= threshold
    return Confusion(
        threshold=threshold,
        true_positive=int(np.count_nonzero(flagged & labels)),
        false_positive=int(np.count_nonzero(flagged & ~labels)),
        true_negative=int(np.count_nonzero(~flagged & ~labels)),
        false_negative=int(np.count_nonzero(~flagged & labels)),
    )


def _checked(y: NDArray[Any], score: NDArray[Any]) -> tuple[Bools, Floats]:
    labels, scores = np.asarray(y), np.asarray(score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} do not match")
    if not len(labels):
        raise DataRefused("there is nothing to measure", found="no rows", expected="at least one")
    if labels.dtype != np.bool_:
        if not np.isin(labels, (0, 1)).all():
            raise ValueError("labels must be boolean, or 0 and 1")
        labels = labels.astype(bool)
    require_probabilities(scores, rows=len(labels), what="rows to measure")
    # What rounding left beyond 0 and 1 would be lost in the bins of the histogram.
    return labels, np.clip(scores, 0.0, 1.0)


def _metrics(y: Bools, score: Floats, ranked: Ranked) -> Metrics:
    return Metrics(
        len(y),
        {
            "positives": int(np.count_nonzero(y)),
            "auc": ranking.auc(ranked),
            "average_precision": ranking.average_precision(ranked),
            "log_loss": _log_loss(y, score),
            "brier": float(np.mean(np.square(score - y))),
            "calibration_error": ranking.calibration_error(ranked),
            "mean_score": float(score.mean()),
        },
    )


def _log_loss(y: Bools, score: Floats) -> float:
    """Mean negative log-likelihood (Good 1952), scores kept off 0 and 1 as in scikit-learn."""
    tiny = np.finfo(np.float64).eps
    likelihood = np.where(y, score, 1.0 - score)
    return float(-np.mean(np.log(np.clip(likelihood, tiny, 1.0 - tiny))))
