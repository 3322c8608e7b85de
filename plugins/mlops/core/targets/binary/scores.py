"""From a fitted classifier to probabilities: one path, and one rule for what a score may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.core.targets.target import LOOK, ROUNDING
from mlops.errors import PredictionError

Floats = NDArray[np.float64]

LOWEST, HIGHEST = -ROUNDING, 1.0 + ROUNDING

_CLASSES = 2


def predict_scores(estimator: Any, matrix: Floats) -> Floats:
    """Score encoded rows.

    :param matrix: float64 of shape (rows, features), from the encoder of the estimator's training.
    :returns: the probability of a true label, float64 of shape (rows,).
    :raises PredictionError: the estimator does not give two probabilities for each row. Whether
        they are probabilities is the matter of :func:`require_probabilities`, whose caller can
        name the rows.
    """
    if not len(matrix):
        return np.empty(0, dtype=np.float64)
    if not hasattr(estimator, "predict_proba"):
        raise _not_two_classes(f"{type(estimator).__name__} without predict_proba")
    probabilities = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    if probabilities.shape != (len(matrix), _CLASSES):
        raise _not_two_classes(f"shape {probabilities.shape} for {len(matrix):,} rows")
    return probabilities[:, 1]


def require_probabilities(
    scores: Floats,
    *,
    rows: int,
    what: str,
    name_row: Callable[[int], str] = "row {}".format,
    action: str = LOOK,
) -> None:
    """Refuse scores that are NaN, infinite, or outside [0, 1] by more than rounding.

    :param rows: how many rows were scored.
    :param what: what was scored, or what scored it, for the message.
    :param name_row: the name of a row, from its place.
    :param action: what the reader can do about the row.
    :raises PredictionError: naming the first such row, or the shape if it is not (rows,).
    """
    if scores.shape != (rows,):
        raise PredictionError(
            f"{what}: one score for each row is needed",
            found=f"shape {scores.shape}",
            expected=f"shape ({rows},)",
        )
    # NaN fails both comparisons.
    wrong = np.flatnonzero(~((scores >= LOWEST) & (scores <= HIGHEST)))
    if wrong.size:
        row = int(wrong[0])
        raise PredictionError(
            f"{what}: the score of {name_row(row)} is outside [0, 1]",
            found=f"{scores[row]}, and {wrong.size:,} such scores among {rows:,} rows",
            expected="a number from 0 to 1 for each row",
            action=action,
        )


def _not_two_classes(found: str) -> PredictionError:
    return PredictionError(
        "predict_proba of an estimator",
        found=found,
        expected="two probabilities for each row: a classifier of two classes",
        action="choose another estimator, or wrap it in CalibratedClassifierCV",
    )
