"""From Arrow rows to a matrix and nothing guessed on the way."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.core.encode import BATCH_ROWS, MAX_CATEGORIES, Feature, FeatureEncoder
from mlops.errors import DataRefused

FEATURES = (
    Feature("distance", "numeric"),
    Feature("carrier", "categorical"),
    Feature("is_holiday", "numeric"),
    Feature("month", "categorical"),
    Feature("delay", "numeric"),
)


def rows() -> pa.Table:
    return pa.table(
        {
            "flight": pa.array([1, 2, 3, 4]),
            "delay": pa.array([0.5, None, math.nan, -2.25]),
            "carrier": pa.array(["UA", None, "AA", "UA"]),
            "month": pa.array([2, 11, None, 1], type=pa.int16()),
            "is_holiday": pa.array([True, None, False, False]),
            "distance": pa.array([10, None, 30, 40], type=pa.int32()),
        }
    )


def encoder() -> FeatureEncoder:
    return FeatureEncoder.fit(FEATURES, rows())


NAN = math.nan


def test_the_matrix_has_the_features_in_their_order():
    expected = [
        [10, 1, 1, 2, 0.5],
        [NAN, NAN, NAN, 1, NAN],
        [30, 0, 0, NAN, NAN],
        [40, 1, 0, 0, -2.25],
    ]
    matrix = encoder().encode_table(rows())
    assert matrix.dtype == np.float64
    assert matrix.flags.c_contiguous
    np.testing.assert_array_equal(matrix, np.array(expected))
    (batch,) = rows().to_batches()
    np.testing.assert_array_equal(encoder().encode(batch), matrix)


def test_categories_are_sorted_as_text():
    assert encoder().categories == {"carrier": ("AA", "UA"), "month": ("1", "11", "2")}


def test_the_order_of_rows_does_not_matter():
    assert FeatureEncoder.fit(FEATURES, rows().take([3, 1, 0, 2])) == encoder()


def test_a_spec_gives_features_by_name():
    @dataclass(frozen=True)
    class OfSpec:
        kind: Literal["numeric", "categorical"]

    spec = {feature.name: OfSpec(feature.kind) for feature in FEATURES}
    assert FeatureEncoder.fit(spec, rows()) == encoder()


def test_json_both_ways():
    written = json.dumps(encoder().to_json(), sort_keys=True)
    assert FeatureEncoder.from_json(json.loads(written)) == encoder()
    assert json.dumps(FeatureEncoder.from_json(json.loads(written)).to_json(), sort_keys=True) == (
        written
    )


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        {"features": [{"name": "a"}], "categories": {}},
        {"features": [{"name": "a", "kind": "odd", "family": "text"}], "categories": {}},
        {"features": [{"name": "a", "kind": "numeric", "family": "text"}], "categories": {}},
        {"features": [{"name": "a", "kind": "categorical", "family": "text"}], "categories": {}},
        {
            "features": [{"name": "a", "kind": "numeric", "family": "integer"}] * 2,
            "categories": {},
        },
    ],
)
def test_json_that_is_no_encoder_is_refused(broken):
    with pytest.raises(DataRefused, match="feature encoder"):
        FeatureEncoder.from_json(broken)


def test_unseen_categories_are_nan_and_counted():
    later = rows().set_column(2, "carrier", pa.array(["ZZ", None, "UA", "YY"]))
    matrix = encoder().encode_table(later)
    np.testing.assert_array_equal(matrix[:, 1], [NAN, NAN, 1, NAN])
    again, unseen = encoder().encode_counting(later.to_batches()[0])
    np.testing.assert_array_equal(again, matrix)
    assert unseen == {"carrier": 2, "month": 0}


def test_a_column_without_any_value_has_no_categories():
    empty = rows().set_column(2, "carrier", pa.array([None] * 4, type=pa.string()))
    learnt = FeatureEncoder.fit(FEATURES, empty)
    assert learnt.categories["carrier"] == ()
    assert np.isnan(learnt.encode_table(rows())[:, 1]).all()
    assert learnt.encode_counting(rows().to_batches()[0])[1]["carrier"] == 3


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("carrier", pa.array(["UA", None, "AA", "UA"]).dictionary_encode()),
        ("carrier", pa.array(["UA", None, "AA", "UA"], type=pa.large_string())),
        ("carrier", pa.array(["UA", None, "AA", "UA"], type=pa.string_view())),
        ("distance", pa.array([10, None, 30, 40], type=pa.int64())),
        ("month", pa.array([2, 11, None, 1], type=pa.uint8())),
        ("delay", pa.array([0.5, None, NAN, -2.25], type=pa.float32())),
    ],
)
def test_the_same_values_in_another_width_are_the_same_matrix(name, column):
    index = rows().schema.get_field_index(name)
    other = rows().set_column(index, name, column)
    np.testing.assert_array_equal(encoder().encode_table(other), encoder().encode_table(rows()))
    assert FeatureEncoder.fit(FEATURES, other) == encoder()


def test_dictionaries_that_differ_between_chunks():
    first = pa.array(["b", "a"]).dictionary_encode()
    second = pa.array(["c", "b", None]).dictionary_encode()
    table = pa.table({"x": pa.chunked_array([first, second])})
    learnt = FeatureEncoder.fit([Feature("x", "categorical")], table)
    assert learnt.categories == {"x": ("a", "b", "c")}
    np.testing.assert_array_equal(learnt.encode_table(table)[:, 0], [1, 0, 2, 1, NAN])


def test_booleans_can_be_categories():
    table = pa.table({"x": pa.array([True, False, None])})
    learnt = FeatureEncoder.fit([Feature("x", "categorical")], table)
    assert learnt.categories == {"x": ("false", "true")}
    np.testing.assert_array_equal(learnt.encode_table(table)[:, 0], [1, 0, NAN])


def test_a_missing_column_is_named_with_what_is_there():
    with pytest.raises(DataRefused, match="column 'carrier'; found only flight, delay, month"):
        encoder().encode_table(rows().drop_columns(["carrier"]))
    with pytest.raises(DataRefused, match="column 'carrier'"):
        FeatureEncoder.fit(FEATURES, rows().drop_columns(["carrier"]))


def test_a_column_that_is_there_twice_is_refused():
    twice = rows().append_column("delay", pa.array([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(DataRefused, match="column 'delay'; found it twice"):
        encoder().encode_table(twice)


@pytest.mark.parametrize(
    ("name", "column", "found"),
    [
        ("distance", pa.array([1.0] * 4), "floating"),
        ("delay", pa.array([1] * 4), "integer"),
        ("is_holiday", pa.array([1] * 4), "integer"),
        ("month", pa.array(["1"] * 4), "text"),
        ("carrier", pa.array([1] * 4), "integer"),
    ],
)
def test_a_column_that_changed_its_type_is_refused(name, column, found):
    changed = rows().set_column(rows().schema.get_field_index(name), name, column)
    for ask in (encoder().encode_table, encoder().encode_counting):
        with pytest.raises(DataRefused, match=f"'{name}' has changed its type; found {found}"):
            ask(changed)


@pytest.mark.parametrize(
    ("column", "kind", "advice"),
    [
        (pa.array([0], type=pa.timestamp("us", tz="UTC")), "numeric", "a moment is not a feature"),
        (pa.array([0], type=pa.timestamp("us")), "categorical", "a moment is not a feature"),
        (pa.array([0], type=pa.date32()), "numeric", "a moment is not a feature"),
        (pa.array([0], type=pa.duration("s")), "numeric", "a moment is not a feature"),
        (pa.array(["1.5"]), "numeric", "cast the column to double precision"),
        (pa.array([1], type=pa.decimal128(9, 2)), "numeric", "cast the column to double precision"),
        (pa.array([b"x"]), "categorical", "cast the column to text"),
        (pa.array([1.5]), "categorical", "cast the column to text"),
        (pa.array([[1]]), "numeric", "cast the column"),
        (pa.nulls(1), "numeric", "cast the column"),
    ],
)
def test_a_type_that_cannot_be_a_feature_is_refused_with_advice(column, kind, advice):
    with pytest.raises(DataRefused, match=f"column 'x' cannot be a {kind} feature.*{advice}"):
        FeatureEncoder.fit([Feature("x", kind)], pa.table({"x": column}))


def test_a_key_is_not_a_category():
    def learn(count: int) -> FeatureEncoder:
        table = pa.table({"id": pa.array([f"k{i}" for i in range(count)])})
        return FeatureEncoder.fit([Feature("id", "categorical")], table)

    assert len(learn(MAX_CATEGORIES).categories["id"]) == MAX_CATEGORIES
    with pytest.raises(DataRefused, match="'id'; found 1,001 distinct values"):
        learn(MAX_CATEGORIES + 1)


def test_tables_of_many_batches_and_of_no_rows():
    count = 2 * BATCH_ROWS + 7
    table = pa.table(
        {"x": pa.array(np.arange(count)), "c": pa.array(["a", "b", "c"] * count)[:count]}
    )
    learnt = FeatureEncoder.fit([Feature("x", "numeric"), Feature("c", "categorical")], table)
    matrix = learnt.encode_table(table)
    np.testing.assert_array_equal(matrix[:, 0], np.arange(count))
    np.testing.assert_array_equal(matrix[:, 1], np.arange(count) % 3)
    assert learnt.encode_table(table.slice(0, 0)).shape == (0, 2)
    sliced = table.slice(BATCH_ROWS - 1, 3)
    np.testing.assert_array_equal(
        learnt.encode_table(sliced), matrix[BATCH_ROWS - 1 : BATCH_ROWS + 2]
    )


@given(
    st.lists(st.none() | st.text(max_size=3), max_size=30),
    st.lists(st.none() | st.text(max_size=3), max_size=30),
)
def test_codes_name_their_categories(training, scoring):
    train = pa.table({"c": pa.array(training, type=pa.string())})
    later = pa.table({"c": pa.array(scoring, type=pa.string())})
    learnt = FeatureEncoder.fit([Feature("c", "categorical")], train)
    names = learnt.categories["c"]
    assert names == tuple(sorted({value for value in training if value is not None}))
    codes = learnt.encode_table(later)[:, 0]
    unseen = 0
    for value, code in zip(scoring, codes, strict=True):
        if value in names:
            assert names[int(code)] == value
        else:
            assert math.isnan(code)
            unseen += value is not None
    (batch,) = later.to_batches() or [pa.RecordBatch.from_pylist([], schema=later.schema)]
    assert learnt.encode_counting(batch)[1] == {"c": unseen}
