"""The population stability index: the formula, its law, and what it counts as a group."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from mlops.core.drift.psi import PSI, psi, psi_by_chance
from tests.core.drift.columns import names, numbers

COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)


def test_psi_by_hand():
    a, b = (50, 30, 20), (20, 30, 50)
    expected = 0.3 * math.log(0.5 / 0.2) - 0.3 * math.log(0.2 / 0.5)
    assert psi(a, b) == pytest.approx(expected)
    assert psi((50, 30, 20, 0), (20, 30, 50, 0)) == pytest.approx(expected)


@given(COUNTS, st.integers(1, 9))
def test_psi_of_equal_shares_is_nothing(counts, times):
    assert psi(counts, [count * times for count in counts]) == pytest.approx(0.0, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1))
def test_psi_is_symmetric_finite_and_not_negative(pairs):
    a, b = [a for a, _ in pairs], [b for _, b in pairs]
    assert psi(a, b) == pytest.approx(psi(b, a))
    assert 0 <= psi(a, b) < math.inf
    assert psi_by_chance(a, b) >= 0


def test_psi_of_two_lengths_is_refused():
    with pytest.raises(ValueError, match="is longer than"):
        psi((1, 2), (1, 2, 3))


def test_without_drift_psi_follows_its_law():
    random = np.random.default_rng(7)
    share = np.full(10, 0.1)
    n, m = 5_000, 2_000
    found = np.array(
        [psi(random.multinomial(n, share), random.multinomial(m, share)) for _ in range(3_000)]
    )
    expected = psi_by_chance(np.full(10, n / 10), np.full(10, m / 10))
    assert expected == pytest.approx((1 / n + 1 / m) * 9)
    assert found.mean() == pytest.approx(expected, rel=0.03)
    assert np.quantile(found, 0.95) == pytest.approx((1 / n + 1 / m) * chi2.ppf(0.95, 9), rel=0.05)


def test_psi_agrees_with_ten_quantile_bins_of_the_rows_themselves():
    random = np.random.default_rng(5)
    before, now = random.normal(size=40_000), random.normal(0.5, 1.1, size=30_000)
    edges = np.quantile(before, np.linspace(0, 1, 11))[1:-1]
    expected = psi(
        np.bincount(np.searchsorted(edges, before), minlength=10),
        np.bincount(np.searchsorted(edges, now), minlength=10),
    )
    reference = numbers(before)
    found = PSI.measure(reference, numbers(now, reference.edges))
    assert found.value == pytest.approx(expected, rel=0.05)


def test_the_p_value_is_that_of_the_chi_squared_law():
    reference = numbers(np.linspace(0, 1, 10_000))
    found = PSI.measure(reference, numbers(np.linspace(0, 1, 900) ** 1.1, reference.edges))
    law = chi2.sf(found.value / (1 / 10_000 + 1 / 900), 9)
    assert found.p_value == pytest.approx(law, rel=1e-9)
    assert found.effect == pytest.approx(found.value - (1 / 10_000 + 1 / 900) * 9)


def test_a_column_of_one_group_or_without_rows_is_explained_by_chance():
    same = names({"A": 1_000})
    assert PSI.measure(same, same).p_value == 1.0
    assert PSI.measure(same, names({"A": 0})).p_value == 1.0
    assert PSI.measure(names({"A": 0}), same).value == 0.0
