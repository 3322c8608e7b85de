"""The pictures of the monitoring report, each from plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlops.core.drift.statistic import statistic_title
from mlops.core.period import Period
from mlops.core.records import FeatureDrift, State
from mlops.reports.format import count, decimal, percent
from mlops.reports.svg import (
    ACCENT,
    ACCENT_SOFT,
    AXIS,
    BAD,
    GRID,
    INK,
    MUTED,
    NEUTRAL,
    WARN,
    Canvas,
    Frame,
    Scale,
    framed,
    round_up,
    ticks,
)

WIDTH = 820.0
STATE_COLORS: dict[State, str] = {
    "ok": ACCENT,
    "warn": WARN,
    "alarm": BAD,
    "not_enough_data": NEUTRAL,
}
_SHORT_LABEL = 8


@dataclass(frozen=True)
class TrendPoint:
    """One window of a trend; ``value`` is None if nothing was measured.

    :ivar interval: of the estimate, low and high.
    :ivar partial: not all labels have arrived, so the value may still move.
    """

    label: str
    value: float | None
    state: State
    interval: tuple[float, float] | None = None
    partial: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal line of a trend, with its name."""

    value: float
    words: str
    firm: bool


def axis_label(period: Period) -> str:
    """A period's label short enough for an axis: days and hours lose their year."""
    label = period.label()
    return label if len(label) <= _SHORT_LABEL else label[5:]


def trend(
    points: Sequence[TrendPoint], levels: Sequence[Level], *, title: str, digits: int = 3
) -> Markup | None:
    """A value window by window, the newest on the right; None if nothing was measured."""
    values = [point.value for point in points if point.value is not None]
    if not values:
        return None
    ends = [end for point in points if point.interval for end in point.interval]
    low, high = _range([*values, *ends, *(level.value for level in levels)])
    canvas = Canvas(WIDTH, 270, f"{title} by window: {_values_in_words(points, digits)}")
    frame = framed(canvas, x=(0, len(points)), y=(low, high), right=150, top=18, bottom=34)
    frame.grid(y_ticks=ticks(low, high), y_title=title)
    _levels(frame, levels)
    _names(frame, [point.label for point in points])
    placed = [
        (frame.at(place + 0.5, point.value), point)
        for place, point in enumerate(points)
        if point.value is not None
    ]
    canvas.path([at for at, _ in placed], width=1.5)
    for place, (at, point) in enumerate(placed):
        color = STATE_COLORS[point.state]
        if point.interval:
            ends_at = [frame.y(end) for end in point.interval]
            canvas.line((at[0], ends_at[0]), (at[0], ends_at[1]), color=color)
        fill, stroke = ("#ffffff", color) if point.partial else (color, "#ffffff")
        canvas.dot(at, radius=5, fill=fill, stroke=stroke)
        # Below the line where it rises to the next point, above it where it falls.
        rises = place + 1 < len(placed) and placed[place + 1][0][1] < at[1]
        words = (at[0] + 9, at[1] + (16 if rises else -8))
        canvas.text(words, decimal(point.value, digits), color=INK, size=11, halo=True)
    return canvas.render()


def volumes(labels: Sequence[str], rows: Sequence[int], arrived: Sequence[int]) -> Markup:
    """Rows scored in each window, and in colour those whose label has arrived."""
    top = round_up(max((*rows, 1)) * 1.12)
    total = f"{count(sum(arrived))} labels for {count(sum(rows))} rows"
    canvas = Canvas(WIDTH, 190, f"Rows scored and labels arrived by window: {total}")
    frame = framed(canvas, x=(0, len(rows)), y=(0, top), left=66, right=140, top=14, bottom=34)
    frame.grid(y_ticks=ticks(0, top, 3), y_title="Rows")
    _names(frame, labels)
    width = min(46.0, (frame.x.end - frame.x.start) / len(rows) * 0.6)
    for place, (scored, known) in enumerate(zip(rows, arrived, strict=True)):
        middle, foot = frame.x(place + 0.5), frame.y(0)
        for number, fill in ((scored, ACCENT_SOFT), (known, ACCENT)):
            head = frame.y(number)
            canvas.rect((middle - width / 2, head), (width, foot - head), fill=fill)
        share = percent(known / scored, 0) if scored else ""
        canvas.text((middle, frame.y(scored) - 5), share, size=11, anchor="middle")
    _key(canvas, 30, ACCENT, "label arrived")
    _key(canvas, 50, ACCENT_SOFT, "no label yet")
    return canvas.render()


def drift_bar(drift: FeatureDrift, *, warn: float, alarm: float) -> Markup:
    """A statistic's value as a bar up to twice the alarm, with strokes at warn and alarm."""
    width, scale = 130.0, Scale(0, 2 * alarm, 0, 130.0)
    words = f"{statistic_title(drift.statistic)} {decimal(drift.value)}"
    canvas = Canvas(width, 14, f"{words}, {drift.state.replace('_', ' ')}")
    canvas.rect((0, 3), (width, 8), fill=GRID)
    canvas.rect(
        (0, 3), (min(max(scale(drift.value), 0.0), width), 8), fill=STATE_COLORS[drift.state]
    )
    for bound, color in ((warn, WARN), (alarm, BAD)):
        canvas.line((scale(bound), 0), (scale(bound), 14), color=color, width=1.5)
    return canvas.render()


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Round ends around the values, with some room."""
    low, high = min(values), max(values)
    room = (high - low) * 0.12 or abs(high) * 0.1 or 0.1
    places = ticks(low - room, high + room)
    step = places[1] - places[0] if len(places) > 1 else 2 * room
    return math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step


def _values_in_words(points: Sequence[TrendPoint], digits: int) -> str:
    return ", ".join(f"{point.label} {decimal(point.value, digits)}" for point in points)


def _names(frame: Frame, labels: Sequence[str]) -> None:
    """The windows' names below the axis, and no more of them than there is room for."""
    room = max(1, int((frame.x.end - frame.x.start) // 62))
    every = math.ceil(len(labels) / room)
    for place, label in enumerate(labels):
        last = place == len(labels) - 1
        if (len(labels) - 1 - place) % every == 0:
            frame.canvas.text(
                (frame.x(place + 0.5), frame.y.start + 18),
                label,
                color=INK if last else MUTED,
                size=11,
                anchor="middle",
                bold=last,
            )


def _levels(frame: Frame, levels: Sequence[Level]) -> None:
    """Dashed lines over all windows, their names beside them and clear of one another."""
    above = -math.inf
    for level in sorted(levels, key=lambda level: -level.value):
        place, color = frame.y(level.value), BAD if level.firm else AXIS
        frame.canvas.line((frame.x.start, place), (frame.x.end, place), color=color, dash="4 3")
        above = max(place, above + 14)
        ink = BAD if level.firm else MUTED
        frame.canvas.text((frame.x.end + 8, above + 4), level.words, color=ink, size=11)


def _key(canvas: Canvas, top: float, fill: str, words: str) -> None:
    canvas.rect((WIDTH - 122, top), (11, 11), fill=fill)
    canvas.text((WIDTH - 105, top + 10), words, size=11)
