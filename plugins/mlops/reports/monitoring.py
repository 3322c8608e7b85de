"""The monitoring report: how one version did in one window, and what may be done now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from mlops.core.records import FeatureDrift, State
from mlops.reports import monitor_charts as charts
from mlops.reports import phrases
from mlops.reports.context import Action, MonitoringContext, WindowResult
from mlops.reports.format import amount, decimal, metric
from mlops.reports.html import render
from mlops.reports.targets.report import Interval, target_report

TEMPLATE = "monitoring.html.j2"
WINDOWS_SHOWN = 12
BAD_FIRST: dict[State, int] = {"alarm": 0, "warn": 1, "ok": 2, "not_enough_data": 3}


@dataclass(frozen=True)
class HeatCell:
    """One feature in one window: the class of its colour, and its value as text."""

    css: str
    text: str
    state: State


@dataclass(frozen=True)
class HeatMap:
    """Features by windows, the feature that drifts most on top and the newest window last."""

    windows: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


@dataclass(frozen=True)
class Figures:
    """What describes the labelled rows of each window; a window without labels has no cells."""

    titles: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class MonitoringView:
    """What the template adds to the context: sentences and pictures made from it."""

    headline: str
    kpi_sentence: str
    reasons: tuple[str, ...]
    labels: str
    windows: tuple[WindowResult, ...]
    figures: Figures
    intervals: bool
    drift: tuple[tuple[FeatureDrift, Markup], ...]
    drifting: int
    drift_sentence: str
    heat: HeatMap
    kpi: Markup | None
    performance: Markup | None
    volumes: Markup
    actions: tuple[Action, ...]
    missing_facts: tuple[str, ...]


def monitoring_report(context: MonitoringContext, templates: Path) -> str:
    """The report as one HTML file that needs nothing else: no script, no font, no network.

    :param templates: a company's folder, whose files replace the shipped templates by name.
    :returns: the same text for the same context and templates.
    :raises SpecError: a template is broken.
    """
    return render(templates, TEMPLATE, report=context, view=_view(context))


def usual_actions(context: MonitoringContext) -> tuple[Action, ...]:
    """Rerun, roll back, retrain: when each is right, and how it is done."""
    model = context.model
    rerun = Action(
        "Rerun",
        "The data came late or were wrong, and have been put right.",
        f"Clear the window's run of {model}_score, then that of {model}_monitor. Every task may be "
        "run again; the window is replaced, not added to.",
    )
    retrain = Action(
        "Retrain",
        "The data are right and the world has changed.",
        f"Start {model}_release. Nothing goes live without its signatures.",
    )
    if context.previous_version is None:
        return rerun, retrain
    back = Action(
        "Roll back",
        "This version does harm, or does worse than the one before it.",
        f"Make version {context.previous_version} live again. Its signatures are checked first, "
        "and a reason is asked for.",
    )
    return rerun, back, retrain


def _view(context: MonitoringContext) -> MonitoringView:
    now = WindowResult(context.window, context.result)
    windows = (*context.earlier, now)[-WINDOWS_SHOWN:]
    ranked = _ranked(context.result.drift)
    return MonitoringView(
        headline=phrases.monitor_headline(context),
        kpi_sentence=phrases.ended(context.result.kpi.sentence),
        reasons=tuple(
            reason
            for reason in context.result.reasons
            if reason != context.result.kpi.sentence  # which the report states first of all
        ),
        labels=phrases.labels_sentence(context),
        windows=windows,
        figures=_figures(windows, context),
        intervals=any(_interval(window, context) for window in windows),
        drift=tuple(
            (
                item,
                charts.drift_bar(item, warn=context.drift_warn, alarm=context.drift_alarm),
            )
            for item in ranked
        ),
        drifting=sum(item.state in ("warn", "alarm") for item in ranked),
        drift_sentence=phrases.drift_sentence(context),
        heat=_heat(windows, ranked, context),
        kpi=_kpi(windows, context),
        performance=_performance(windows, context),
        volumes=charts.volumes(
            [charts.axis_label(window.period) for window in windows],
            [window.result.performance.rows for window in windows],
            [window.result.performance.labels for window in windows],
        ),
        actions=context.actions or usual_actions(context),
        missing_facts=phrases.monitor_missing(context),
    )


def _ranked(drift: Sequence[FeatureDrift]) -> tuple[FeatureDrift, ...]:
    return tuple(sorted(drift, key=lambda d: (BAD_FIRST[d.state], -d.value, d.feature)))


def _kpi(windows: Sequence[WindowResult], context: MonitoringContext) -> Markup | None:
    kpi = context.result.kpi
    points = [
        charts.TrendPoint(
            label=charts.axis_label(window.period),
            value=window.result.kpi.value,
            state="alarm" if window.result.kpi.reached is False else "ok",
        )
        for window in windows
    ]
    target = charts.Level(kpi.target, f"target {amount(kpi.target)}", firm=True)
    return charts.trend(points, [target], title=kpi.unit, digits=1)


def _figures(windows: Sequence[WindowResult], context: MonitoringContext) -> Figures:
    shown, watched = target_report(context.target), context.result.performance.metric
    others = [metric for metric in shown.shown_metrics if metric.name != watched]
    measured = [window.result.performance.metrics for window in windows]
    example = next((metrics for metrics in measured if metrics is not None), None)
    titles = [title for title, _ in shown.figures(example, context.label)] if example else []
    return Figures(
        titles=(*titles, *(metric.title for metric in others)),
        cells=tuple(
            ()
            if metrics is None
            else (
                *(text for _, text in shown.figures(metrics, context.label)),
                *(decimal(metrics[metric.name]) for metric in others),
            )
            for metrics in measured
        ),
    )


def _interval(window: WindowResult, context: MonitoringContext) -> Interval | None:
    found = window.result.performance
    if found.metrics is None:
        return None
    return target_report(context.target).interval(found.metrics, found.metric)


def _performance(windows: Sequence[WindowResult], context: MonitoringContext) -> Markup | None:
    name = context.result.performance.metric
    points = [
        charts.TrendPoint(
            label=charts.axis_label(window.period),
            value=window.result.performance.measured,
            state=window.result.performance.state,
            interval=_interval(window, context),
            partial=window.result.performance.labels < window.result.performance.rows,
        )
        for window in windows
    ]
    levels = []
    validated = context.validated[name] if context.validated else None
    if validated is not None:
        levels.append(charts.Level(validated, f"at validation {decimal(validated)}", firm=False))
    if context.performance_bound is not None:
        bound = context.performance_bound
        levels.append(charts.Level(bound, f"bound {bound:g}", firm=True))
    return charts.trend(points, levels, title=metric(name, context.target))


def _heat(
    windows: Sequence[WindowResult], ranked: Sequence[FeatureDrift], context: MonitoringContext
) -> HeatMap:
    found = [{item.feature: item for item in window.result.drift} for window in windows]
    return HeatMap(
        windows=tuple(charts.axis_label(window.period) for window in windows),
        rows=tuple(
            (
                item.feature,
                tuple(_cell(features.get(item.feature), context) for features in found),
            )
            for item in ranked
        ),
    )


def _cell(found: FeatureDrift | None, context: MonitoringContext) -> HeatCell:
    if found is None or found.state == "not_enough_data":
        return HeatCell("hn", "–", "not_enough_data")
    css = {
        "ok": "h1" if found.value >= context.drift_warn / 2 else "h0",
        "warn": "h2",
        "alarm": "h4" if found.value >= 2 * context.drift_alarm else "h3",
    }[found.state]
    return HeatCell(css, f"{found.value:.2f}", found.state)
