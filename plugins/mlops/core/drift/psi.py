"""The population stability index (PSI; Siddiqi 2006, "Credit Risk Scorecards", chapter 9).

Missing values are a group of their own, so a change of their share is part of it; so are values
where the reference has none: a new category, a number out of its range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops.core.drift.chi_squared import upper_tail
from mlops.core.drift.groups import GROUPS, group_rows
from mlops.core.drift.statistic import DriftMeasure
from mlops.core.profiles import ColumnProfile

EMPTY = 0.5  # rows: what an empty group counts as, since a logarithm of 0 is infinite


class PopulationStabilityIndex:
    """PSI over the groups of :mod:`mlops.core.drift.groups`, with its law under no drift.

    Without drift, PSI / (1/n + 1/m) follows a chi-squared law with B - 1 degrees of freedom, for B
    groups and n and m rows (Yurdakul 2018, "Statistical Properties of Population Stability Index",
    Western Michigan University).
    """

    name = "psi"
    title = "PSI"
    description = "the population stability index (PSI)"
    bins = GROUPS

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> DriftMeasure:
        """PSI of both kinds of columns; 0 where a side has no rows at all."""
        rows = group_rows(reference, current)
        found, chance = (
            psi(rows.reference, rows.current),
            psi_by_chance(rows.reference, rows.current),
        )
        freedom = _freedom(rows.reference, rows.current)
        p_value = upper_tail(freedom, found / chance * freedom) if chance else 1.0
        return DriftMeasure(found, expected_by_chance=chance, p_value=p_value)


def psi(counts_a: Sequence[float], counts_b: Sequence[float]) -> float:
    """Population stability index of two rows of counts over the same groups; 0 or more.

    ``sum((a - b) * ln(a / b))`` over the shares a and b (Siddiqi 2006), which is Jeffreys'
    divergence. A group that is empty on one side counts there as half a row; one that is empty on
    both is left out. 0 where a side has no rows at all.

    :raises ValueError: the two are not of one length.
    """
    pairs = [(a, b) for a, b in zip(counts_a, counts_b, strict=True) if a > 0 or b > 0]
    if not sum(counts_a) or not sum(counts_b):
        return 0.0
    rows_a = math.fsum(max(a, EMPTY) for a, _ in pairs)
    rows_b = math.fsum(max(b, EMPTY) for _, b in pairs)
    shares = [(max(a, EMPTY) / rows_a, max(b, EMPTY) / rows_b) for a, b in pairs]
    return max(0.0, math.fsum((a - b) * math.log(a / b) for a, b in shares))


def psi_by_chance(counts_a: Sequence[float], counts_b: Sequence[float]) -> float:
    """The PSI that chance alone gives on average: ``(1/n + 1/m)(B - 1)`` (Yurdakul 2018).

    ``B`` counts the groups that have rows on either side; 0 where a side has no rows.
    """
    rows_a, rows_b = sum(counts_a), sum(counts_b)
    if not rows_a or not rows_b:
        return 0.0
    return (1.0 / rows_a + 1.0 / rows_b) * _freedom(counts_a, counts_b)


def _freedom(a: Sequence[float], b: Sequence[float]) -> int:
    return max(sum(x > 0 or y > 0 for x, y in zip(a, b, strict=True)) - 1, 0)


PSI = PopulationStabilityIndex()
