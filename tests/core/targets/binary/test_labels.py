"""What labels of two values may be, and what is known of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.core.targets.binary.label_facts import (
    check_labels,
    check_side,
    label_facts,
    remaining_facts,
)
from mlops.core.targets.binary.labels import LabelCounter, read_labels, require_label_type
from mlops.core.targets.binary.metrics import measure
from mlops.errors import DataRefused
from mlops.spec.model import Contract


@pytest.mark.parametrize("kind", [pa.bool_(), pa.int8(), pa.int64(), pa.uint16()])
def test_booleans_and_whole_numbers_can_be_labels(kind):
    require_label_type("late", kind)
    assert read_labels(pa.chunked_array([pa.array([0, 1, 1]).cast(kind)])).tolist() == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0, 1, 2], "found 0, 1, 2;"),
        ([1, 2, 1], "found 1, 2;"),
        ([-1, 1], "found -1, 1;"),
        ([7, 7], "found 7;"),
        (list(range(9)), "found 0, 1, 2, 3, 4 and others;"),
    ],
)
def test_labels_of_other_numbers_are_refused_with_their_values(values, shown):
    """Which of them would be true is a decision of the people who know the data."""
    for reads in (read_labels, LabelCounter().update):
        with pytest.raises(DataRefused, match="other values than 0 and 1") as caught:
            reads(pa.chunked_array([pa.array(values, pa.int32())]))
        assert shown in str(caught.value)
        assert f"<label> = {max(values)}" in str(caught.value)


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.timestamp("us")])
def test_other_types_cannot_and_the_error_shows_what_to_write(kind):
    with pytest.raises(DataRefused, match=r"column 'late' cannot be the label.*late = 'yes'"):
        require_label_type("late", kind)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 40))
def test_the_share_of_all_is_that_of_its_batches(values, cut):
    counter = LabelCounter()
    counter.update(pa.array(values[:cut], pa.bool_()))
    counter.update(pa.array(values[cut:], pa.bool_()))
    assert counter.facts() == {"label_share": sum(values) / len(values)}


def test_no_rows_have_no_share():
    assert LabelCounter().facts() == {"label_share": None}
    assert not any(check.passed for check in check_labels({"label_share": None}, Contract()))


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_what_is_known_of_training_rows_is_all_less_the_tested_ones(train, test):
    counter = LabelCounter()
    counter.update(pa.array([*train, *test]))
    tested = measure(np.array(test), np.full(len(test), 0.5))
    assert label_facts(tested)["label_share"] == pytest.approx(sum(test) / len(test))
    left = remaining_facts(counter.facts(), len(train) + len(test), tested)
    assert left["label_share"] == pytest.approx(sum(train) / len(train))
    assert remaining_facts(label_facts(tested), len(test), tested) == {"label_share": None}


@pytest.mark.parametrize(
    ("labels", "passed"), [([True, False], True), ([True, True], False), ([], False)]
)
def test_each_side_of_the_split_needs_both_classes(labels, passed):
    counter = LabelCounter()
    counter.update(pa.array(labels, pa.bool_()))
    check = check_side("test", counter.facts(), len(labels), "late")
    assert check.found == f"{sum(labels)} of {len(labels)} rows are true"
    assert check.passed is passed
    assert check.name == "both classes in the test periods"
    assert check.subject == "late"
