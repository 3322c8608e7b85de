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
    """

    name: str
    pg_type: str
    edges: tuple[float, ...]
    has_nan: bool = False
    guarded: bool = False

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

    def _sums(self, value: str) -> tuple[str, str]:
        """The sums about the centre; whole numbers are added exactly, in any order."""
        summed = value if self.pg_type == "double precision" else f"{value}::float8"
        if self.guarded:
            summed = f"CASE WHEN abs({summed}) <= 1e100::float8 THEN {summed} END"
        offset = f"({summed} - '{centre_of(self.edges)!r}'::float8)"
        square = f"{offset} * {offset}"
        if self.guarded:
            # A product that is too small for a float8 is an error, as one that is too large.
            square = f"CASE WHEN abs({offset}) >= 1e-150::float8 THEN {square} ELSE 0 END"
        return f"sum({offset})", f"sum({square})"

    def read(self, rows: int, found: Sequence[Any]) -> NumericProfile:
        """The profile from the values of :attr:`expressions`."""
        counts, values, low, high, added, squared = found
        total, squares = steady_sums(values, added or 0.0, squared or 0.0)
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
