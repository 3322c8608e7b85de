import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops.core.checks import (
    ColumnSummary,
    DataSummary,
    all_passed,
    check_contract,
    contract_error,
    schema_changes,
)
from mlops.core.targets.binary.target import BINARY
from mlops.spec.model import CategoricalFeature, Contract, NumericFeature

END = datetime(2013, 6, 1, tzinfo=UTC)
FEATURES = {
    "distance": NumericFeature(min=0, max=6000),
    "temp": NumericFeature(max_null_share=0.1),
    "carrier": CategoricalFeature(kind="categorical", max_unseen_share=0.01),
}
CONTRACT = Contract(min_rows=1_000, label_share=(0.02, 0.6), max_age_days=3)
GOOD = DataSummary(
    rows=28_243,
    columns={
        "distance": ColumnSummary(nulls=0, min=17, max=4983),
        "temp": ColumnSummary(nulls=1_000, min=-12.5, max=101),
        "carrier": ColumnSummary(nulls=0, unseen=12),
    },
    newest=END - timedelta(minutes=5),
    labels={"label_share": 0.26},
)


def check(summary=GOOD, *, target=BINARY, contract=CONTRACT, min_rows=None):
    return check_contract(
        summary,
        features=FEATURES,
        contract=contract,
        window_end=END,
        target=target,
        min_rows=min_rows,
    )


def missed(summary, **options):
    return [(found.subject, found.name) for found in check(summary, **options) if not found.passed]


def with_column(name, **changes):
    column = replace(GOOD.columns[name], **changes)
    return replace(GOOD, columns={**GOOD.columns, name: column})


def test_every_check_is_listed_and_a_good_table_passes_all():
    found = check()
    assert all_passed(found)
    assert [(item.subject, item.name) for item in found] == [
        ("", "enough rows"),
        ("", "one row for each key"),
        ("", "no row from after the window"),
        ("", "rows are fresh"),
        ("", "label has both classes"),
        ("", "share of true labels"),
        ("distance", "missing values"),
        ("distance", "range"),
        ("temp", "missing values"),
        ("temp", "range"),
        ("carrier", "missing values"),
        ("carrier", "categories new since training"),
    ]
    assert (found[0].found, found[0].expected) == ("28,243", "at least 1,000")
    assert (found[5].found, found[5].expected) == ("26 %", "2 % to 60 %")
    assert (found[7].found, found[7].expected) == ("17 to 4,983", "0 to 6,000")
    assert found[9].expected == "finite"
    assert found[11].found == "0.04 %"


@pytest.mark.parametrize(
    ("summary", "subject", "name"),
    [
        (replace(GOOD, rows=999, columns={**GOOD.columns, "temp": ColumnSummary(9, 0, 1)}), "", 0),
        (replace(GOOD, key_duplicates=1), "", "one row for each key"),
        (replace(GOOD, newest=END), "", "no row from after the window"),
        (replace(GOOD, newest=END - timedelta(days=4)), "", "rows are fresh"),
        (replace(GOOD, labels={"label_share": 0.61}), "", "share of true labels"),
        (replace(GOOD, labels={"label_share": 0.01}), "", "share of true labels"),
        (with_column("distance", nulls=1), "distance", "missing values"),
        (with_column("temp", nulls=2_900), "temp", "missing values"),
        (with_column("distance", min=-1), "distance", "range"),
        (with_column("distance", max=6_001), "distance", "range"),
        (with_column("temp", max=math.inf), "temp", "range"),
        (with_column("temp", min=math.nan), "temp", "range"),
        (with_column("carrier", unseen=300), "carrier", "categories new since training"),
        (replace(GOOD, columns={k: GOOD.columns[k] for k in ("temp", "carrier")}), "distance", 1),
    ],
)
def test_each_breach_fails_its_own_check_and_no_other(summary, subject, name):
    names = {0: "enough rows", 1: "column is there"}
    wanted = [(subject, names.get(name, name))]
    if name == 0:
        wanted.append(("carrier", "categories new since training"))  # 12 of 999 are over 1 %
    assert missed(summary) == wanted


@pytest.mark.parametrize("share", [0.0, 1.0, None])
def test_a_constant_label_is_refused_whatever_the_contract_allows(share):
    anything = Contract(min_rows=1, label_share=(0.0, 1.0))
    found = missed(replace(GOOD, labels={"label_share": share}), contract=anything)
    assert ("", "label has both classes") in found


@pytest.mark.parametrize(("share", "target", "broken"), [
    (1.0, None, []),
    (0.9, None, ["missing values"]),
    (1.0, BINARY, ["a value to learn from"]),
    (0.9, BINARY, ["missing values", "a value to learn from"]),
])  # fmt: skip
def test_a_column_without_any_value_is_scored_where_allowed_and_teaches_nothing(
    share, target, broken
):
    features = {"temp": NumericFeature(max_null_share=share)}
    summary = replace(GOOD, rows=5, columns={"temp": ColumnSummary(nulls=5)})
    found = check_contract(
        summary, features=features, contract=CONTRACT, window_end=END, target=target, min_rows=1
    )
    assert [item.name for item in found if not item.passed] == broken


def test_a_window_without_rows_is_scored_where_the_spec_allows_it():
    features = {"temp": NumericFeature(), "carrier": FEATURES["carrier"]}
    columns = {"temp": ColumnSummary(nulls=0), "carrier": ColumnSummary(nulls=0, unseen=0)}
    found = check_contract(
        DataSummary(rows=0, columns=columns),
        features=features,
        contract=CONTRACT,
        window_end=END,
        target=None,
        min_rows=0,
    )
    assert all_passed(found)


def test_no_rows_at_all_fail():
    nothing = DataSummary(rows=0)
    assert ("", "enough rows") in missed(nothing)


def test_scoring_has_no_label_and_its_own_number_of_rows():
    small = replace(with_column("temp", nulls=100), rows=2_000, labels={})
    assert missed(small, target=None, min_rows=2_001) == [("", "enough rows")]
    assert missed(small, target=None, min_rows=2_000) == []


def test_training_has_nothing_to_be_new_against():
    found = check(with_column("carrier", unseen=None))
    assert all(item.name != "categories new since training" for item in found)


def test_freshness_is_only_checked_where_the_contract_asks():
    old = replace(GOOD, newest=END - timedelta(days=400))
    assert missed(old, contract=Contract(label_share=(0.02, 0.6))) == []


def test_a_schema_that_changed_is_told_column_by_column():
    recorded = {"carrier": "string", "distance": "double", "temp": "double"}
    found = schema_changes(recorded, {"carrier": "int64", "distance": "double", "gate": "string"})
    assert [(item.subject, item.passed, item.found) for item in found] == [
        ("carrier", False, "int64"),
        ("distance", True, "double"),
        ("temp", False, "no such column"),
        ("gate", True, "string"),
    ]


def test_the_refusal_names_all_that_failed():
    found = check(replace(GOOD, key_duplicates=7, labels={"label_share": 0.61}))
    text = str(contract_error("snapshot of flight_delay", found))
    assert text.startswith("snapshot of flight_delay breaks its contract in 2 of 12 checks; found")
    assert "one row for each key: 7 duplicates (expected no duplicates)" in text
    assert "share of true labels: 61 % (expected 2 % to 60 %)" in text


def test_nothing_checked_is_not_a_pass():
    assert not all_passed(())
    assert "no check at all" in str(contract_error("x", ()))
