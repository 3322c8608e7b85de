"""What an evaluation of two-valued labels holds beside its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.core.records import Evaluation, Metrics, from_json


@dataclass(frozen=True)
class Curve:
    """Points of a curve, thinned for drawing: ``x`` and ``y`` have the same length."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Confusion:
    """Counts at the threshold in force."""

    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


@dataclass(frozen=True)
class Details:
    """Curves and counts.

    ``calibration``: x = mean score of a bin, y = share of positives in it. ``score_histogram``:
    x = 20 left edges from 0 to 0.95, y = counts.
    """

    roc: Curve
    precision_recall: Curve
    calibration: Curve
    score_histogram: Curve
    confusion: Confusion


def details_of(evaluation: Evaluation) -> Details:
    """The details of an evaluation of this target."""
    return from_json(Details, evaluation.details)


def positive_share(metrics: Metrics) -> float:
    """Share of rows whose label is true, 0 to 1."""
    return (metrics["positives"] or 0) / metrics.rows if metrics.rows else 0.0
