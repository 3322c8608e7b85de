"""The SELECT that profiles columns inside Postgres, and how its one row is read.

A count below each edge costs a comparison and an addition for each row and edge, and there are
hundreds of them. Three things make it cheap: no row leaves the database; edges above the middle
count what is *above* them, so that few rows are added; and two counts travel in one sum, where
the row that fails the wider condition is not held against the narrower one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from mlops.core.profiles import (
    CategoryProfile,
    NumericProfile,
    centre_of,
    steady_sums,
    within_reach,
)
from mlops.errors import DataRefused
from mlops.warehouse.postgres.dialect import POSTGRES

# Two counts in one 64-bit sum of 31-bit terms: the lower one has 30 bits, so many rows it counts.
PAIR = 1 << 30
MOST_ROWS = PAIR - 1

# More categories than this are counted by grouping, in a query of their own.
FEW_CATEGORIES = 24

# Ten of the 53 bits of a sum may be lost: 26 are kept, and additions of a billion rows round 15.
_MOST_CANCELLED = 2.0**-10

_EXACT_INTEGERS = 1 << 53
_INTEGER = re.compile("0|-?[1-9][0-9]*")
_INTEGERS = ("smallint", "integer", "bigint")
_FLOATS = ("double precision", "real", "numeric")
_TEXTS = ("text", "character varying")


@dataclass(frozen=True)
class NumericColumn:
    """One numeric column of the select: its expressions, and how their values are read.

    :param pg_type: its type, as Postgres spells it.
    :param has_nan: NaN was seen in it, so NaN is to be left out.
    :param guarded: leave values out of the sums whose squares a float8 cannot hold.
    :param centred: let the database subtract the centre from each value; see :attr:`_origin`.
    """

    name: str
    pg_type: str
    edges: tuple[float, ...]
    has_nan: bool = False
    guarded: bool = False
    centred: bool = False

    def __post_init__(self) -> None:
        if self.pg_type not in (*_INTEGERS, *_FLOATS, "boolean"):
            raise _of_another_kind(self.name, self.pg_type, "a number or a boolean")

    @property
    def value(self) -> str:
        """The value as it is compared."""
        column = POSTGRES.quoted(self.name)
        if self.pg_type == "boolean":
            return f"{column}::int"
        if self.pg_type in ("real", "numeric"):
            column = f"{column}::float8"
        return f"nullif({column}, 'NaN'::float8)" if self.has_nan else column

    @property
    def expressions(self) -> list[str]:
        """The column's part of the select list."""
        value = self.value
        counts = [*self._low(value), *self._high(value)]
        return [
            f"ARRAY[{', '.join(counts)}]::bigint[]",
            f"count({value})",
            f"min({value})::float8",
            f"max({value})::float8",
            *self._sums(value),
        ]

    @property
    def _origin(self) -> float:
        """The number that the database subtracts from each value before it adds.

        Zero spares it three operations of six. The sums about zero are as exact for whole numbers;
        those of other numbers lose digits only where values are much closer to one another than
        to zero, which the range of the edges shows beforehand, and :meth:`lost_digits` afterwards.
        """
        centre = centre_of(self.edges)
        if self.guarded or self.centred or not self.edges:
            return centre
        return 0.0 if abs(centre) <= self.edges[-1] - self.edges[0] else centre

    def _sums(self, value: str) -> tuple[str, str]:
        """The sums about the origin; whole numbers are added exactly, in any order."""
        offset = value if self.pg_type == "double precision" else f"{value}::float8"
        if self.guarded:
            offset = f"CASE WHEN abs({offset}) <= 1e100::float8 THEN {offset} END"
        if self._origin:
            offset = f"({offset} - '{self._origin!r}'::float8)"
        square = f"{offset} * {offset}"
        if self.guarded:
            # A product that is too small for a float8 is an error, as one that is too large.
            square = f"CASE WHEN abs({offset}) >= 1e-150::float8 THEN {square} ELSE 0 END"
        return f"sum({offset})", f"sum({square})"

    def _about_centre(self, values: int, added: float, squared: float) -> tuple[float, float]:
        """Sums about the origin as sums about the centre, without another rounding."""
        if not (math.isfinite(added) and math.isfinite(squared)):
            return added, squared
        shift = Fraction(centre_of(self.edges)) - Fraction(self._origin)
        total = Fraction(added)
        squares = Fraction(squared) - 2 * shift * total + values * shift * shift
        return float(total - values * shift), max(float(squares), 0.0)

    def lost_digits(self, profile: NumericProfile) -> bool:
        """Whether the sums are so much smaller about the centre that the database must subtract."""
        total, squares = profile.offset_sum, profile.offset_squares
        shift = centre_of(self.edges) - self._origin
        if not shift or total is None or squares is None:
            return False
        return squares < _MOST_CANCELLED * (squares + shift * (2 * total + profile.values * shift))

    def read(self, rows: int, found: Sequence[Any]) -> NumericProfile:
        """The profile from the values of :attr:`expressions`."""
        counts, values, low, high, added, squared = found
        sums = self._about_centre(values, added or 0.0, squared or 0.0)
        total, squares = steady_sums(values, *sums)
        summed = values > 0 and within_reach(low, high)
        below = self._below(counts, values)
        ends = [0, *below, values]
        return NumericProfile(
            count=rows,
            nulls=rows - values,
            min=None if low is None else low + 0.0,
            max=None if high is None else high + 0.0,
            offset_sum=total if summed or not values else None,
            offset_squares=squares if summed or not values else None,
            edges=self.edges,
            bin_counts=tuple(b - a for a, b in pairwise(ends)),
        )

    @property
    def _middle(self) -> int:
        return (len(self.edges) + 1) // 2

    def _low(self, value: str) -> list[str]:
        """Counts below the lower edges, two edges in one sum."""
        below = [f"{value} < {self._literal(edge)}" for edge in self.edges[: self._middle]]
        return [_counts(*reversed(pair)) for pair in _by_two(below)]

    def _high(self, value: str) -> list[str]:
        """Counts from the upper edges on, two edges in one sum."""
        above = [f"{value} >= {self._literal(edge)}" for edge in self.edges[self._middle :]]
        return [_counts(*pair) for pair in _by_two(above)]

    def _below(self, counts: Sequence[int | None], values: int) -> list[int]:
        """The number of values below each edge."""
        found = [divmod(count or 0, PAIR) for count in counts]
        low = (self._middle + 1) // 2
        below = [n for narrow, wide in found[:low] for n in (narrow, wide)]
        above = [n for narrow, wide in found[low:] for n in (wide, narrow)]
        if self._middle % 2:
            # The last of an odd number has no partner and is the wider one of its pair.
            below.pop(-2)
        above = above[: len(self.edges) - self._middle]
        return [*below, *(values - n for n in above)]

    def _literal(self, edge: float) -> str:
        if self.pg_type in (*_INTEGERS, "boolean") and abs(edge) <= _EXACT_INTEGERS:
            return f"'{math.ceil(edge)}'::bigint"
        return f"'{edge!r}'::float8"


