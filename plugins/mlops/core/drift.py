"""How far a window's profile lies from its reference, and whether that matters.

*The measure* is the population stability index (PSI; Siddiqi 2006, "Credit Risk Scorecards",
chapter 9) over at most ten groups of bins of about equal reference count. Missing values are a
group of their own, so a change of the null share is part of it; so are values where the reference
has none (a new category, a number out of its range).

*The judgement* looks at the size of the effect first and at chance second:

1. fewer rows than the spec's ``min_rows``, on either side: ``not_enough_data``, never an alarm;
2. the effect is the PSI less what chance alone gives on average, ``(1/n + 1/m)(B - 1)`` for B
   groups and n and m rows (Yurdakul 2018, "Statistical Properties of Population Stability Index",
   Western Michigan University); below the spec's ``warn`` it is ``ok``, whatever its p-value;
3. without drift, PSI / (1/n + 1/m) follows a chi-squared law with B - 1 degrees of freedom
   (same source); many features are many looks, so p-values are judged together by the procedure
   of Benjamini and Hochberg (1995) at a false discovery rate of 1 %; what chance explains is
   ``ok``;
4. what is left is ``alarm`` from the spec's ``alarm`` up, and ``warn`` below it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from mlops.core.profiles import CategoryProfile, NumericProfile
from mlops.core.records import FeatureDrift, State
from mlops.errors import DataRefused
from mlops.spec.model import Drift

GROUPS = 10
RARE_SHARE = 0.01
FALSE_DISCOVERY_RATE = 0.01
TELLING = 0.01  # a change of the null share from here on is told in words
EMPTY = 0.5  # rows: what an empty group counts as, since a logarithm of 0 is infinite


Column = NumericProfile | CategoryProfile
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class _Compared:
    """Rows by group on both sides; the last group holds the missing values."""

    reference: Counts
    current: Counts
    unseen: float
    mean_shift: float | None


def psi(counts_a: ArrayLike, counts_b: ArrayLike) -> float:
    """Population stability index of two rows of counts over the same groups; 0 or more.

    ``sum((a - b) * ln(a / b))`` over the shares a and b (Siddiqi 2006), which is Jeffreys'
    divergence. A group that is empty on one side counts there as half a row; one that is empty on
    both is left out. 0 where a side has no rows at all.

    :raises ValueError: the two are not of one length.
    """
    a, b = np.asarray(counts_a, dtype=np.float64), np.asarray(counts_b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"counts must be two rows of one length, found {a.shape} and {b.shape}")
    if a.sum() == 0 or b.sum() == 0:
        return 0.0
    used = (a > 0) | (b > 0)
    a, b = np.maximum(a[used], EMPTY), np.maximum(b[used], EMPTY)
    a, b = a / a.sum(), b / b.sum()
    return max(0.0, float(np.sum((a - b) * np.log(a / b))))


def psi_by_chance(counts_a: ArrayLike, counts_b: ArrayLike) -> float:
    """The PSI that chance alone gives on average: ``(1/n + 1/m)(B - 1)`` (Yurdakul 2018).

    ``B`` counts the groups that have rows on either side; 0 where a side has no rows.
    """
    a, b = np.asarray(counts_a, dtype=np.float64), np.asarray(counts_b, dtype=np.float64)
    if a.sum() == 0 or b.sum() == 0:
        return 0.0
    return (1.0 / float(a.sum()) + 1.0 / float(b.sum())) * _freedom(a, b)


def drift(
    reference: Mapping[str, Column], current: Mapping[str, Column], spec: Drift
) -> tuple[FeatureDrift, ...]:
    """Compare every column of ``reference`` with the same one of ``current``, in its order.

    :param reference: profiles by name, from the version's training snapshot (or its scores).
    :param current: profiles of the window's rows, on the reference's own bin edges.
    :raises DataRefused: a column is missing from ``current``, or has other bin edges.
    """
    missing = sorted(set(reference) - set(current))
    if missing:
        raise DataRefused(
            "the window's profile lacks columns that the model was trained on",
            found=", ".join(sorted(current)),
            expected=", ".join(missing) + " as well",
            action="look at the features' SQL and at changes of its tables",
        )
    compared = {name: _compare(name, reference[name], current[name]) for name in reference}
    by_chance = _explained_by_chance([_p_value(pair) for pair in compared.values()])
    return tuple(
        _judge(name, pair, spec, explained=explained)
        for (name, pair), explained in zip(compared.items(), by_chance, strict=True)
    )


def worst_state(states: Iterable[State]) -> State:
    """The state of the whole: alarm before warn before ok.

    ``not_enough_data`` only where nothing could be judged at all.
    """
    found = set(states)
    order: tuple[State, ...] = ("alarm", "warn", "ok")
    return next((state for state in order if state in found), "not_enough_data")


def reasons(results: Iterable[FeatureDrift], spec: Drift) -> tuple[str, ...]:
    """One sentence for each feature that is in warn or alarm, the largest effect first."""
    found = [result for result in results if result.state in ("warn", "alarm")]
    found.sort(key=lambda result: (-result.psi, result.feature))
    return tuple(_reason(result, spec) for result in found)


def _reason(result: FeatureDrift, spec: Drift) -> str:
    bound = spec.alarm if result.state == "alarm" else spec.warn
    text = (
        f"{result.feature} has drifted: PSI {result.psi:.2f}, {result.state} from {bound:g}, "
        f"{result.psi_expected_by_chance:.3f} expected by chance"
    )
    if abs(result.null_share - result.null_share_reference) >= TELLING:
        text += (
            f"; missing in {100 * result.null_share:.1f} % of rows, "
            f"{100 * result.null_share_reference:.1f} % "
            "in the reference"
        )
    return text


def _judge(name: str, pair: _Compared, spec: Drift, *, explained: bool) -> FeatureDrift:
    rows, before = float(pair.current.sum()), float(pair.reference.sum())
    found, chance = psi(pair.reference, pair.current), psi_by_chance(pair.reference, pair.current)
    state: State = "ok"
    if min(rows, before) < spec.min_rows:
        state = "not_enough_data"
    elif found - chance >= spec.warn and not explained:
        state = "alarm" if found - chance >= spec.alarm else "warn"
    return FeatureDrift(
        feature=name,
        state=state,
        psi=found,
        psi_expected_by_chance=chance,
        null_share=_share(float(pair.current[-1]), rows),
        null_share_reference=_share(float(pair.reference[-1]), before),
        unseen_share=_share(pair.unseen, rows),
        mean_shift=pair.mean_shift,
        rows=int(rows),
    )


def _compare(name: str, reference: Column, current: Column) -> _Compared:
    if isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        return _compare_numbers(name, reference, current)
    if isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        return _compare_categories(reference, current)
    raise DataRefused(
        f"column '{name}' has changed its kind",
        found="numbers on one side and names on the other",
        expected="the kind that the model was trained on",
    )


def _compare_numbers(name: str, reference: NumericProfile, current: NumericProfile) -> _Compared:
    if reference.edges != current.edges:
        raise DataRefused(
            f"column '{name}' was counted in other bins than its reference",
            found=f"{len(current.edges)} edges",
            expected=f"the {len(reference.edges)} edges of the reference",
            action="profile the window on the reference's own edges",
        )
    before = np.asarray(reference.bin_counts, dtype=np.float64)
    now = np.asarray(current.bin_counts, dtype=np.float64)
    group = _groups(before)
    size = GROUPS + 1  # the last one holds bins where the reference has no row
    return _Compared(
        reference=np.append(np.bincount(group, before, size), reference.nulls),
        current=np.append(np.bincount(group, now, size), current.nulls),
        unseen=float(now[before == 0].sum()),
        mean_shift=_mean_shift(reference, current),
    )


def _groups(counts: Counts) -> NDArray[np.intp]:
    """For each bin of the reference, its group: by the bin's middle rank, so of equal count."""
    total = counts.sum()
    if total == 0:
        return np.full(len(counts), GROUPS, dtype=np.intp)
    middle = np.cumsum(counts) - counts / 2.0
    group = np.floor(GROUPS * middle / total).astype(np.intp)
    return np.where(counts > 0, group, GROUPS)


