from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import chi2

from mlops.core.drift.chi_squared import upper_tail


@given(st.integers(1, 200), st.floats(0, 2_000))
@example(1, 0.0)
@example(2, 0.0)
@example(1, 1e-300)
@example(200, 5e-324)
def test_the_tail_is_that_of_scipy(freedom, value):
    assert upper_tail(freedom, value) == pytest.approx(
        chi2.sf(value, freedom), rel=1e-9, abs=1e-250
    )


@given(st.integers(1, 50), st.floats(2_000, 1e9))
def test_far_out_the_tail_is_nothing(freedom, value):
    assert 0.0 <= upper_tail(freedom, value) < 1e-200
