"""Profiles: what is counted, and that equal profiles are written down the same."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.core.encode import Feature, FeatureEncoder
from mlops.core.profiler import Profiler, reference_edges, reference_profile
from mlops.core.profiles import CategoryProfile, NumericProfile, Profile, steady_sums
from mlops.digests import canonical_json
from mlops.errors import DataRefused

FINITE = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = st.lists(st.one_of(st.none(), st.just(math.nan), st.floats(), FINITE), max_size=40)
EDGES = (-1.0, 0.0, 0.5, 2.0)


def profile(values: list, edges: tuple = EDGES, words: list | None = None) -> Profile:
    profiler = Profiler(edges={"x": edges}, categories={"t": ("a", "b")})
    profiler.update(
        pa.table(
            {
                "x": pa.array(values, pa.float64()),
                "t": pa.array(words or [None] * len(values), pa.string()),
            }
        )
    )
    return profiler.result()


def test_bins_hold_their_lower_edge_and_not_the_upper():
    x = profile([-2.0, -1.0, -0.5, 0.0, 0.5, 1.9, 2.0, math.inf, -math.inf]).numeric["x"]
    assert x.bin_counts == (2, 2, 1, 2, 2)
    assert (x.min, x.max) == (-math.inf, math.inf)
    assert x.mean is None
    assert x.std is None


def test_missing_values_are_in_no_bin():
    x = profile([None, math.nan, 1.0]).numeric["x"]
    assert (x.count, x.nulls, x.values) == (3, 2, 1)
    assert x.bin_counts == (0, 0, 0, 1, 0)
    nothing = profile([None, math.nan]).numeric["x"]
    assert (nothing.nulls, nothing.min, nothing.max, nothing.mean, nothing.std) == (
        2, None, None, None, None,
    )  # fmt: skip


@given(COLUMNS)
@example([0.0, -0.0])
@example([1e300, 1.0])
def test_counts_are_those_of_numpy(values):
    x = profile(values).numeric["x"]
    known = np.array([v for v in values if v is not None and not math.isnan(v)])
    expected = [
        int(((known >= low) & (known < high)).sum())
        for low, high in zip((-math.inf, *EDGES), EDGES, strict=False)
    ]
    assert list(x.bin_counts[:-1]) == expected
    assert sum(x.bin_counts) == len(known) == x.values
    if len(known):
        assert (x.min, x.max) == (known.min(), known.max())
    if len(known) and np.abs(known).max() <= 1e100:
        farthest = max(1.0, np.abs(known).max())
        assert x.mean == pytest.approx(known.mean(), rel=1e-6, abs=1e-7 * farthest)
        assert x.std == pytest.approx(known.std(), rel=1e-3, abs=1e-3 * farthest)


def test_a_standard_deviation_far_from_zero_keeps_its_digits():
    values = 1.7e9 + np.arange(10_000.0)
    x = profile(values.tolist(), edges=reference_edges(values)).numeric["x"]
    assert x.mean == pytest.approx(values.mean(), rel=1e-12)
    assert x.std == pytest.approx(values.std(), rel=1e-6)


@given(st.lists(FINITE, min_size=1, max_size=30), st.integers(0, 30), st.randoms())
def test_batches_in_any_order_give_the_profile_of_all_rows(values, cut, random):
    words = [random.choice([None, "a", "b", "c"]) for _ in values]
    rows = pa.table({"x": pa.array(values, pa.float64()), "t": pa.array(words, pa.string())})
    parts = [rows.slice(0, cut), rows.slice(cut)]
    random.shuffle(parts)
    profiler = Profiler(edges={"x": EDGES}, categories={"t": ("a", "b")})
    for part in parts:
        profiler.update(part)
    assert profiler.result() == profile(values, words=words)


def test_categories_that_the_reference_does_not_know_are_other():
    t = profile([0.0] * 5, words=["a", None, "z", "a", ""]).categories["t"]
    assert t == CategoryProfile(count=5, nulls=1, counts={"a": 2, "b": 0}, other=2)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, None, 2], pa.int16()),
        pa.array([True, None, False]),
        pa.array([1.0, None, 2.0], pa.float32()),
    ],
)
def test_numbers_of_every_type_are_read(array):
    profiler = Profiler(edges={"x": (0.5, 1.5)}, categories={})
    profiler.update(pa.record_batch({"x": array}))
    x = profiler.result().numeric["x"]
    assert x.nulls == 1
    assert sum(x.bin_counts) == 2


@pytest.mark.parametrize(
    ("array", "counts"),
    [
        (pa.array(["a", "z", "a", None]).dictionary_encode(), {"a": 2}),
        (pa.array([1, 7, 1, None]), {"1": 2}),
        (pa.array([True, False, True, None]), {"true": 2}),
        (pa.array(["a", "z", "a", None], pa.large_string()), {"a": 2}),
    ],
)
def test_categories_of_every_type_are_read(array, counts):
    profiler = Profiler(edges={}, categories={"t": tuple(counts)})
    profiler.update(pa.record_batch({"t": array}).slice(0))
    expected = CategoryProfile(count=4, nulls=1, counts=counts, other=1)
    assert profiler.result().categories["t"] == expected


def test_a_column_that_is_missing_or_of_another_kind_is_refused():
    profiler = Profiler(edges={"x": ()}, categories={"t": ()})
    with pytest.raises(DataRefused, match="column x is not among the rows"):
        profiler.update(pa.record_batch({"t": pa.array(["a"])}))
    with pytest.raises(DataRefused, match=r"column x cannot be profiled.*found string"):
        profiler.update(pa.record_batch({"x": pa.array(["a"]), "t": pa.array(["a"])}))
    with pytest.raises(DataRefused, match=r"column t cannot be profiled.*found double"):
        profiler.update(pa.record_batch({"x": pa.array([1.0]), "t": pa.array([1.0])}))


@given(COLUMNS)
def test_json_there_and_back(values):
    found = profile(values)
    text = canonical_json(found.to_json())
    again = Profile.from_json(json.loads(text))
    assert again == found
    assert again.to_json() == found.to_json() == json.loads(text)
    assert again.numeric["x"].offset_sum == found.numeric["x"].offset_sum


@pytest.mark.parametrize("value", [{"format": 99}, [], "text", None])
def test_json_of_another_format_is_refused(value):
    with pytest.raises(DataRefused, match="cannot read the profile"):
        Profile.from_json(value)


def in_batches(values: list[float], size: int, edges: tuple[float, ...]) -> Profile:
    """The profile of values that come in batches; within one of them order never shows."""
    profiler = Profiler(edges={"x": edges}, categories={})
    for start in range(0, len(values), size):
        profiler.update(
            pa.record_batch({"x": pa.array(values[start : start + size], pa.float64())})
        )
    return profiler.result()


@given(
    st.lists(st.integers(-(2**22), 2**22), min_size=1, max_size=60),
    st.integers(1, 7),
    st.randoms(),
)
# The sum is in the middle between two steps of the rounding.
@example([0, 2**22, 2**22 - 1, *[2**22] * 40], 1, Random(1))
def test_whole_numbers_are_added_exactly_in_any_order(numbers, size, random):
    edges = (-1e6, 7.0, 1e6)
    shuffled = [float(number) for number in numbers]
    random.shuffle(shuffled)
    found = in_batches(shuffled, size, edges)
    assert found.to_json() == in_batches([float(n) for n in numbers], len(numbers), edges).to_json()
    x = found.numeric["x"]
    offsets = [number - int(x.centre) for number in numbers]
    squares = sum(offset * offset for offset in offsets)
    assert (x.offset_sum, x.offset_squares) == steady_sums(len(numbers), sum(offsets), squares)


@given(st.lists(FINITE, min_size=2, max_size=60), st.integers(1, 7), st.randoms())
@example([0.1] * 3 + [1e8], 1, Random(1))
def test_profiles_of_the_same_rows_in_another_order_agree(values, size, random):
    values = [v for v in values if abs(v) < 1e90]
    shuffled = list(values)
    random.shuffle(shuffled)
    edges = reference_edges(np.array(values)) if values else ()
    ours, theirs = in_batches(values, size, edges), in_batches(shuffled, size, edges)
    assert ours.agrees_with(theirs)
    assert theirs.agrees_with(Profile.from_json(ours.to_json()))


def test_sums_agree_but_for_their_last_digit():
    rows = profile([0.1, 0.2, 0.3] * 1_000)
    x = rows.numeric["x"]
    sums = x.offset_sum, x.offset_squares
    assert None not in sums
    for digit, agree in ((1e-8, True), (1e-6, False)):
        for changed in (
            replace(x, offset_sum=sums[0] * (1 + digit)),
            replace(x, offset_squares=sums[1] * (1 - digit)),
        ):
            assert changed == x
            assert replace(rows, numeric={"x": changed}).agrees_with(rows) is agree
    # Two runs over the same rows found these, before and after ANALYZE.
    first = replace(x, count=30_000, bin_counts=(0, 0, 30_000, 0, 0), offset_squares=6e11)
    pair = replace(first, offset_sum=107532764.0), replace(first, offset_sum=107532762.0)
    assert pair[0].agrees_with(pair[1])


@pytest.mark.parametrize(
    "changed",
    [
        [0.1, 0.2, 0.3, None],
        [0.1, 0.2, 0.31],
        [0.1, 0.25, 0.3],
        [0.1, 0.2, 0.3, 0.3],
        [1e101, 0.2, 0.3],
        [None, None, None],
    ],
)
def test_profiles_of_other_rows_do_not_agree(changed):
    assert not profile(changed).agrees_with(profile([0.1, 0.2, 0.3]))
    assert not profile([0.1, 0.2, 0.3]).agrees_with(profile(changed))
    assert profile(changed).agrees_with(profile(changed))


@given(st.lists(FINITE, min_size=1, max_size=200), st.integers(2, 12))
@example([5.0], 10)
@example([0.0, -0.0, 1.0], 2)
@example([1.7976931348623157e308], 10)
def test_edges_are_observed_quantiles(values, bins):
    column = np.array(values)
    edges = reference_edges(column, bins=bins)
    assert list(edges) == sorted(set(edges))
    assert len(edges) <= bins + 1
    assert edges[0] == column.min()
    assert set(edges[:-1]) <= set((column + 0.0).tolist())
    inner = np.quantile(column, np.arange(1, bins) / bins, method="inverted_cdf")
    if bins in (2, 4, 8):  # i / bins is exact, and so is numpy's rank
        assert set((inner + 0.0).tolist()) <= set(edges)
    x = profile(values, edges=edges).numeric["x"]
    assert x.bin_counts[0] == 0
    if column.max() < 1.7e308:
        assert x.bin_counts[-1] == 0
        assert edges[-1] == np.nextafter(column.max(), math.inf)


def test_edges_cut_into_equal_parts():
    column = np.random.default_rng(0).permutation(np.arange(1_000.0))
    x = profile(column.tolist(), edges=reference_edges(column)).numeric["x"]
    assert x.bin_counts == (0, 99, *[100] * 8, 101, 0)


def test_edges_of_nothing_finite():
    assert reference_edges(np.array([math.nan, math.inf, -math.inf])) == ()
    assert reference_edges(np.array([])) == ()
    x = profile([1.0, math.inf], edges=()).numeric["x"]
    assert x.bin_counts == (2,)


def test_the_reference_of_a_model_version():
    rows = pa.table({"x": [1.0, 2.0, None, 4.0], "t": ["a", "b", "a", None], "id": [1, 2, 3, 4]})
    encoder = FeatureEncoder.fit([Feature("x", "numeric"), Feature("t", "categorical")], rows)
    found = reference_profile(rows, np.array([0.1, 0.9]), encoder, bins=2)
    assert list(found.columns) == ["x", "score", "t"]
    assert found.rows == 4
    assert found.numeric["score"].count == 2
    assert found.numeric["x"].edges == (1.0, 2.0, np.nextafter(4.0, 5.0))
    assert found.categories["t"].counts == {"a": 2, "b": 1}
    assert found.unseen() == {"t": 0}


def test_a_summary_for_the_contract():
    found = profile([1.0, None, -math.inf], words=["z", "a", None])
    summary = found.summary(newest=None, key_duplicates=3)
    assert (summary.rows, summary.key_duplicates) == (3, 3)
    assert (summary.columns["x"].nulls, summary.columns["x"].min) == (1, -math.inf)
    assert (summary.columns["t"].nulls, summary.columns["t"].unseen) == (1, 1)


def test_values_beyond_the_range_of_squares_have_no_sums():
    x = profile([1e101, 0.0]).numeric["x"]
    assert x.offset_sum is None
    assert x.bin_counts == (0, 0, 1, 0, 1)
    assert isinstance(x, NumericProfile)
    assert (x.mean, x.std) == (None, None)
