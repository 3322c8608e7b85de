"""Facets: what JSON cannot hold, and what Marquez would cut, does not get into one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.lineage.events import facets
from mlops.lineage.events.facets import From
from mlops.store.ledger import Entry

FACETS = Path(__file__).parents[3] / "docs" / "facets"
AT = datetime(2026, 1, 1, tzinfo=UTC)
STRANGE = "a:b#c"  # Marquez would take a node id apart here


def test_a_number_that_is_none_is_null_however_deep_it_is() -> None:
    found = facets.model(metrics=[{"value": float("nan")}, {"value": (float("inf"), 1.5)}])
    assert found["mlops_model"]["metrics"] == [{"value": None}, {"value": [None, 1.5]}]
    assert "NaN" not in json.dumps(found)


def test_names_of_columns_are_safe_in_every_facet() -> None:
    safe = "a%3Ab%23c"
    assert facets.schema([(STRANGE, "text")])["schema"]["fields"] == [
        {"name": safe, "type": "text"}
    ]
    source = From("postgres://db:5432", STRANGE, STRANGE)
    (lineage,) = facets.column_lineage({STRANGE: [source]}).values()
    (found,) = lineage["fields"][safe]["inputFields"]
    assert (found["name"], found["field"]) == (safe, safe)
    check = {"name": "in range", "passed": True, "column": STRANGE}
    (asserted,) = facets.assertions([check])["dataQualityAssertions"]["assertions"]
    assert asserted["column"] == safe


def test_a_column_of_several_sources_says_how_it_comes_from_them() -> None:
    one = From("ns", "t", "a", subtype="IDENTITY", description="a")
    two = From("ns", "t", "b", subtype="AGGREGATION", description="sum(b)")
    where = From("ns", "t", "c", "INDIRECT", "FILTER", "c > 1")
    lineage = facets.column_lineage({"x": [one], "y": [one, two], "z": []}, rows=[where])
    fields = lineage["columnLineage"]["fields"]
    assert (fields["x"]["transformationType"], fields["x"]["transformationDescription"]) == (
        "IDENTITY",
        "a",
    )
    assert fields["y"]["transformationType"] == "TRANSFORMATION"
    assert fields["y"]["transformationDescription"] == "a; sum(b)"
    # A column without a source of its own depends on what decides its row.
    assert fields["z"]["transformationType"] == "FILTER"
    assert [len(fields[name]["inputFields"]) for name in "xyz"] == [2, 3, 1]
    assert [item["field"] for item in lineage["columnLineage"]["dataset"]] == ["c"]


def test_a_column_without_any_source_is_left_out() -> None:
    assert facets.column_lineage({"x": []})["columnLineage"]["fields"] == {}


def test_parameters_are_a_list_since_a_value_under_some_keys_would_be_masked() -> None:
    (found,) = facets.parameters([("max_tokens", "100")]).values()
    assert found["parameters"] == [{"key": "max_tokens", "name": "max_tokens", "value": "100"}]


def test_the_ledger_facet_names_the_entry() -> None:
    entry = Entry(7, AT, "sam", "model.trained", "churn", "{}", "0" * 64, "1" * 64)
    (found,) = facets.ledger(entry).values()
    assert (found["seq"], found["digest"], found["prev_digest"]) == (7, "1" * 64, "0" * 64)
    assert (found["action"], found["actor"]) == ("model.trained", "sam")


@pytest.mark.parametrize(
    ("found", "key"),
    [
        (facets.model(model="churn"), "mlops_model"),
        (facets.approval(model="churn"), "mlops_approval"),
        (facets.deployment(model="churn"), "mlops_deployment"),
        (facets.batch(model="churn"), "mlops_batch"),
        (facets.evaluation(model="churn"), "mlops_evaluation"),
        (facets.drift(model="churn"), "mlops_drift"),
        (facets.reads([{"version_kind": "number", "version": "1"}]), "mlops_read"),
    ],
)
def test_our_own_facets_point_at_their_published_schema(
    found: dict[str, dict[str, str]], key: str
) -> None:
    (name, facet), *rest = found.items()
    assert (name, rest) == (key, [])
    *_, file, number = facet["_schemaURL"].split(":")
    assert json.loads((FACETS / f"{file}-{number}.json").read_text())["title"] == key


def test_a_size_that_is_not_known_is_left_out() -> None:
    (found,) = facets.output_statistics(rows=3).values()
    assert "size" not in found
