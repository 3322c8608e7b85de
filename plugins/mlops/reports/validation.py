"""The validation report: what approvers, legal and auditors read before a version goes live."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mlops.core.records import CandidateResult, Check, GateResult, Slice
from mlops.core.targets.selection import metric_info
from mlops.core.targets.target import MetricInfo, Target
from mlops.reports import charts, phrases
from mlops.reports.context import FeatureView, ValidationContext
from mlops.reports.format import count, decimal
from mlops.reports.html import render
from mlops.reports.targets.report import Interval, TargetReport, target_report

TEMPLATE = "validation.html.j2"


@dataclass(frozen=True)
class SliceView:
    """One column's slices: the picture, and a table of their figures.

    :ivar intervals: of the main metric, for each slice; None for one without.
    :ivar cells: the table, a row for each slice, below ``titles``.
    """

    column: str
    picture: Markup | None
    titles: tuple[str, ...]
    slices: tuple[Slice, ...]
    intervals: tuple[Interval | None, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Tile:
    """A number in large letters, and what it is."""

    value: str
    words: str


@dataclass(frozen=True)
class ValidationView:
    """What the template adds to the context: sentences and pictures made from it.

    :ivar target: what the target adds.
    :ivar quality: the section on quality, as the target shows it.
    :ivar labels: what is known of the labels in training and in testing.
    """

    passed: bool
    verdict: str
    tiles: tuple[Tile, ...]
    failed_checks: tuple[Check, ...]
    general_checks: tuple[Check, ...]
    feature_checks: tuple[tuple[FeatureView, tuple[Check, ...]], ...]
    metrics: tuple[MetricInfo, ...]
    candidates: tuple[CandidateResult, ...]
    gates: tuple[tuple[GateResult, str], ...]
    labels: tuple[str | None, str | None]
    target: Any
    quality: Markup
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
    return render(templates, TEMPLATE, report=context, view=_view(context, templates))


def _view(context: ValidationContext, templates: Path) -> ValidationView:
    found, shown = context.evaluation, target_report(context.target)
    names = {feature.name for feature in context.features}
    by_feature = {
        feature: tuple(check for check in context.checks if check.subject == feature.name)
        for feature in context.features
    }
    target_view = shown.view(context)
    quality = render(
        templates, shown.template_name, shown.template, report=context, view=target_view
    )
    return ValidationView(
        passed=phrases.passed(context),
        verdict=phrases.verdict(context),
        tiles=_tiles(context, shown),
        failed_checks=tuple(check for check in context.checks if not check.passed),
        general_checks=tuple(check for check in context.checks if check.subject not in names),
        feature_checks=tuple(by_feature.items()),
        metrics=shown.target.metrics,
        candidates=_ranked(context, shown.target),
        gates=tuple((gate, phrases.gate_measured(gate)) for gate in context.gates),
        labels=(shown.label_text(context.train.labels), shown.label_text(context.test.labels)),
        target=target_view,
        # Safe: a template was rendered, with autoescape on.
        quality=Markup(quality),  # noqa: S704
        importance=charts.importance(found.importance, shown.main_metric),
        slices=tuple(
            _slice_view(context, shown, tuple(group))
            for _, group in groupby(found.slices, key=lambda item: item.column)
        ),
        limitations=phrases.limitations(context),
        missing_facts=phrases.missing_facts(context),
    )


def _tiles(context: ValidationContext, shown: TargetReport) -> tuple[Tile, ...]:
    """The metrics with their intervals, the rows, and what describes them."""
    found = context.evaluation.metrics
    tiles = []
    for metric in shown.shown_metrics:
        words, interval = metric.title, shown.interval(found, metric.name)
        if interval is not None:
            words += f" ({decimal(interval[0], 2)} to {decimal(interval[1], 2)})"
        tiles.append(Tile(decimal(found[metric.name]), words))
    tiles.append(Tile(count(found.rows), f"test {context.noun}, {context.test.period.words()}"))
    labels = shown.label_text(context.test.labels)
    return (*tiles, Tile(labels, f"of them {context.label}")) if labels else tuple(tiles)


def _ranked(context: ValidationContext, target: Target) -> tuple[CandidateResult, ...]:
    """The chosen candidate first, then the others by the metric that chose it."""
    sign = -1.0 if metric_info(target, context.select_by).more_is_better else 1.0

    def order(candidate: CandidateResult) -> tuple[bool, bool, float, str]:
        value = candidate.metrics[context.select_by]
        return not candidate.chosen, value is None, sign * (value or 0.0), candidate.name

    return tuple(sorted(context.candidates, key=order))


def _slice_view(
    context: ValidationContext, shown: TargetReport, items: tuple[Slice, ...]
) -> SliceView:
    main, label = shown.main_metric, context.label
    intervals = tuple(shown.interval(item.metrics, main.name) for item in items)
    titles = [title for title, _ in shown.figures(items[0].metrics, label)]
    return SliceView(
        column=items[0].column,
        picture=charts.slices(
            items,
            context.evaluation.metrics,
            main,
            interval=lambda metrics: shown.interval(metrics, main.name),
            gate=_gate_of(context.gates, main.name, items[0].column),
        ),
        titles=(
            *titles,
            *(metric.title for metric in shown.shown_metrics),
            *([f"95 % interval of {main.title}"] if any(intervals) else []),
        ),
        slices=items,
        intervals=intervals,
        cells=tuple(
            (
                *(text for _, text in shown.figures(item.metrics, label)),
                *(decimal(item.metrics[metric.name]) for metric in shown.shown_metrics),
                *([_interval_text(interval)] if any(intervals) else []),
            )
            for item, interval in zip(items, intervals, strict=True)
        ),
    )


def _interval_text(interval: Interval | None) -> str:
    return "" if interval is None else f"{decimal(interval[0])} to {decimal(interval[1])}"


def _gate_of(gates: tuple[GateResult, ...], metric: str, column: str) -> GateResult | None:
    """The gate that the slices of a column have to pass."""
    return next((gate for gate in gates if (gate.metric, gate.column) == (metric, column)), None)
