"""The profile of one column: counts between edges, or counts by category.

Of ``k`` edges come ``k + 1`` bins: bin ``0`` holds the values below the first edge, bin ``i`` those
from edge ``i - 1`` (included) to edge ``i`` (excluded), the last bin those from the last edge on.
NULL and NaN are missing and in no bin; the infinities are values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops.errors import DataRefused

# Squares of values beyond this, up or down, near the end of float8: no sums are kept of them.
LARGEST_SUMMED = 1e100

# Float addition depends on the order of the rows, and parallel workers come in any order. Sums
# keep this many leading bits (eight decimal digits), so that a second run finds the same.
SUM_BITS = 26
_SMALLEST_EXPONENT = -1000


@dataclass(frozen=True, kw_only=True)
class NumericProfile:
    """One numeric feature over the rows of a window.

    :param count: rows, missing values included.
    :param nulls: rows whose value is NULL or NaN.
    :param min: smallest value, None when all are missing.
    :param max: largest value, None when all are missing.
    :param offset_sum: sum of ``x - centre``, with eight significant digits of its scale; None when
        a value lies beyond 1e100, up or down. Not compared by ``==``: its last digit depends on
        the order of the rows.
    :param offset_squares: sum of ``(x - centre)**2``, likewise.
    :param edges: ascending, ``k`` of them.
    :param bin_counts: ``k + 1`` counts that add up to ``count - nulls``.
    """

    count: int
    nulls: int
    min: float | None
    max: float | None
    offset_sum: float | None = field(compare=False)
    offset_squares: float | None = field(compare=False)
    edges: tuple[float, ...]
    bin_counts: tuple[int, ...]

    @property
    def values(self) -> int:
        """Rows that have a value."""
        return self.count - self.nulls

    @property
    def centre(self) -> float:
        """The point from which the sums are taken: the middle edge."""
        return centre_of(self.edges)

    @property
    def sum(self) -> float:
        """Sum of the values; NaN without sums."""
        if self.offset_sum is None:
            return math.nan
        return self.offset_sum + self.values * self.centre

    @property
    def sum_squares(self) -> float:
        """Sum of the squared values; NaN without sums. For a variance take :attr:`std`: it loses
        no digits where the mean is large."""
        if self.offset_sum is None or self.offset_squares is None:
            return math.nan
        centre = self.centre
        return self.offset_squares + centre * (2 * self.offset_sum + self.values * centre)

    @property
    def mean(self) -> float | None:
        """Arithmetic mean of the values; None without sums or values."""
        if self.offset_sum is None or self.values == 0:
            return None
        return self.centre + self.offset_sum / self.values

    @property
    def std(self) -> float | None:
        """Population standard deviation (divided by ``n``); None without sums or values.

        From the sums about a fixed centre c: var = S2/n - (S1/n)^2 (Chan, Golub and LeVeque 1983,
        "Algorithms for computing the sample variance", the shifted two-sum form).
        """
        if self.offset_sum is None or self.offset_squares is None or self.values == 0:
            return None
        shift = self.offset_sum / self.values
        return math.sqrt(max(self.offset_squares / self.values - shift * shift, 0.0))

    def merge(self, other: NumericProfile) -> NumericProfile:
        """The profile of both sets of rows.

        :raises DataRefused: when the edges differ.
        """
        if self.edges != other.edges:
            raise DataRefused(
                "two profiles of one feature cannot be added: they were counted on other edges",
                found=f"{len(other.edges)} edges {_ends(other.edges)}",
                expected=f"{len(self.edges)} edges {_ends(self.edges)}",
                action="measure both on the edges of one model version",
            )
        return NumericProfile(
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            min=_outermost(min, self.min, other.min),
            max=_outermost(max, self.max, other.max),
            offset_sum=_added(self.offset_sum, other.offset_sum),
            offset_squares=_added(self.offset_squares, other.offset_squares),
            edges=self.edges,
            bin_counts=tuple(a + b for a, b in zip(self.bin_counts, other.bin_counts, strict=True)),
        )


@dataclass(frozen=True, kw_only=True)
class CategoryProfile:
    """One text feature over the rows of a window.

    :param count: rows, missing values included.
    :param nulls: rows whose value is NULL.
    :param counts: rows of each known category, also of those with none.
    :param other: rows of categories that the reference does not know.
    """

    count: int
    nulls: int
    counts: Mapping[str, int]
    other: int

    def merge(self, other: CategoryProfile) -> CategoryProfile:
        """The profile of both sets of rows.

        :raises DataRefused: when the known categories differ.
        """
        if self.counts.keys() != other.counts.keys():
            raise DataRefused(
                "two profiles of one feature cannot be added: they know other categories",
                found=sorted(other.counts),
                expected=sorted(self.counts),
                action="measure both on the categories of one model version",
            )
        return CategoryProfile(
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            counts={name: n + other.counts[name] for name, n in self.counts.items()},
            other=self.other + other.other,
        )


def centre_of(edges: Sequence[float]) -> float:
    """The middle edge, within the range of what is summed; zero where there is none."""
    middle = edges[len(edges) // 2] if edges else 0.0
    return max(-LARGEST_SUMMED, min(LARGEST_SUMMED, middle))


def within_reach(low: float, high: float) -> bool:
    """Whether values from ``low`` to ``high`` have squares that a float can hold."""
    return low >= -LARGEST_SUMMED and high <= LARGEST_SUMMED


def steady_sums(values: int, total: float, squares: float) -> tuple[float | None, float | None]:
    """Sums about the centre, rounded so that the order of addition no longer shows.

    :param values: how many values were added.
    :param total: sum of ``x - centre``.
    :param squares: sum of ``(x - centre)**2``.
    """
    if not (math.isfinite(total) and math.isfinite(squares)):
        return None, None
    return _rounded(total, math.sqrt(values) * math.sqrt(squares)), _rounded(squares, squares)


def _rounded(value: float, scale: float) -> float:
    exponent = math.frexp(scale)[1] - SUM_BITS
    if scale <= 0 or exponent < _SMALLEST_EXPONENT:
        return 0.0
    step = math.ldexp(1.0, exponent)
    return round(value / step) * step + 0.0


def _ends(edges: tuple[float, ...]) -> str:
    return f"from {edges[0]!r} to {edges[-1]!r}" if edges else ""


def _outermost(choose: Any, a: float | None, b: float | None) -> float | None:
    known = [x for x in (a, b) if x is not None]
    return choose(known) if known else None


def _added(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
