"""Two profiles of one column as rows by group, so that both sides have the same few groups.

Numbers fall into at most ten groups of bins of about equal reference count, and one group for bins
in which the reference has no row. Names fall into the common categories one by one, the rare ones
together, and the new ones together. Missing values are a group of their own on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlops.core.profiles import CategoryProfile, ColumnProfile, NumericProfile

GROUPS = 10
RARE_SHARE = 0.01


@dataclass(frozen=True)
class GroupedRows:
    """Rows by group on both sides; the last group holds the missing values.

    :ivar unseen: rows of the window with a value that the reference does not have.
    """

    reference: tuple[float, ...]
    current: tuple[float, ...]
    unseen: float


def group_rows(reference: ColumnProfile, current: ColumnProfile) -> GroupedRows:
    """Count both sides by the same groups.

    :raises TypeError: the two are of different kinds.
    """
    if isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        return _group_numbers(reference, current)
    if isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        return _group_categories(reference, current)
    raise TypeError("a numeric profile and a profile of categories have no common groups")


def mean_shift(reference: ColumnProfile, current: ColumnProfile) -> float | None:
    """Difference of means in standard deviations of the reference; None for names or a constant."""
    if not isinstance(reference, NumericProfile) or not isinstance(current, NumericProfile):
        return None
    mean, deviation, now = reference.mean, reference.std, current.mean
    if mean is None or now is None or not deviation:
        return None
    shift = (now - mean) / deviation
    return shift if math.isfinite(shift) else None


def _group_numbers(reference: NumericProfile, current: NumericProfile) -> GroupedRows:
    places = _groups(reference.bin_counts)
    unseen = sum(now for now, place in zip(current.bin_counts, places, strict=True) if place < 0)
    return GroupedRows(
        reference=(*_sums(reference.bin_counts, places), reference.nulls),
        current=(*_sums(current.bin_counts, places), current.nulls),
        unseen=unseen,
    )


def _groups(counts: Sequence[int]) -> list[int]:
    """For each bin of the reference its group, by the bin's middle rank; -1 where it has no row."""
    total = sum(counts)
    middles = [end - count / 2.0 for end, count in zip(accumulate(counts), counts, strict=True)]
    return [
        math.floor(GROUPS * middle / total) if count else -1
        for middle, count in zip(middles, counts, strict=True)
    ]


def _sums(counts: Sequence[int], places: Sequence[int]) -> list[int]:
    """Rows of each group; the last one holds the bins in which the reference has no row."""
    rows = [0] * (GROUPS + 1)
    for count, place in zip(counts, places, strict=True):
        rows[place] += count
    return rows


def _group_categories(reference: CategoryProfile, current: CategoryProfile) -> GroupedRows:
    """Common categories one by one, rare ones together, then what is new, then what is missing.

    A reference lists its most frequent categories only. Where it has rows of others itself, a row
    of another one in the window may be old or new: those rows count with the rare ones, and as
    new only what goes beyond the reference's own share of them.
    """
    before, now = reference.counts, current.counts
    rows = sum(before.values()) + reference.other + reference.nulls
    common = sorted(name for name, count in before.items() if count >= RARE_SHARE * rows)
    rare = sorted(set(before) - set(common))
    usual = current.count * reference.other / reference.count if reference.count else 0.0
    listed_elsewhere, new = (current.other, 0) if reference.other else (0, current.other)
    return GroupedRows(
        reference=(
            *(before[name] for name in common),
            sum(before[name] for name in rare) + reference.other,
            0,
            reference.nulls,
        ),
        current=(
            *(now.get(name, 0) for name in common),
            sum(now.get(name, 0) for name in rare) + listed_elsewhere,
            new,
            current.nulls,
        ),
        unseen=max(0.0, current.other - usual),
    )
