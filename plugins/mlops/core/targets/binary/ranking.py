"""Rows ranked by their score, and what can be read from the ranking alone.

Scores are sorted once; each figure comes from the counts of rows and of positives at each distinct
score. So no figure depends on the order of the rows, ties included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.core.targets.binary.records import Curve

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

CALIBRATION_BINS = 10
CURVE_POINTS = 201
_DIGITS = 6  # of curve points: they are for drawing


@dataclass(frozen=True)
class Ranked:
    """Rows and positives at each distinct score, from the lowest score to the highest."""

    score: Floats
    rows: Floats
    positives: Floats

    @property
    def one_class(self) -> bool:
        """Whether all labels are the same, so that nothing can be ranked above anything."""
        return bool(self.positives.sum() in (0, self.rows.sum()))


def rank(y: Bools, score: Floats) -> Ranked:
    """Rank rows by score; ``y`` and ``score`` have one length, at least 1."""
    order = np.argsort(score)
    ordered, hits = score[order], y[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return Ranked(
        score=ordered[first],
        rows=np.diff(np.append(first, len(ordered))).astype(np.float64),
        positives=np.add.reduceat(hits.astype(np.float64), first),
    )


def auc(ranked: Ranked) -> float | None:
    """Chance that a positive scores above a negative, ties counted half.

    The Mann-Whitney statistic (Hanley and McNeil 1982, Radiology 143), equal to the area under
    the ROC curve by trapezoids.
    """
    if ranked.one_class:
        return None
    negatives = ranked.rows - ranked.positives
    below = np.cumsum(negatives) - negatives
    wins = np.sum(ranked.positives * (below + negatives / 2.0))
    return float(wins / (ranked.positives.sum() * negatives.sum()))


def average_precision(ranked: Ranked) -> float | None:
    """Sum of precision times the step of recall, from the highest score down.

    Without interpolation, as in scikit-learn (Davis and Goadrich 2006 say why).
    """
    if ranked.one_class:
        return None
    hits = ranked.positives[::-1]
    precision = np.cumsum(hits) / np.cumsum(ranked.rows[::-1])
    return float(np.sum(precision * hits) / hits.sum())


def bins(ranked: Ranked) -> tuple[Floats, Floats, Floats]:
    """Rows, mean score and share of positives in ten bins of equal count, the lowest first.

    Rows of one score stay in one bin, that of their middle rank; so ties, which no order of the
    rows can settle, do not change the figure, and a constant score makes a single bin.
    """
    middle = np.cumsum(ranked.rows) - ranked.rows / 2.0
    place = np.floor(CALIBRATION_BINS * middle / ranked.rows.sum()).astype(np.intp)
    rows = np.bincount(place, weights=ranked.rows).astype(np.float64)
    scores = np.bincount(place, weights=ranked.rows * ranked.score)
    hits = np.bincount(place, weights=ranked.positives)
    kept = rows > 0
    return rows[kept], scores[kept] / rows[kept], hits[kept] / rows[kept]


def calibration_error(ranked: Ranked) -> float:
    """Expected calibration error: mean gap between mean score and share of positives by bin.

    Naeini, Cooper and Hauskrecht 2015 (AAAI), with bins of equal count.
    """
    rows, score, share = bins(ranked)
    return float(np.sum(rows * np.abs(score - share)) / rows.sum())


def calibration(ranked: Ranked) -> Curve:
    """Mean score (x) and share of positives (y) of the same ten bins."""
    _, score, share = bins(ranked)
    return _curve(score, share)


def curves(ranked: Ranked) -> tuple[Curve, Curve]:
    """ROC (false against true positive rate) and precision (y) over recall (x), thinned."""
    if ranked.one_class:
        return Curve((), ()), Curve((), ())
    hits = np.cumsum(ranked.positives[::-1])
    flagged = np.cumsum(ranked.rows[::-1])
    true_rate = np.append(0.0, hits / hits[-1])
    false_rate = np.append(0.0, (flagged - hits) / (flagged[-1] - hits[-1]))
    kept = _thinned(true_rate + false_rate)
    roc = _curve(false_rate[kept], true_rate[kept])
    kept = _thinned(hits / hits[-1])
    return roc, _curve((hits / hits[-1])[kept], (hits / flagged)[kept])


def _thinned(along: Floats) -> NDArray[np.intp]:
    """Urls of about 200 points, evenly spread along a rising line, both ends kept."""
    wanted = np.linspace(along[0], along[-1], CURVE_POINTS)
    places = np.searchsorted(along, wanted).clip(0, len(along) - 1)
    return np.unique(np.append(places, (0, len(along) - 1)))


def _curve(x: Floats, y: Floats) -> Curve:
    return Curve(tuple(x.round(_DIGITS).tolist()), tuple(y.round(_DIGITS).tolist()))
