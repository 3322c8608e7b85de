"""How labels of two values are shown: curves, calibration, and what a flag is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mlops.core.records import Metrics
from mlops.core.targets.binary.label_facts import SHARE
from mlops.core.targets.binary.records import Confusion, Details, details_of, positive_share
from mlops.reports.context import ValidationContext
from mlops.reports.format import percent
from mlops.reports.targets.binary import charts
from mlops.reports.targets.report import Interval, TargetReport
from mlops.spec.model import Deploy


@dataclass(frozen=True)
class OfHundred:
    """A share as a count of a hundred cases, with its picture."""

    count: int
    picture: Markup


@dataclass(frozen=True)
class BinaryView:
    """What the template shows beside the context."""

    details: Details
    auc_interval: Interval | None
    flagged_share: float
    precision: OfHundred | None
    recall: OfHundred | None
    roc: Markup | None
    precision_recall: Markup | None
    calibration: Markup
    histogram: Markup


class BinaryReport(TargetReport):
    """The share of true labels beside the metrics, AUC with its interval, and curves."""

    key_metrics = ("auc", "brier", "calibration_error")
    template_name = "target_binary.html.j2"

    def view(self, context: ValidationContext) -> BinaryView:
        """Pictures of the test rows."""
        found, details = context.evaluation.metrics, details_of(context.evaluation)
        precision, recall = _of_hundred(details.confusion, context.noun)
        return BinaryView(
            details=details,
            auc_interval=charts.auc_interval(found),
            flagged_share=flagged_share(details.confusion),
            precision=precision,
            recall=recall,
            roc=charts.roc(found, details),
            precision_recall=charts.precision_recall(found, details),
            calibration=charts.calibration(details.calibration, found["calibration_error"] or 0.0),
            histogram=charts.histogram(details.score_histogram, details.confusion.threshold),
        )

    def label_text(self, labels: Mapping[str, Any]) -> str | None:
        """The share of true labels."""
        share = labels.get(SHARE)
        return None if share is None else percent(share)

    def figures(self, metrics: Metrics, label: str) -> tuple[tuple[str, str], ...]:
        """The share of true labels, and the mean score beside it."""
        return (
            (label, percent(positive_share(metrics))),
            ("Mean score", percent(metrics["mean_score"])),
        )

    def interval(self, metrics: Metrics, name: str) -> Interval | None:
        """That of AUC."""
        return charts.auc_interval(metrics) if name == "auc" else None

    def summary(self, context: ValidationContext) -> str:
        """The metrics, and what a flag is worth at the threshold."""
        text = super().summary(context)
        confusion = details_of(context.evaluation).confusion
        shares = flagged_of_hundred(confusion)
        if shares is None:
            return text
        label = context.label
        return (
            f"{text} At the threshold {confusion.threshold:g}, "
            f"{percent(flagged_share(confusion))} are flagged: of 100 flagged, {shares[0]} "
            f"were {label}; of 100 that were {label}, {shares[1]} had been flagged."
        )

    def label_sentence(self, metrics: Metrics, label: str) -> str:
        """The share of true labels."""
        return f"{label} is true in {percent(positive_share(metrics))} of them."

    def decision_sentence(self, deploy: Deploy) -> str:
        """The threshold."""
        return f"A row is flagged where its score is {deploy.threshold:g} or more."


def flagged_of_hundred(cells: Confusion) -> tuple[int, int] | None:
    """Of a hundred flagged rows how many came true; of a hundred true ones how many were flagged.

    None if nothing was flagged, or nothing was true.
    """
    flagged = cells.true_positive + cells.false_positive
    positives = cells.true_positive + cells.false_negative
    if not flagged or not positives:
        return None
    return (
        round(100 * cells.true_positive / flagged),
        round(100 * cells.true_positive / positives),
    )


def flagged_share(cells: Confusion) -> float:
    """Share of all rows at or above the threshold."""
    rows = cells.true_positive + cells.false_positive + cells.true_negative + cells.false_negative
    return (cells.true_positive + cells.false_positive) / rows if rows else 0.0


def _of_hundred(cells: Confusion, noun: str) -> tuple[OfHundred | None, OfHundred | None]:
    counts = flagged_of_hundred(cells)
    if counts is None:
        return None, None
    right, caught = counts
    return (
        OfHundred(right, charts.squares(right, f"{right} of 100 flagged {noun}")),
        OfHundred(caught, charts.squares(caught, f"{caught} of 100 true {noun}")),
    )


BINARY_REPORT = BinaryReport("binary")