@dataclass(frozen=True)
class TextColumn:
    """One column of categories: its expressions, and how their values are read."""

    name: str
    pg_type: str
    known: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pg_type in (*_FLOATS, "timestamp with time zone", "date"):
            raise _of_another_kind(self.name, self.pg_type, "text, whole numbers or booleans")

    @property
    def is_wide(self) -> bool:
        """Whether its categories are counted by grouping."""
        return len(self.known) > FEW_CATEGORIES

    @property
    def text(self) -> str:
        """The value as text."""
        return POSTGRES.quoted(self.name) + ("" if self.pg_type in _TEXTS else "::text")

    @property
    def expressions(self) -> list[str]:
        """The column's part of the select list."""
        counts = [] if self.is_wide else [self._count(category) for category in self.known]
        return [f"ARRAY[{', '.join(counts)}]::bigint[]", f"count({POSTGRES.quoted(self.name)})"]

    @property
    def group(self) -> str:
        """The category where it is known, else NULL."""
        known = ", ".join(POSTGRES.text_literal(category) for category in self.known)
        return f"CASE WHEN {self.text} = ANY (ARRAY[{known}]) THEN {self.text} END"

    def read(
        self, rows: int, found: Sequence[Any], groups: Mapping[str, int] | None
    ) -> CategoryProfile:
        """The profile from the values of :attr:`expressions`, or from groups of a wide column."""
        counts, values = found
        if groups is not None:
            counts = [groups.get(category, 0) for category in self.known]
        return CategoryProfile(
            count=rows,
            nulls=rows - values,
            counts=dict(zip(self.known, counts, strict=True)),
            other=values - sum(counts),
        )

    def _count(self, category: str) -> str:
        return f"count(*) FILTER (WHERE {self._is(category)})"

    def _is(self, category: str) -> str:
        """Compared as the column's own type where that spares a conversion for each row."""
        column = POSTGRES.quoted(self.name)
        if self.pg_type == "boolean":
            return {"true": column, "false": f"NOT {column}"}.get(category, "false")
        if self.pg_type in _INTEGERS:
            return f"{column} = {category}" if _INTEGER.fullmatch(category) else "false"
        return f"{self.text} = {POSTGRES.text_literal(category)}"


def _by_two(conditions: Sequence[str]) -> Iterator[Sequence[str]]:
    """Two by two; the last of an odd number alone."""
    return (conditions[i : i + 2] for i in range(0, len(conditions), 2))


def _counts(wide: str, narrow: str | None = None) -> str:
    """The rows of one condition; or of two, where ``narrow`` implies ``wide``, in one number."""
    if narrow is None:
        return f"count(*) FILTER (WHERE {wide})"
    return f"sum(CASE WHEN {narrow} THEN {PAIR + 1} ELSE 1 END) FILTER (WHERE {wide})"


def _of_another_kind(name: str, found: str, expected: str) -> DataRefused:
    return DataRefused(
        f"the column {name} cannot be profiled as the reference was",
        found=found,
        expected=expected,
        action="cast it in the SQL, or train a new version with the new type",
    )
