"""The validation report: what approvers, legal and auditors read before a version goes live."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from mlops.core.records import CandidateResult, Check, GateResult, Metrics, Slice
from mlops.core.targets.binary.records import Details, details_of
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.selection import metric_info
from mlops.reports import charts, phrases
from mlops.reports.context import FeatureView, ValidationContext
from mlops.reports.html import render

TEMPLATE = "validation.html.j2"


@dataclass(frozen=True)
class SliceView:
    """One column's slices: the picture, and the table with each value's 95 % interval of AUC."""

    column: str
    picture: Markup | None
    rows: tuple[tuple[Slice, tuple[float, float] | None], ...]


@dataclass(frozen=True)
class OfHundred:
    """A share as a count of a hundred cases, with its picture."""

    count: int
    picture: Markup


@dataclass(frozen=True)
class ValidationView:
    """What the template adds to the context: sentences and pictures made from it."""

    passed: bool
    verdict: str
    details: Details
    failed_checks: tuple[Check, ...]
    general_checks: tuple[Check, ...]
    feature_checks: tuple[tuple[FeatureView, tuple[Check, ...]], ...]
    candidates: tuple[CandidateResult, ...]
    gates: tuple[tuple[GateResult, str], ...]
    auc_interval: tuple[float, float] | None
    flagged_share: float
    precision: OfHundred | None
    recall: OfHundred | None
    roc: Markup | None
    precision_recall: Markup | None
    calibration: Markup
    histogram: Markup
    importance: Markup | None
    slices: tuple[SliceView, ...]
    limitations: tuple[str, ...]
    missing_facts: tuple[str, ...]


def validation_report(context: ValidationContext, templates: Path) -> str:
    """The report as one HTML file that needs nothing else: no script, no font, no network.

    :param templates: a company's folder, whose files replace the shipped templates by name.
    :returns: the same text for the same context and templates.
    :raises SpecError: a template is broken.
    """
    return render(templates, TEMPLATE, report=context, view=_view(context))


def _view(context: ValidationContext) -> ValidationView:
    found, details = context.evaluation, details_of(context.evaluation)
    names = {feature.name for feature in context.features}
    by_feature = {
        feature: tuple(check for check in context.checks if check.subject == feature.name)
        for feature in context.features
    }
    precision, recall = _of_hundred(context)
    return ValidationView(
        passed=phrases.passed(context),
        verdict=phrases.verdict(context),
        details=details,
        failed_checks=tuple(check for check in context.checks if not check.passed),
        general_checks=tuple(check for check in context.checks if check.subject not in names),
        feature_checks=tuple(by_feature.items()),
        candidates=_ranked(context),
        gates=tuple((gate, phrases.gate_measured(gate)) for gate in context.gates),
        auc_interval=charts.auc_interval(found.metrics),
        flagged_share=phrases.flagged_share(details.confusion),
        precision=precision,
        recall=recall,
        roc=charts.roc(found),
        precision_recall=charts.precision_recall(found),
        calibration=charts.calibration(
            details.calibration, found.metrics["calibration_error"] or 0.0
        ),
        histogram=charts.histogram(details.score_histogram, details.confusion.threshold),
        importance=charts.importance(found.importance),
        slices=_slices(context),
        limitations=phrases.limitations(context),
        missing_facts=phrases.missing_facts(context),
    )


def _of_hundred(context: ValidationContext) -> tuple[OfHundred | None, OfHundred | None]:
    counts = phrases.flagged_of_hundred(details_of(context.evaluation).confusion)
    if counts is None:
        return None, None
    right, caught = counts
    return (
        OfHundred(right, charts.squares(right, f"{right} of 100 flagged {context.noun}")),
        OfHundred(caught, charts.squares(caught, f"{caught} of 100 true {context.noun}")),
    )


def _ranked(context: ValidationContext) -> tuple[CandidateResult, ...]:
    """The chosen candidate first, then the others by the metric that chose it."""
    sign = -1.0 if metric_info(BINARY, context.select_by).more_is_better else 1.0

    def order(candidate: CandidateResult) -> tuple[bool, bool, float, str]:
        value = _metric(candidate.metrics, context.select_by)
        return not candidate.chosen, value is None, sign * (value or 0.0), candidate.name

    return tuple(sorted(context.candidates, key=order))


def _metric(metrics: Metrics, name: str) -> float | None:
    return metrics[name]


def _slices(context: ValidationContext) -> tuple[SliceView, ...]:
    found = context.evaluation
    views = []
    for column, group in groupby(found.slices, key=lambda item: item.column):
        items = tuple(group)
        bound = _lower_bound(context.gates, "auc", column)
        views.append(
            SliceView(
                column=column,
                picture=charts.slices(column, items, found.metrics, bound),
                rows=tuple((item, charts.auc_interval(item.metrics)) for item in items),
            )
        )
    return tuple(views)


def _lower_bound(gates: tuple[GateResult, ...], metric: str, column: str) -> float | None:
    """The lower bound that a gate sets for the slices of a column."""
    of_slices = (gate for gate in gates if (gate.metric, gate.column) == (metric, column))
    return next((gate.limit for gate in of_slices if gate.direction == "at_least"), None)
