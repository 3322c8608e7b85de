"""A small pen for charts: SVG written by hand, so that equal input gives equal bytes.

No plotting library: its pictures are larger than the report, differ between versions of itself
and its fonts, and cost a second to import. Text stays text here: it can be searched, is read
aloud, and takes the reader's own font.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

INK = "#1b1f24"
MUTED = "#57606a"
GRID = "#e4e8ec"
AXIS = "#9aa4ae"
ACCENT = "#0b4f8a"
ACCENT_SOFT = "#dbe7f2"
NEUTRAL = "#b9c2cb"
GOOD = "#1a6b3c"
WARN = "#8a5a00"
BAD = "#a4262c"

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A straight line from values (``low`` to ``high``) to places (``start`` to ``end``)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; the middle where the scale has no extent."""
        if self.high == self.low:
            return (self.start + self.end) / 2.0
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers between ``low`` and ``high``, roughly ``about`` of them."""
    raw = (high - low) / max(about, 1)
    if not raw >= sys.float_info.min:  # below, floats have no digits to round
        return (low,)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * size for size in (1, 2, 5, 10) if power * size >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(place * step, 12) for place in range(first, last + 1))


def round_up(value: float) -> float:
    """The next number above a positive one that is easily read: 0.6, 1,500."""
    power = 10.0 ** math.floor(math.log10(value))
    sizes = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(round(power * size, 12) for size in sizes if power * size >= value * (1 - 1e-9))


def tick_text(value: float) -> str:
    """A tick without idle digits: ``0.2``, ``12,000``."""
    return f"{value:,.6f}".rstrip("0").rstrip(".") if value else "0"


@dataclass
class Canvas:
    """One picture; ``label`` describes in a sentence what it shows, for those who cannot see it."""

    width: float
    height: float
    label: str
    _parts: list[str] = field(default_factory=list)

    def line(
        self, a: Point, b: Point, *, color: str = AXIS, width: float = 1.0, dash: str = ""
    ) -> None:
        """A straight line."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{_n(a[0])}" y1="{_n(a[1])}" x2="{_n(b[0])}" y2="{_n(b[1])}" '
            f'stroke="{color}" stroke-width="{_n(width)}"{dashed}/>'
        )

    def path(self, points: Sequence[Point], *, color: str = ACCENT, width: float = 2.0) -> None:
        """A line through points."""
        self._parts.append(
            f'<polyline points="{_points(points)}" fill="none" stroke="{color}" '
            f'stroke-width="{_n(width)}" stroke-linejoin="round" stroke-linecap="round"/>'
        )

    def area(self, points: Sequence[Point], *, fill: str = ACCENT_SOFT) -> None:
        """A filled shape."""
        self._parts.append(f'<polygon points="{_points(points)}" fill="{fill}"/>')

    def rect(
        self,
        corner: Point,
        size: Point,
        *,
        fill: str = ACCENT,
        stroke: str = "",
        radius: float = 0.0,
    ) -> None:
        """A rectangle from its upper left corner."""
        line = f' stroke="{stroke}"' if stroke else ""
        round_ = f' rx="{_n(radius)}"' if radius else ""
        self._parts.append(
            f'<rect x="{_n(corner[0])}" y="{_n(corner[1])}" width="{_n(max(size[0], 0.0))}" '
            f'height="{_n(max(size[1], 0.0))}" fill="{fill}"{line}{round_}/>'
        )

    def dot(
        self, at: Point, *, radius: float = 4.0, fill: str = ACCENT, stroke: str = "#ffffff"
    ) -> None:
        """A filled circle."""
        self._parts.append(
            f'<circle cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(radius)}" fill="{fill}" '
            f'stroke="{stroke}" stroke-width="1.5"/>'
        )

    def text(
        self,
        at: Point,
        words: str,
        *,
        color: str = MUTED,
        size: float = 12.0,
        anchor: str = "start",
        bold: bool = False,
        turned: bool = False,
        halo: bool = False,
    ) -> None:
        """Words at a place; ``halo`` keeps them legible on a line."""
        extra = ' font-weight="600"' if bold else ""
        if halo:
            extra += ' stroke="#ffffff" stroke-width="3" paint-order="stroke"'
        if turned:
            extra += f' transform="rotate(-90 {_n(at[0])} {_n(at[1])})"'
        self._parts.append(
            f'<text x="{_n(at[0])}" y="{_n(at[1])}" fill="{color}" font-size="{_n(size)}" '
            f'text-anchor="{anchor}"{extra}>{escape(words)}</text>'
        )

    def render(self) -> Markup:
        """The picture as one element, to stand in HTML or by itself."""
        name = escape(self.label)
        # Safe: every part is written above, from numbers, our own colours and escaped words.
        return Markup(  # noqa: S704
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(self.width)} '
            f'{_n(self.height)}" width="{_n(self.width)}" height="{_n(self.height)}" '
            f'role="img" aria-label="{name}" font-family="inherit"><title>{name}</title>'
            + "".join(self._parts)
            + "</svg>"
        )


@dataclass(frozen=True)
class Frame:
    """Two axes on a canvas."""

    canvas: Canvas
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> Point:
        """The place of a pair of values."""
        return self.x(x), self.y(y)

    def grid(
        self,
        *,
        x_ticks: Sequence[float] = (),
        y_ticks: Sequence[float] = (),
        x_title: str = "",
        y_title: str = "",
    ) -> None:
        """Light lines with their numbers, and what the axes mean."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        for tick in y_ticks:
            place = self.y(tick)
            self.canvas.line((left, place), (right, place), color=GRID)
            self.canvas.text((left - 7, place + 4), tick_text(tick), size=11, anchor="end")
        for tick in x_ticks:
            place = self.x(tick)
            self.canvas.line((place, bottom), (place, top), color=GRID)
            self.canvas.text((place, bottom + 16), tick_text(tick), size=11, anchor="middle")
        self.canvas.line((left, bottom), (right, bottom))
        if x_title:
            self.canvas.text(((left + right) / 2, bottom + 35), x_title, anchor="middle")
        if y_title:
            middle = (bottom + top) / 2
            self.canvas.text((13, middle), y_title, anchor="middle", turned=True)


def framed(
    canvas: Canvas,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    left: float = 56,
    right: float = 14,
    top: float = 12,
    bottom: float = 44,
) -> Frame:
    """Axes for values from ``x[0]`` to ``x[1]`` and ``y[0]`` to ``y[1]``, with such margins."""
    return Frame(
        canvas=canvas,
        x=Scale(x[0], x[1], left, canvas.width - right),
        y=Scale(y[0], y[1], canvas.height - bottom, top),
    )


def _n(value: float) -> str:
    """A place to a hundredth of a unit, without idle zeros and never ``-0``."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
