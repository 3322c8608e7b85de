"""The one picture of a model's page: how it did, window by window."""

from __future__ import annotations

from markupsafe import Markup

from mlops.reports.format import metric
from mlops.reports.monitor_charts import Level, TrendPoint, axis_label, trend
from mlops.views.history import ModelHistory
from mlops.views.records import Window

MAX_WINDOWS = 24  # windows; more could not be seen apart


def performance_trend(history: ModelHistory) -> Markup | None:
    """The metric that the spec watches, over the last windows; none before two were measured.

    Of a window in which several versions were measured, the newest version's value is shown.
    """
    asked = history.spec.monitor.performance
    newest: dict[str, Window] = {}
    for window in history.windows:
        if window.result.performance.metric == asked.metric:
            newest.setdefault(window.label, window)
    shown = sorted(newest.values(), key=lambda window: window.period)[-MAX_WINDOWS:]
    if sum(window.result.performance.measured is not None for window in shown) < 2:  # noqa: PLR2004
        return None
    return trend(
        [_point(window) for window in shown],
        _levels(history),
        title=metric(asked.metric, history.spec.develop.target_name),
    )


def _point(window: Window) -> TrendPoint:
    found = window.result.performance
    return TrendPoint(
        label=axis_label(window.period),
        value=found.measured,
        state=found.state,
        partial=found.labels < found.rows,
    )


def _levels(history: ModelHistory) -> list[Level]:
    asked = history.spec.monitor.performance
    if asked.at_least is not None:
        return [Level(asked.at_least, f"at least {asked.at_least:g}", firm=True)]
    return [Level(asked.at_most or 0.0, f"at most {asked.at_most:g}", firm=True)]
