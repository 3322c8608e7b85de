"""How drift is judged: effect before chance, all columns together, and the reasons in words."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mlops.core.drift.judge import drift_reasons, judge_drift, worst_state
from mlops.core.drift.statistic import statistic_description, statistic_title
from mlops.errors import DataRefused, ExtensionError
from mlops.spec.model import Drift
from tests.core.drift.columns import names, numbers

SPEC = Drift(warn=0.1, alarm=0.25, min_rows=500)


def compare(reference, current, spec=SPEC):
    (found,) = judge_drift({"x": reference}, {"x": current}, spec)
    return found


def test_the_same_law_is_ok():
    random = np.random.default_rng(3)
    reference = numbers(random.normal(size=20_000))
    found = compare(reference, numbers(random.normal(size=5_000), reference.edges))
    assert found.state == "ok"
    assert found.value < 0.01
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


def test_a_change_of_the_null_share_alone_is_drift():
    random = np.random.default_rng(3)
    values = random.normal(size=10_000)
    reference = numbers(values, nulls=100)
    found = compare(reference, numbers(values[:6_000], reference.edges, nulls=4_000))
    assert found.state == "alarm"
    assert found.null_share == pytest.approx(0.4)
    assert found.null_share_reference == pytest.approx(100 / 10_100)
    assert "missing in 40.0 % of rows, 1.0 % in the reference" in drift_reasons([found], SPEC)[0]


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
    assert (found.state, found.value, found.null_share) == ("ok", 0.0, 1.0)


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
        assert found.value > SPEC.warn  # alone, this would be a false alarm each time
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
    assert (found.unseen_share, found.value, found.state) == (0.0, 0.0, "ok")
    more = compare(reference, names({"UA": 4_000, "AA": 3_000}, other=3_000))
    assert more.unseen_share == pytest.approx(0.2)
    assert more.state == "alarm"


def test_rare_categories_count_together():
    many = {f"d{place}": 20 for place in range(100)}
    before = names({"A": 8_000, **many})
    swapped = names({"A": 8_000, **{name: 40 * (place < 50) for place, name in enumerate(many)}})
    assert compare(before, swapped).value == pytest.approx(0.0)
    assert compare(before, names({"A": 4_000, **dict.fromkeys(many, 60)})).state == "alarm"


def test_a_column_that_is_gone_or_changed_is_refused():
    here = {"x": numbers(np.linspace(0, 1, 900))}
    with pytest.raises(DataRefused, match="lacks columns"):
        judge_drift(here, {}, SPEC)
    with pytest.raises(DataRefused, match="changed its kind"):
        judge_drift(here, {"x": names({"a": 900})}, SPEC)
    with pytest.raises(DataRefused, match="other bins"):
        judge_drift(here, {"x": numbers(np.linspace(0, 2, 900))}, SPEC)


def test_the_worst_state_is_the_whole_state():
    assert worst_state(["ok", "alarm", "warn"]) == "alarm"
    assert worst_state(["ok", "not_enough_data"]) == "ok"
    assert worst_state(["not_enough_data"]) == "not_enough_data"
    assert worst_state([]) == "not_enough_data"


def test_reasons_begin_with_the_largest_and_leave_out_what_is_ok():
    random = np.random.default_rng(3)
    base = random.normal(size=20_000)
    reference = numbers(base)
    found = judge_drift(
        dict.fromkeys("abc", reference),
        {
            "a": numbers(base + 0.4, reference.edges),
            "b": numbers(base + 1.0, reference.edges),
            "c": numbers(base, reference.edges),
        },
        SPEC,
    )
    sentences = drift_reasons(found, SPEC)
    assert len(sentences) == 2
    assert sentences[0].startswith("b has drifted: PSI ")
    assert "alarm from 0.25" in sentences[0]
    assert "warn from 0.1" in sentences[1]


def test_a_statistic_that_is_not_installed_is_named_where_it_is_asked_for():
    x = numbers(np.linspace(0, 1, 900))
    spec = Drift(statistic="acme_distance", warn=1.0, alarm=2.0)
    with pytest.raises(ExtensionError, match="drift statistic 'acme_distance' is not known"):
        judge_drift({"x": x}, {"x": x}, spec)
    # Records of it can still be shown.
    assert statistic_title("acme_distance") == statistic_description("acme_distance")
    assert statistic_title("psi") == "PSI"


def test_judging_drift_loads_none_of_the_heavy_libraries():
    heavy = "{'numpy', 'pyarrow', 'scipy', 'sklearn', 'pandas'}"
    judge = "import sys, mlops.core.drift.judge, mlops.core.drift.psi"
    code = f"{judge}; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
