"""What every drift statistic has to do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa

from mlops.core.drift.statistic import DriftMeasure, DriftStatistic
from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import CategoryProfile, ColumnProfile, NumericProfile

_ROWS = 20_000
_WINDOW = 900
_WINDOWS = 300
_CATEGORIES = {"A": 0.5, "B": 0.3, "C": 0.15, "D": 0.05}

Pair = tuple[ColumnProfile, ColumnProfile]


class DriftStatisticConformance:
    """Tests of one statistic; a subclass sets ``statistic``."""

    statistic: ClassVar[DriftStatistic]

    def test_it_describes_itself(self) -> None:
        """Name, title, description and bins are such as reports and profiles can use."""
        statistic = self.statistic
        assert statistic.name == statistic.name.strip() != ""
        assert "\n" not in statistic.title + statistic.description
        assert statistic.title
        assert statistic.description
        assert isinstance(statistic.bins, int)
        assert statistic.bins >= 1

    def test_it_measures_numbers_or_names(self) -> None:
        """Neither would make it a statistic of nothing."""
        random = np.random.default_rng(1)
        found = [self.statistic.measure(*pair) for pair in _windows(self.statistic, random, 1)]
        assert any(measure is not None for measure in found)

    def test_the_same_rows_have_not_drifted(self) -> None:
        """A window that is its own reference has no effect above chance."""
        for reference, _ in _windows(self.statistic, np.random.default_rng(2), 1):
            measure = self.statistic.measure(reference, reference)
            assert measure is None or abs(measure.value) < 1e-9
            assert measure is None or measure.effect <= 0.0

    def test_it_reacts_to_some_change(self) -> None:
        """At least one kind of change has a larger effect than a window without drift."""
        random = np.random.default_rng(3)
        usual = [
            measure.effect
            for pair in _windows(self.statistic, random, 20)
            if (measure := self.statistic.measure(*pair)) is not None
        ]
        changed = [
            measure.effect
            for pair in _changed(self.statistic, random)
            if (measure := self.statistic.measure(*pair)) is not None
        ]
        assert max(changed) > 2 * max(usual)

    def test_equal_profiles_give_equal_values(self) -> None:
        """A step that is run again has to find the same."""
        for reference, current in _windows(self.statistic, np.random.default_rng(4), 2):
            assert self.statistic.measure(reference, current) == self.statistic.measure(
                _copy(reference), _copy(current)
            )

    def test_windows_of_any_kind_give_a_finite_value_or_none(self) -> None:
        """No rows, one row, only missing values, one value, infinities: never NaN, no error."""
        for reference, current in _odd(self.statistic):
            measure = self.statistic.measure(reference, current)
            if measure is None:
                continue
            assert math.isfinite(measure.value)
            assert measure.expected_by_chance is None or math.isfinite(measure.expected_by_chance)
            assert measure.p_value is None or 0.0 <= measure.p_value <= 1.0

    def test_its_average_without_drift_is_what_it_expects(self) -> None:
        """``expected_by_chance`` agrees with windows that were drawn from the reference's law."""
        for measures in self._without_drift():
            expected = [m.expected_by_chance for m in measures if m.expected_by_chance is not None]
            if expected:
                found = float(np.mean([measure.value for measure in measures]))
                assert math.isclose(found, float(np.mean(expected)), rel_tol=0.2)

    def test_its_p_values_are_not_too_small_without_drift(self) -> None:
        """Of windows without drift, about 5 % may have a p-value below 0.05."""
        for measures in self._without_drift():
            p_values = [m.p_value for m in measures if m.p_value is not None]
            if p_values:
                assert np.mean([p_value < 0.05 for p_value in p_values]) <= 0.1

    def _without_drift(self) -> Iterator[list[DriftMeasure]]:
        """For each kind of column, what was measured in many windows without drift."""
        pairs = list(_windows(self.statistic, np.random.default_rng(5), _WINDOWS))
        for kind in (NumericProfile, CategoryProfile):
            measures = [
                measure
                for reference, current in pairs
                if isinstance(reference, kind)
                and (measure := self.statistic.measure(reference, current)) is not None
            ]
            if measures:
                yield measures


def _windows(
    statistic: DriftStatistic, random: np.random.Generator, windows: int
) -> Iterator[Pair]:
    """Numbers and names, each with windows of the same law as their reference."""
    base = random.normal(size=_ROWS)
    edges = reference_edges(base, bins=statistic.bins)
    reference = _numbers(base, edges)
    names = _names(random, _ROWS, _CATEGORIES)
    for _ in range(windows):
        yield reference, _numbers(random.normal(size=_WINDOW), edges)
        yield names, _names(random, _WINDOW, _CATEGORIES)


def _changed(statistic: DriftStatistic, random: np.random.Generator) -> Iterator[Pair]:
    """A shift, a wider spread, missing values, other shares, a new category."""
    base = random.normal(size=_ROWS)
    edges = reference_edges(base, bins=statistic.bins)
    reference, window = _numbers(base, edges), base[:_WINDOW]
    yield reference, _numbers(window + 2.0, edges)
    yield reference, _numbers(window * 5.0, edges)
    yield reference, _numbers(np.append(window, np.full(_WINDOW, np.nan)), edges)
    names = _names(random, _ROWS, _CATEGORIES)
    yield names, _names(random, _WINDOW, {"A": 0.05, "B": 0.15, "C": 0.3, "D": 0.5})
    yield names, _names(random, _WINDOW, {"A": 0.3, "B": 0.2, "new": 0.5})


def _odd(statistic: DriftStatistic) -> Iterator[Pair]:
    plain = np.linspace(-1.0, 1.0, 1_000)
    columns = [
        plain,
        np.array([]),
        np.array([0.5]),
        np.full(50, np.nan),
        np.full(50, 3.0),
        np.array([-np.inf, 0.0, np.inf]),
        np.array([-1e300, 1e300]),
    ]
    for values in columns:
        edges = reference_edges(values, bins=statistic.bins)
        for window in columns:
            yield _numbers(values, edges), _numbers(window, edges)
    names = [{"A": 10, "B": 5}, {"A": 0, "B": 0}, {"A": 15, "B": 0}]
    for before in names:
        for now in names:
            for other, nulls in ((0, 0), (7, 0), (0, 7)):
                yield _counted(before, 0, 0), _counted(now, other, nulls)
                yield _counted(before, other, nulls), _counted(now, 0, 0)


def _numbers(values: np.ndarray, edges: tuple[float, ...]) -> NumericProfile:
    profiler = Profiler(edges={"x": edges}, categories={})
    profiler.update(pa.table({"x": pa.array(values, pa.float64())}))
    return profiler.result().numeric["x"]


def _names(random: np.random.Generator, rows: int, shares: dict[str, float]) -> CategoryProfile:
    drawn = dict(zip(shares, random.multinomial(rows, list(shares.values())).tolist(), strict=True))
    known = {name: drawn.get(name, 0) for name in _CATEGORIES}
    return _counted(known, rows - sum(known.values()), 0)


def _counted(counts: dict[str, int], other: int, nulls: int) -> CategoryProfile:
    rows = sum(counts.values()) + other + nulls
    return CategoryProfile(count=rows, nulls=nulls, counts=counts, other=other)


def _copy(profile: ColumnProfile) -> ColumnProfile:
    if isinstance(profile, NumericProfile):
        return NumericProfile.from_json(profile.to_json())
    return CategoryProfile(**profile.to_json())