def _mean_shift(reference: NumericProfile, current: NumericProfile) -> float | None:
    """Difference of means in standard deviations of the reference; none for a constant."""
    mean, deviation, now = reference.mean, reference.std, current.mean
    if mean is None or now is None or not deviation:
        return None
    shift = (now - mean) / deviation
    return shift if math.isfinite(shift) else None


def _compare_categories(reference: CategoryProfile, current: CategoryProfile) -> _Compared:
    """Common categories one by one, rare ones together, then what is new, then what is missing.

    A reference lists its most frequent categories only. Where it has rows of others itself, a row
    of another one in the window may be old or new: those rows count with the rare ones, and as
    new only what goes beyond the reference's own share of them.
    """
    before, now = reference.counts, current.counts
    rows = sum(before.values()) + reference.other + reference.nulls
    common = sorted(name for name, count in before.items() if count >= RARE_SHARE * rows)
    rare = sorted(set(before) - set(common))
    usual = current.count * _share(reference.other, reference.count)
    listed_elsewhere, new = (current.other, 0) if reference.other else (0, current.other)
    return _Compared(
        reference=np.array(
            [before[name] for name in common]
            + [sum(before[name] for name in rare) + reference.other, 0, reference.nulls],
            dtype=np.float64,
        ),
        current=np.array(
            [now.get(name, 0) for name in common]
            + [sum(now.get(name, 0) for name in rare) + listed_elsewhere, new, current.nulls],
            dtype=np.float64,
        ),
        unseen=max(0.0, current.other - usual),
        mean_shift=None,
    )


def _freedom(a: Counts, b: Counts) -> int:
    return max(int(np.count_nonzero((a > 0) | (b > 0))) - 1, 0)


def _p_value(pair: _Compared) -> float:
    freedom = _freedom(pair.reference, pair.current)
    rows, before = pair.current.sum(), pair.reference.sum()
    if not freedom or not rows or not before:
        return 1.0
    statistic = psi(pair.reference, pair.current) / (1.0 / rows + 1.0 / before)
    return float(chdtrc(freedom, statistic))


def _explained_by_chance(p_values: Sequence[float]) -> list[bool]:
    """Benjamini and Hochberg 1995 (J. R. Stat. Soc. B 57): false where a look is a discovery."""
    looks = len(p_values)
    order = sorted(range(looks), key=lambda look: p_values[look])
    discoveries = 0
    for rank, look in enumerate(order, start=1):
        if p_values[look] <= FALSE_DISCOVERY_RATE * rank / looks:
            discoveries = rank
    found = set(order[:discoveries])
    return [look not in found for look in range(looks)]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
