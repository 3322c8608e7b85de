"""The pictures of two-valued labels, each from records alone."""

from __future__ import annotations

import math

from markupsafe import Markup

from mlops.core.records import Metrics
from mlops.core.targets.binary.records import Confusion, Curve, Details, positive_share
from mlops.reports.format import count, decimal
from mlops.reports.svg import (
    ACCENT,
    GRID,
    INK,
    NEUTRAL,
    Canvas,
    Frame,
    Point,
    framed,
    round_up,
    ticks,
)

HALF = (400.0, 310.0)  # width and height of a picture that shares its line with another
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LEAST_RECALL = 0.01
_95_PERCENT = 1.959964


def roc(found: Metrics, details: Details) -> Markup | None:
    """True against false positive rate; None if the rows have one class only."""
    curve = details.roc
    if not curve.x:
        return None
    canvas = Canvas(*HALF, f"ROC curve; the area under it (AUC) is {decimal(found['auc'])}")
    frame = framed(canvas, x=(0, 1), y=(0, 1))
    points = [frame.at(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    canvas.area([*points, frame.at(1, 0), frame.at(0, 0)])
    frame.grid(
        x_ticks=FIFTHS,
        y_ticks=FIFTHS,
        x_title="False positive rate",
        y_title="True positive rate",
    )
    canvas.line(frame.at(0, 0), frame.at(1, 1), dash="4 4")
    canvas.path(points)
    cells = details.confusion
    negatives = cells.false_positive + cells.true_negative
    positives = cells.true_positive + cells.false_negative
    at = cells.false_positive / negatives, cells.true_positive / positives
    _operating(frame, at, cells, below=True)
    _note(canvas, frame.at(0.97, 0.06), f"AUC {decimal(found['auc'])}")
    return canvas.render()


def precision_recall(found: Metrics, details: Details) -> Markup | None:
    """Precision over recall; None if the rows have one class only."""
    curve = details.precision_recall
    if not curve.x:
        return None
    canvas = Canvas(
        *HALF,
        "Precision over recall; the average precision is " + decimal(found["average_precision"]),
    )
    frame = framed(canvas, x=(0, 1), y=(0, 1))
    # Below, a point rests on a handful of rows and jumps about.
    drawn = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if x >= LEAST_RECALL]
    points = [frame.at(x, y) for x, y in drawn]
    canvas.area([(points[0][0], frame.y(0)), *points, frame.at(1, 0)])
    frame.grid(x_ticks=FIFTHS, y_ticks=FIFTHS, x_title="Recall", y_title="Precision")
    share = positive_share(found)
    canvas.line(frame.at(0, share), frame.at(1, share), dash="4 4")
    canvas.path(points)
    cells = details.confusion
    flagged = cells.true_positive + cells.false_positive
    if flagged:
        positives = cells.true_positive + cells.false_negative
        at = cells.true_positive / positives, cells.true_positive / flagged
        _operating(frame, at, cells, below=False)
    words = f"Average precision {decimal(found['average_precision'])}"
    _note(canvas, frame.at(0.97, 0.06), words)
    return canvas.render()


def calibration(curve: Curve, error: float) -> Markup:
    """Share of positives over mean score, in ten bins of equal count."""
    top = min(1.0, round_up(max((*curve.x, *curve.y, 0.1)) * 1.05))
    canvas = Canvas(*HALF, f"Calibration curve; the mean gap is {decimal(error)}")
    frame = framed(canvas, x=(0, top), y=(0, top))
    places = ticks(0, top)
    frame.grid(x_ticks=places, y_ticks=places, x_title="Mean score", y_title="Share that came true")
    canvas.line(frame.at(0, 0), frame.at(top, top), dash="4 4")
    points = [frame.at(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    canvas.path(points, width=1.5)
    for point in points:
        canvas.dot(point)
    _note(canvas, frame.at(top * 0.97, top * 0.06), f"Mean gap {decimal(error)}")
    return canvas.render()


def histogram(curve: Curve, threshold: float) -> Markup:
    """How many rows got which score, those at or above the threshold in colour."""
    total = sum(curve.y)
    width = curve.x[1] - curve.x[0] if len(curve.x) > 1 else 1.0
    top = round_up(max((*curve.y, 1.0)) * 1.08)
    canvas = Canvas(*HALF, f"Histogram of {count(total)} scores, with the threshold {threshold:g}")
    frame = framed(canvas, x=(0, 1), y=(0, top), left=66)
    frame.grid(x_ticks=FIFTHS, y_ticks=ticks(0, top), x_title="Score", y_title="Rows")
    for left, rows in zip(curve.x, curve.y, strict=True):
        corner, foot = frame.at(left, rows), frame.at(left + width, 0)
        fill = ACCENT if left >= threshold - 1e-9 else NEUTRAL
        size = (foot[0] - corner[0] - 1.5, foot[1] - corner[1])
        canvas.rect((corner[0] + 0.75, corner[1]), size, fill=fill)
    place = frame.x(threshold)
    canvas.line((place, frame.y.start), (place, frame.y.end), color=INK, width=1.5, dash="5 3")
    room = threshold <= 0.6  # noqa: PLR2004 (else the words would leave the picture)
    beside = (place + (6 if room else -6), frame.y.end + 12)
    _note(canvas, beside, f"Threshold {threshold:g}", "start" if room else "end")
    return canvas.render()


def squares(filled: int, words: str, *, color: str = ACCENT) -> Markup:
    """One hundred squares, ``filled`` of them in colour: a share as a count of cases."""
    size, gap = 11.0, 2.5
    side = 10 * (size + gap) - gap
    canvas = Canvas(side, side, words)
    for place in range(100):
        row, column = divmod(place, 10)
        corner = (column * (size + gap), row * (size + gap))
        fill = color if place < filled else GRID
        canvas.rect(corner, (size, size), fill=fill, radius=1.5)
    return canvas.render()


def auc_interval(metrics: Metrics) -> tuple[float, float] | None:
    """A 95 % interval of AUC, within 0 and 1; None without an AUC.

    Standard error of Hanley and McNeil 1982 (Radiology 143), which takes rows as independent; in
    data where days differ from one another, the truth is wider.
    """
    return None if metrics["auc"] is None else _interval(metrics)


def _interval(metrics: Metrics) -> tuple[float, float]:
    auc, positives = metrics["auc"] or 0.0, metrics["positives"] or 0
    negatives = metrics.rows - positives
    q1, q2 = auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    error = math.sqrt(max(spread, 0.0) / max(positives * negatives, 1))
    return max(0.0, auc - _95_PERCENT * error), min(1.0, auc + _95_PERCENT * error)


def _operating(frame: Frame, at: Point, cells: Confusion, *, below: bool) -> None:
    """Mark where the threshold in force puts the model on its curve, beside the curve."""
    x, y = frame.at(*at)
    frame.canvas.dot((x, y), radius=5, fill=INK)
    right = at[0] <= 0.6  # noqa: PLR2004 (else the words would leave the picture)
    place = (x + (10 if right else -10), y + (18 if below else -9))
    words, anchor = f"threshold {cells.threshold:g}", "start" if right else "end"
    frame.canvas.text(place, words, color=INK, anchor=anchor, halo=True)


def _note(canvas: Canvas, at: Point, words: str, anchor: str = "end") -> None:
    """What a picture comes to, in a few words inside it."""
    canvas.text(at, words, color=INK, bold=True, anchor=anchor, halo=True)
