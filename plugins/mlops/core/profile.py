"""Profiles: what is kept of a window of rows, a few kilobytes whatever their number.

A profile counts, for each numeric feature, the values between edges that come from a reference,
and for each text feature the categories that the reference knows. Counts add up: batches make a
shard, shards a day, days a week. All that drift is judged by (PSI, Kolmogorov-Smirnov on the bins,
Jensen-Shannon, null rate, unseen categories) is computed from two such profiles.

The same profile is made in memory (:class:`mlops.core.profiler.Profiler`) and inside the database
(:mod:`mlops.warehouse.postgres.pushdown`); the two are equal on the same rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from mlops.core.checks import ColumnSummary, DataSummary
from mlops.core.column_profile import CategoryProfile, NumericProfile
from mlops.digests import canonical_json
from mlops.errors import DataRefused

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All profiled features over the rows of a window, by name."""

    rows: int
    numeric: Mapping[str, NumericProfile]
    categories: Mapping[str, CategoryProfile]

    @property
    def columns(self) -> dict[str, NumericProfile | CategoryProfile]:
        """Both kinds of features by name."""
        return {**self.numeric, **self.categories}

    def unseen(self) -> dict[str, int]:
        """For each text feature the rows of categories that the reference does not know."""
        return {name: profile.other for name, profile in self.categories.items()}

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

    def merge(self, other: Profile) -> Profile:
        """The profile of both sets of rows.

        :raises DataRefused: when features, edges or known categories differ.
        """
        if (self.numeric.keys(), self.categories.keys()) != (
            other.numeric.keys(),
            other.categories.keys(),
        ):
            raise DataRefused(
                "two profiles cannot be added: they are of other features",
                found=sorted(other.columns),
                expected=sorted(self.columns),
            )
        return Profile(
            rows=self.rows + other.rows,
            numeric={name: p.merge(other.numeric[name]) for name, p in self.numeric.items()},
            categories={
                name: p.merge(other.categories[name]) for name, p in self.categories.items()
            },
        )

    def to_json(self) -> str:
        """Canonical JSON: equal profiles give equal text. Infinities are written as text."""
        return canonical_json(
            {
                "format": FORMAT,
                "rows": self.rows,
                "numeric": {name: _numeric_json(p) for name, p in self.numeric.items()},
                "categories": {name: vars(p) for name, p in self.categories.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read what :meth:`to_json` wrote.

        :raises DataRefused: for text of another format.
        """
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise DataRefused(
                "the text is not a profile that this version can read",
                found=f"format {data.get('format') if isinstance(data, dict) else None}",
                expected=f"format {FORMAT}",
            )
        return cls(
            rows=data["rows"],
            numeric={name: _numeric_from_json(p) for name, p in data["numeric"].items()},
            categories={name: CategoryProfile(**p) for name, p in data["categories"].items()},
        )


def merge_all(profiles: Sequence[Profile]) -> Profile:
    """The sum of one or more profiles.

    :raises DataRefused: for none, or for profiles that cannot be added.
    """
    if not profiles:
        raise DataRefused("there is no profile to add up", expected="at least one window or shard")
    return reduce(Profile.merge, profiles)


def _numeric_json(profile: NumericProfile) -> dict[str, Any]:
    ends = {name: getattr(profile, name) for name in ("min", "max")}
    return {
        **vars(profile),
        **{name: str(x) if x is not None and math.isinf(x) else x for name, x in ends.items()},
    }


def _numeric_from_json(data: dict[str, Any]) -> NumericProfile:
    return NumericProfile(
        **{
            **data,
            "min": None if data["min"] is None else float(data["min"]),
            "max": None if data["max"] is None else float(data["max"]),
            # JSONB gives a float of more than its digits back as the whole number that it wrote.
            "edges": tuple(map(float, data["edges"])),
            "bin_counts": tuple(data["bin_counts"]),
        }
    )
