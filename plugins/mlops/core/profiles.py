"""Profiles: what is kept of a window of rows, a few kilobytes however many rows it has.

A profile counts, for each numeric feature, the values between edges that come from a reference,
and for each text feature the rows of each category that the reference knows. Drift is measured
from two such profiles (:mod:`mlops.core.drift`).

Of ``k`` edges come ``k + 1`` bins: bin ``0`` holds the values below the first edge, bin ``i`` those
from edge ``i - 1`` (included) to edge ``i`` (excluded), the last bin those from the last edge on.
NULL and NaN are missing and in no bin; the infinities are values.

The same profile is made in memory (:class:`mlops.core.profiler.Profiler`) and inside the database
(:mod:`mlops.warehouse.postgres.pushdown`); the two are equal on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops.core.checks import ColumnSummary, DataSummary
from mlops.errors import DataRefused

FORMAT = 1

# Squares of values beyond this, up or down, near the end of float8: no sums are kept of them.
LARGEST_SUMMED = 1e100

# Whole numbers below 2**53 are added exactly, in any order of the rows. The sum of other numbers
# depends on it in its last bits, and parallel workers come in any order. Sums keep this many
# leading bits (eight decimal digits), which hides that for nearly all of them: one that is near
# the middle between two steps may be rounded up or down. So a second look at the same rows is
# recognised by :meth:`Profile.agrees_with`, and by no digest of the sums alone.
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
        a value is beyond 1e100, up or down. Not compared by ``==``: its last digit may depend
        on the order of the rows.
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

    def agrees_with(self, other: NumericProfile) -> bool:
        """Whether both may be of the same rows: equal, and the sums but for their last digit."""
        if self != other:
            return False
        ours, theirs = self._sums(), other._sums()
        if ours is None or theirs is None:
            return ours is theirs
        squares = max(ours[1], theirs[1])
        scales = math.sqrt(self.values) * math.sqrt(squares), squares
        return all(
            # At least two steps of the rounding.
            abs(mine - its) <= math.ldexp(scale, 2 - SUM_BITS)
            for mine, its, scale in zip(ours, theirs, scales, strict=True)
        )

    def _sums(self) -> tuple[float, float] | None:
        if self.offset_sum is None or self.offset_squares is None:
            return None
        return self.offset_sum, self.offset_squares

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; infinities are written as text."""
        ends = {name: getattr(self, name) for name in ("min", "max")}
        return {
            **vars(self),
            **{name: str(x) if x is not None and math.isinf(x) else x for name, x in ends.items()},
            "edges": list(self.edges),
            "bin_counts": list(self.bin_counts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NumericProfile:
        """Read what :meth:`to_json` wrote."""
        return cls(
            **{
                **data,
                "min": None if data["min"] is None else float(data["min"]),
                "max": None if data["max"] is None else float(data["max"]),
                # JSONB gives a float of more than its digits back as the whole number it wrote.
                "edges": tuple(map(float, data["edges"])),
                "bin_counts": tuple(data["bin_counts"]),
            }
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**vars(self), "counts": dict(self.counts)}


ColumnProfile = NumericProfile | CategoryProfile


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All profiled features over the rows of a window, by name."""

    rows: int
    numeric: Mapping[str, NumericProfile]
    categories: Mapping[str, CategoryProfile]

    @property
    def columns(self) -> dict[str, ColumnProfile]:
        """Both kinds of features by name."""
        return {**self.numeric, **self.categories}

    def unseen(self) -> dict[str, int]:
        """For each text feature the rows of categories that the reference does not know."""
        return {name: profile.other for name, profile in self.categories.items()}

    def agrees_with(self, other: Profile) -> bool:
        """Whether both may be of the same rows, however the database ordered them."""
        return self == other and all(
            profile.agrees_with(other.numeric[name]) for name, profile in self.numeric.items()
        )

    def with_columns_of(self, other: Profile) -> Profile:
        """These rows, with the features of another profile beside them, such as the score's."""
        return Profile(
            rows=self.rows,
            numeric={**self.numeric, **other.numeric},
            categories={**self.categories, **other.categories},
        )

    def summary(self, *, newest: datetime | None, key_duplicates: int) -> DataSummary:
        """What the contract's checks look at.

        :param newest: the latest value of the time column, aware.
        :param key_duplicates: rows whose key another row has as well.
        """
        return DataSummary(
            rows=self.rows,
            columns={
                **{n: ColumnSummary(p.nulls, p.min, p.max) for n, p in self.numeric.items()},
                **{n: ColumnSummary(p.nulls, unseen=p.other) for n, p in self.categories.items()},
            },
            key_duplicates=key_duplicates,
            newest=newest,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; equal profiles give equal canonical JSON."""
        return {
            "format": FORMAT,
            "rows": self.rows,
            "numeric": {name: profile.to_json() for name, profile in self.numeric.items()},
            "categories": {name: profile.to_json() for name, profile in self.categories.items()},
        }

    @classmethod
    def from_json(cls, data: Any) -> Profile:
        """Read what :meth:`to_json` wrote.

        :raises DataRefused: it is something else, or of another format.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise DataRefused(
                "this version cannot read the profile",
                found=f"format {data.get('format') if isinstance(data, Mapping) else None}",
                expected=f"format {FORMAT}",
            )
        return cls(
            rows=data["rows"],
            numeric={name: NumericProfile.from_json(p) for name, p in data["numeric"].items()},
            categories={name: CategoryProfile(**p) for name, p in data["categories"].items()},
        )


def centre_of(edges: Sequence[float]) -> float:
    """The middle edge, within the range of what is summed; zero without edges."""
    middle = edges[len(edges) // 2] if edges else 0.0
    return max(-LARGEST_SUMMED, min(LARGEST_SUMMED, middle))


def within_reach(low: float, high: float) -> bool:
    """Whether values from ``low`` to ``high`` have squares that a float can hold."""
    return low >= -LARGEST_SUMMED and high <= LARGEST_SUMMED


def steady_sums(values: int, total: float, squares: float) -> tuple[float | None, float | None]:
    """Sums about the centre, rounded so that the order of addition hardly shows.

    Whole numbers about a whole centre have exact sums, so that the same rows give the same.

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
