"""The pictures of the validation report that every target has, each from records alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from mlops.core.records import GateResult, Metrics, Slice
from mlops.core.targets.target import MetricInfo
from mlops.reports.format import count, decimal
from mlops.reports.svg import ACCENT, AXIS, BAD, INK, MUTED, Canvas, Frame, framed, ticks

FULL = 820.0
ROW = 24.0
SLICES_SHOWN = 16
FEATURES_SHOWN = 20
_STEPS = 8  # of the axis of slices, at least

Interval = tuple[float, float]


def importance(losses: Sequence[tuple[str, float]], metric: MetricInfo) -> Markup | None:
    """By how much the metric gets worse when a feature is shuffled, as bars; None without them."""
    if not losses:
        return None
    shown = losses[:FEATURES_SHOWN]
    height = 12 + ROW * len(shown) + 40
    canvas = Canvas(FULL, height, "Permutation importance of the features, the largest first")
    low, high = min(0.0, *(loss for _, loss in shown)), max(0.001, *(loss for _, loss in shown))
    frame = framed(canvas, x=(low, high), y=(0, len(shown)), left=190, right=70, bottom=40)
    change = "Fall" if metric.more_is_better else "Rise"
    frame.grid(
        x_ticks=ticks(low, high, 6),
        x_title=f"{change} of {metric.title} when the feature is shuffled",
    )
    for place, (name, loss) in enumerate(shown):
        middle = frame.y.end + ROW * (place + 0.5)
        start, end = sorted((frame.x(0), frame.x(loss)))
        canvas.rect((start, middle - 7), (max(end - start, 1.0), 14), fill=ACCENT, radius=1.5)
        canvas.text((frame.x.start - 10, middle + 4), name, color=INK, anchor="end")
        canvas.text((max(end, frame.x(0)) + 8, middle + 4), decimal(loss), halo=True)
    canvas.line(frame.at(0, 0), (frame.x(0), frame.y.end))
    return canvas.render()


def slices(
    found: Sequence[Slice],
    whole: Metrics,
    metric: MetricInfo,
    *,
    interval: Callable[[Metrics], Interval | None],
    gate: GateResult | None = None,
) -> Markup | None:
    """A metric of each value of one column, with its interval; None if it is defined for none.

    :param found: of one column.
    :param whole: the metrics of all rows.
    :param gate: what the slices were held against.
    """
    known = [(item, item.metrics[metric.name]) for item in found]
    shown = [(item, value) for item, value in known if value is not None][:SLICES_SHOWN]
    overall = whole[metric.name]
    if not shown or overall is None:
        return None
    spans = [interval(item.metrics) for item, _ in shown]
    bound = None if gate is None else gate.limit
    ends = [end for span in spans if span for end in span]
    low, high = _axis([overall, *([] if bound is None else [bound]), *ends, *(v for _, v in shown)])
    title = f"{metric.title} by {found[0].column}"
    if ends:
        title += ", with its 95 % interval"
    canvas = Canvas(FULL, 30 + ROW * len(shown) + 40, title)
    frame = framed(canvas, x=(low, high), y=(0, len(shown)), left=190, right=90, top=30, bottom=40)
    frame.grid(x_ticks=ticks(low, high, 6), x_title=title)
    above = bound is None or overall >= bound
    _upright(frame, overall, f"all rows {decimal(overall)}", (AXIS, MUTED), right=above)
    if bound is not None:
        _upright(frame, bound, f"bound {bound:g}", (BAD, BAD), right=not above)
    for place, ((item, value), span) in enumerate(zip(shown, spans, strict=True)):
        middle = frame.y.end + ROW * (place + 0.5)
        color = BAD if gate is not None and _missed(gate, value) else ACCENT
        if span:
            ends_at = [(frame.x(end), middle) for end in span]
            canvas.line(ends_at[0], ends_at[1], color=color, width=2)
        canvas.dot((frame.x(value), middle), radius=4.5, fill=color)
        canvas.text((frame.x.start - 10, middle + 4), item.value, color=INK, anchor="end")
        rows = f"{count(item.metrics.rows)} rows"
        canvas.text((FULL - 4, middle + 4), rows, size=11, anchor="end")
    return canvas.render()


def _axis(values: Sequence[float]) -> tuple[float, float]:
    """Round ends around all values."""
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0
    places = ticks(low - room / _STEPS, high + room / _STEPS, _STEPS)
    step = places[1] - places[0] if len(places) > 1 else room
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _missed(gate: GateResult, value: float) -> bool:
    return value < gate.limit if gate.direction == "at_least" else value > gate.limit


def _upright(
    frame: Frame, value: float, words: str, colors: tuple[str, str], *, right: bool
) -> None:
    """A dashed line over all rows of a picture, its name above it, on one side of it."""
    place, color, anchor = frame.x(value), colors[0], "start" if right else "end"
    frame.canvas.line((place, frame.y.start), (place, frame.y.end), color=color, dash="4 3")
    at = (place + (-2 if right else 2), frame.y.end - 8)
    frame.canvas.text(at, words, color=colors[1], size=11, anchor=anchor)
