"""What a query read: the fact that is kept of it, and the runs that show it."""

from __future__ import annotations

import json

from mlops.digests import digest_bytes
from mlops.lineage.columns.derive import ColumnLineage, Edge, Source
from mlops.lineage.events import sources
from mlops.warehouse.records import Column, QueryReading, TableColumns
from tests.lineage.events.conftest import EventsOf, names, version
from tests.lineage.events.conftest import sources as sources_of
from tests.lineage.events.facts import AT, ORIGIN, READING


def test_each_table_that_was_read_is_observed_first(events_of: EventsOf) -> None:
    """So that Marquez has a version of it, and follows its columns downstream."""
    runs = sources.sources_read(ORIGIN, READING)
    assert runs is not None
    stated, visits, _, plans = events_of(runs)
    assert stated["job"]["name"] == "contract.shop.public.visits"
    assert (names(stated, "inputs"), names(stated, "outputs")) == (
        [],
        ["contracts/shop.public.visits"],
    )
    assert visits["job"]["name"] == "observe.shop.public.visits"
    assert names(visits, "inputs") == ["contracts/shop.public.visits"]
    assert names(visits, "outputs") == ["shop.public.visits"]
    assert version(visits) == "10:12:"
    assert sources_of(visits, "amount") == [
        ("contracts/shop.public.visits", "amount", "DIRECT", "IDENTITY")
    ]
    kinds = [
        event["outputs"][0]["facets"]["datasetType"]["datasetType"] for event in (visits, plans)
    ]
    assert kinds == ["TABLE", "VIEW"]
    assert visits["eventTime"].startswith(f"{AT:%Y-%m-%dT%H:%M:%S}")
    description = visits["outputs"][0]["facets"]["documentation"]["description"]
    assert "as it was at 2026-03-14 01:59:26 UTC (pg_snapshot 10:12:)" in description


def test_tables_that_scoring_writes_have_a_run_already(events_of: EventsOf) -> None:
    """Two writers would hide from Marquez which version made the rows."""
    runs = sources.sources_read(ORIGIN, READING, written={("sales", "plans")})
    assert runs is not None
    assert [event["job"]["name"].partition(".")[0] for event in events_of(runs)] == [
        "contract",
        "observe",
    ]
    every = {("sales", "plans"), ("public", "visits")}
    assert sources.sources_read(ORIGIN, READING, written=every) is None


def test_what_is_kept_of_a_reading_is_plain_json() -> None:
    table = TableColumns("public", "visits", "table", (Column("amount", "numeric"),))
    reading = QueryReading(
        outputs=(Column("age", "numeric"),),
        tables=(table,),
        used=frozenset({("public", "visits", "amount")}),
        functions=(),
        snapshot="10:12:",
        lsn="0/1A",
    )
    amount = Source("public", "visits", "amount")
    columns = ColumnLineage(
        columns={"age": (Edge(amount, "DIRECT", "AGGREGATION", "sum(amount)"),)},
        dataset=(Edge(amount, "INDIRECT", "FILTER", "amount > 1"),),
        unknown=("The function f is called.",),
    )
    content = sources.content_of("SELECT 1", reading, columns)
    assert json.loads(json.dumps(content)) == content
    assert content["query_sha256"] == digest_bytes(b"SELECT 1")
    assert content["tables"] == [
        {
            "schema": "public",
            "table": "visits",
            "kind": "table",
            "columns": [["amount", "numeric"]],
            "used": ["amount"],
        }
    ]
    assert content["columns"] == {
        "age": [["public", "visits", "amount", "DIRECT", "AGGREGATION", "sum(amount)"]]
    }
    # The text of a condition may hold a value; only which column decides is kept.
    assert content["rows"] == [["public", "visits", "amount", "INDIRECT", "FILTER", ""]]
    assert content["unknown"] == ["The function f is called."]


def test_columns_come_from_tables_of_the_warehouse() -> None:
    found = sources.columns_from(ORIGIN, READING)
    assert set(found) == {"age", "plan", "gone"}
    (age,) = found["age"]
    assert (age.namespace, age.name, age.field) == (
        "postgres://db:5432",
        "shop.public.visits",
        "amount",
    )
    assert (age.subtype, age.description, found["gone"]) == ("AGGREGATION", "sum(amount)", [])
    (row,) = sources.rows_from(ORIGIN, READING)
    assert (row.kind, row.subtype, row.field) == ("INDIRECT", "JOIN", "plan")
