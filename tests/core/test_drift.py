import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from mlops.core.drift import drift, psi, psi_by_chance, reasons, worst_state
from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import CategoryProfile, NumericProfile
from mlops.errors import DataRefused
from mlops.spec.model import Drift

SPEC = Drift(warn=0.1, alarm=0.25, min_rows=500)
COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)


def numbers(values, edges=None, nulls=0) -> NumericProfile:
    """A profile as it is made of a window's rows, ``nulls`` of them without a value."""
    edges = reference_edges(values) if edges is None else edges
    profiler = Profiler(edges={"x": edges}, categories={})
    column = pa.array([*values, *[None] * nulls], pa.float64())
    profiler.update(pa.table({"x": column}))
    return profiler.result().numeric["x"]


def names(counts, other=0, nulls=0) -> CategoryProfile:
    rows = sum(counts.values()) + other + nulls
    return CategoryProfile(count=rows, nulls=nulls, counts=counts, other=other)


def compare(reference, current, spec=SPEC):
    (found,) = drift({"x": reference}, {"x": current}, spec)
    return found


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
    with pytest.raises(ValueError, match="one length"):
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


def test_the_same_law_is_ok():
    random = np.random.default_rng(3)
    reference = numbers(random.normal(size=20_000))
    found = compare(reference, numbers(random.normal(size=5_000), reference.edges))
    assert found.state == "ok"
    assert found.psi < 0.01
    assert abs(found.mean_shift) < 0.05
    assert found.rows == 5_000
    assert found.unseen_share < 0.001


@pytest.mark.parametrize(("shift", "state"), [(0.1, "ok"), (0.4, "warn"), (1.0, "alarm")])
def test_a_shift_is_judged_by_its_size(shift, state):
    random = np.random.default_rng(3)
    reference = numbers(random.normal(2, 3, size=20_000))
    moved = random.normal(2 + 3 * shift, 3, size=20_000)
    found = compare(reference, numbers(moved, reference.edges))
    assert found.state == state
    assert found.mean_shift == pytest.approx(shift, abs=0.03)


def test_psi_agrees_with_ten_quantile_bins_of_the_rows_themselves():
    random = np.random.default_rng(5)
    before, now = random.normal(size=40_000), random.normal(0.5, 1.1, size=30_000)
    edges = np.quantile(before, np.linspace(0, 1, 11))[1:-1]
    expected = psi(
        np.bincount(np.searchsorted(edges, before), minlength=10),
        np.bincount(np.searchsorted(edges, now), minlength=10),
    )
    reference = numbers(before)
    found = compare(reference, numbers(now, reference.edges))
    assert found.psi == pytest.approx(expected, rel=0.05)


def test_a_change_of_the_null_share_alone_is_drift():
    random = np.random.default_rng(3)
    values = random.normal(size=10_000)
    reference = numbers(values, nulls=100)
    found = compare(reference, numbers(values[:6_000], reference.edges, nulls=4_000))
    assert found.state == "alarm"
    assert found.null_share == pytest.approx(0.4)
    assert found.null_share_reference == pytest.approx(100 / 10_100)
    assert "missing in 40.0 % of rows, 1.0 % in the reference" in reasons([found], SPEC)[0]


def test_a_constant_that_moves_is_drift():
    reference = numbers(np.full(5_000, 5.0))
    found = compare(reference, numbers(np.full(5_000, 7.0), reference.edges))
    assert found.state == "alarm"
    assert found.mean_shift is None
    assert found.unseen_share == 1.0
    assert compare(reference, reference).state == "ok"


def test_everything_missing_on_both_sides_is_ok():
    nothing = numbers(np.array([]), edges=(0.0, 1.0), nulls=1_000)
    found = compare(nothing, nothing)
    assert (found.state, found.psi, found.null_share) == ("ok", 0.0, 1.0)


@pytest.mark.parametrize("rows", [0, 499])
def test_too_few_rows_are_never_an_alarm(rows):
    reference = numbers(np.linspace(0, 1, 5_000))
    found = compare(reference, numbers(np.full(rows, 9.0), reference.edges))
    assert found.state == "not_enough_data"
    assert found.rows == rows


def test_many_groups_and_few_rows_are_explained_by_chance():
    random = np.random.default_rng(11)
    many = [f"n{place:02}" for place in range(90)]
    reference = names(dict.fromkeys(many, 100))
    alarms = 0
    for _ in range(200):
        drawn = random.multinomial(600, np.full(90, 1 / 90))
        current = names(dict(zip(many, drawn.tolist(), strict=True)))
        found = compare(reference, current)
        assert found.psi > SPEC.warn  # alone, this would be a false alarm each time
        alarms += found.state != "ok"
    assert alarms == 0


def test_new_categories_are_a_group_of_their_own():
    reference = names({"UA": 5_000, "AA": 4_900, "OO": 5}, nulls=10)
    found = compare(reference, names({"UA": 4_000, "AA": 4_000, "OO": 0}, other=2_000, nulls=10))
    assert found.unseen_share == pytest.approx(2_000 / 10_010)
    assert found.state == "alarm"
    assert found.mean_shift is None


def test_only_what_goes_beyond_the_usual_rest_is_called_new():
    reference = names({"UA": 5_000, "AA": 4_000}, other=1_000)
    found = compare(reference, names({"UA": 2_500, "AA": 2_000}, other=500))
    assert (found.unseen_share, found.psi, found.state) == (0.0, 0.0, "ok")
    more = compare(reference, names({"UA": 4_000, "AA": 3_000}, other=3_000))
    assert more.unseen_share == pytest.approx(0.2)
    assert more.state == "alarm"


def test_rare_categories_count_together():
    many = {f"d{place}": 20 for place in range(100)}
    before = names({"A": 8_000, **many})
    swapped = names({"A": 8_000, **{name: 40 * (place < 50) for place, name in enumerate(many)}})
    assert compare(before, swapped).psi == pytest.approx(0.0)
    assert compare(before, names({"A": 4_000, **dict.fromkeys(many, 60)})).state == "alarm"


def test_a_column_that_is_gone_or_changed_is_refused():
    here = {"x": numbers(np.linspace(0, 1, 900))}
    with pytest.raises(DataRefused, match="lacks columns"):
        drift(here, {}, SPEC)
    with pytest.raises(DataRefused, match="changed its kind"):
        drift(here, {"x": names({"a": 900})}, SPEC)
    with pytest.raises(DataRefused, match="other bins"):
        drift(here, {"x": numbers(np.linspace(0, 2, 900))}, SPEC)


def test_the_worst_state_is_the_whole_state():
    assert worst_state(["ok", "alarm", "warn"]) == "alarm"
    assert worst_state(["ok", "not_enough_data"]) == "ok"
    assert worst_state(["not_enough_data"]) == "not_enough_data"
    assert worst_state([]) == "not_enough_data"


def test_reasons_begin_with_the_largest_and_leave_out_what_is_ok():
    random = np.random.default_rng(3)
    base = random.normal(size=20_000)
    reference = numbers(base)
    found = drift(
        dict.fromkeys("abc", reference),
        {
            "a": numbers(base + 0.4, reference.edges),
            "b": numbers(base + 1.0, reference.edges),
            "c": numbers(base, reference.edges),
        },
        SPEC,
    )
    told = reasons(found, SPEC)
    assert len(told) == 2
    assert told[0].startswith("b has drifted: PSI ")
    assert "alarm from 0.25" in told[0]
    assert "warn from 0.1" in told[1]
