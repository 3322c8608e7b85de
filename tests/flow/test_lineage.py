"""What is told of a life: every step, with full inputs and outputs, valid and connected."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import select

from mlops.approvals.eligibility import Person
from mlops.core.period import parse
from mlops.errors import LineageError
from mlops.flow.control import control
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.trace.graph import Graph, load
from mlops.lineage.trace.text import as_json, as_text
from mlops.lineage.trace.trace import Load, Trace, trace
from mlops.store.tables import LineageEventRow
from tests.fixtures.life import Life, Lived
from tests.lineage.node_ids import dataset_id, field_id, job_id
from tests.lineage.openlineage_schema import faults

FACETS = Path(__file__).parents[2] / "docs" / "facets"
RELEASE = {"register", "snapshot", "check_data", "train", "validate", "package"}
DEPLOYED = {"report_validation", "approve_business_owner", "deploy"}
SCORED = {"check_input", "score", "publish", "measure", "judge"}


def events(life: Life) -> list[dict[str, Any]]:
    with life.workspace.store.transaction() as transaction:
        rows = transaction.session.scalars(
            select(LineageEventRow.body).order_by(LineageEventRow.seq, LineageEventRow.position)
        )
        return [json.loads(body) for body in rows]


def graph(life: Life) -> Graph:
    with life.workspace.store.transaction() as transaction:
        return load(transaction)


@cache
def our_schema(address: str) -> dict[str, Any]:
    name, version = address.split(":")[-2:]
    return json.loads((FACETS / f"{name}-{version}.json").read_text())


def facets_of(event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [*event["run"]["facets"].items(), *event["job"]["facets"].items()]
    for port in (*event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            found += port.get(kind, {}).items()
    return found


def test_every_step_of_the_life_is_told(lived: Lived):
    verbs = {event["job"]["name"].rpartition(".")[2] for event in events(lived.life)}
    assert any(verb.startswith("report_monitoring_2013-") for verb in verbs)
    observed = {
        event["job"]["name"]
        for event in events(lived.life)
        if event["job"]["name"].startswith("observe.")
    }
    assert verbs > RELEASE | DEPLOYED | SCORED
    database = lived.life.database.rpartition("/")[2]
    assert observed == {
        f"observe.{database}.public.{table}" for table in ("flights", "planes", "weather")
    }


def test_no_event_has_an_empty_side_and_start_says_what_complete_says(lived: Lived):
    found = events(lived.life)
    assert len(found) > 30
    for start, complete in zip(found[::2], found[1::2], strict=True):
        name = start["job"]["name"]
        assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE"), name
        root = name.startswith("contract.") or name.endswith(".register")
        assert bool(start["inputs"]) is not root, name
        assert start["outputs"], name
        assert start["eventTime"] < complete["eventTime"], name
        for event in (start, complete):
            del event["eventType"], event["eventTime"]
        assert start == complete
        assert "parent" not in start["run"]["facets"]


def test_each_event_is_as_the_openlineage_specification_has_it(lived: Lived):
    assert [fault for event in events(lived.life) for fault in faults(event)] == []


def test_our_facets_keep_their_published_schemas(lived: Lived):
    seen = set()
    for event in events(lived.life):
        assert {"mlops_ledger", "mlops_airflow"} <= set(event["run"]["facets"])
        for name, facet in facets_of(event):
            if name.startswith("mlops_"):
                jsonschema.validate(facet, our_schema(facet["_schemaURL"]))
                seen.add(name)
    # A change of the live version by hand is told in the test of the rollback.
    assert seen == {file.name.rsplit("-", 3)[0] for file in FACETS.glob("*.json")}


def test_every_name_makes_a_node_id_that_marquez_can_take_apart(lived: Lived):
    for event in events(lived.life):
        job_id(event["job"]["namespace"], event["job"]["name"])
        for port in (*event["inputs"], *event["outputs"]):
            dataset_id(port["namespace"], port["name"])
            for column in port["facets"].get("schema", {}).get("fields", []):
                assert column["type"]
                field_id(port["namespace"], port["name"], column["name"])


def test_column_lineage_names_only_columns_of_this_run(lived: Lived):
    """Marquez drops an edge from a column that is not in the schema of an input of the same run."""
    edges = 0
    for event in events(lived.life):
        known = {
            (port["namespace"], port["name"], column["name"])
            for port in event["inputs"]
            for column in port["facets"].get("schema", {}).get("fields", [])
        }
        for port in event["outputs"]:
            own = {c["name"] for c in port["facets"].get("schema", {}).get("fields", [])}
            fields = port["facets"].get("columnLineage", {}).get("fields", {})
            assert set(fields) <= own, (event["job"]["name"], port["name"])
            for found in fields.values():
                for source in found["inputFields"]:
                    edges += 1
                    assert (source["namespace"], source["name"], source["field"]) in known, (
                        event["job"]["name"],
                        source,
                    )
    assert edges > 500


def test_nothing_secret_is_told(lived: Lived):
    """Neither the password nor the user of a connection, whatever stands in a URL."""
    text = json.dumps(events(lived.life))
    password = lived.life.database.partition("://")[2].partition("@")[0].partition(":")[2]
    assert len(password) > 5
    assert password not in text


def test_the_outbox_is_what_the_ledger_vouches_for(lived: Lived):
    found = compare_outbox(lived.life.workspace.store)
    assert found.problems == ()
    assert found.runs == len(events(lived.life)) // 2


def jobs(found: Trace) -> set[str]:
    return {run.job.rpartition(".")[2] for run in found.runs if not run.job.startswith("observe")}


@pytest.mark.parametrize("table", ["flights", "planes", "weather"])
def test_each_table_is_followed_to_the_predictions(lived: Lived, table: str):
    found = trace(graph(lived.life), f"public.{table}")
    assert jobs(found) > {"snapshot", "train", "package", "deploy", "score", "publish", "judge"}


@pytest.mark.parametrize(
    "column",
    [
        "flights.dep_delay",
        "flights.distance",
        "flights.tailnum",
        "flights.actual_arrival",
        "planes.seats",
        "planes.tailnum",
        "weather.temp_f",
    ],
)
def test_each_column_is_followed_to_the_predictions(lived: Lived, column: str):
    """Columns whose values go in, those of joins and filters, and those of the label alone."""
    found = trace(graph(lived.life), f"public.{column}")
    assert {"snapshot", "train", "package", "score", "publish"} <= jobs(found)


def test_a_column_that_nothing_reads_reaches_nothing(lived: Lived):
    found = trace(graph(lived.life), "public.planes.engine")
    assert jobs(found) == set()
    assert "reached" in as_text(found, lambda run: None)


def test_a_score_is_traced_back_to_its_tables(lived: Lived):
    batch = lived.window.published.batch
    found = trace(graph(lived.life), batch, upstream=True)
    assert jobs(found) >= {
        "score",
        "package",
        "approve_business_owner",
        "deploy",
        "train",
        "snapshot",
    }
    assert {run.job for run in found.runs if run.job.startswith("observe.")}
    text = as_text(found, lambda run: f"http://marquez/{run.id}")
    assert f"score {batch}" in text
    assert "http://marquez/" in text
    said = as_json(found, lambda run: None)
    assert json.loads(json.dumps(said))["direction"] == "upstream"
    assert len(said["runs"]) == len(found.runs)


def test_what_was_never_told_of_is_an_error_that_says_what_can_be_asked(lived: Lived):
    with pytest.raises(LineageError, match=r"public\.flights.*flight_delay/v3"):
        trace(graph(lived.life), "public.nothing")
    with pytest.raises(LineageError):
        trace(graph(lived.life), "flight_delay/v77")


def test_two_versions_and_a_rollback_are_told_apart(fresh: Life):
    """Scores of version 1 made after version 2 was trained come from version 1 only."""
    small = fresh
    small.live(small.release("2013-07-01"))
    day = parse("2013-07-01", "day")
    small.publish(day)
    xid = int(small.value("SELECT pg_current_xact_id()::text"))
    second = small.release("2013-07-02")
    assert second.packaged.version == 2
    small.live(second)
    small.publish(day)
    control(
        small.workspace,
        model="late",
        action="rollback",
        person=Person(id="max", name="max"),
        reason="the second one flags too much",
    )
    after = parse("2013-07-02", "day")
    small.publish(after)
    found = graph(small)

    def batches(found: Trace) -> set[str]:
        return {
            run.facets["mlops_batch"]["batch"] for run in found.runs if run.job.endswith(".score")
        }

    assert batches(trace(found, "late/v1")) == {"late/2013-07-01/v1", "late/2013-07-02/v1"}
    assert batches(trace(found, "late/v2")) == {"late/2013-07-01/v2"}
    one = trace(found, "late/2013-07-02/v1", upstream=True)
    assert {run.job for run in one.runs if run.job.endswith(".package")} == {"late.v1.package"}
    # What saw rows that were loaded before the second release, but after the first batch?
    seen = trace(found, "public.flights", load=Load(xid=xid))
    assert batches(seen) == {"late/2013-07-01/v2", "late/2013-07-02/v1"}
    assert {run.job for run in seen.runs if run.job.endswith(".package")} == {"late.v2.package"}
    since = trace(found, "public.flights", load=Load(since="2999-01-01"))
    assert (since.runs, "No step has read it" in as_text(since, lambda run: None)) == ((), True)
    slot = [
        (run.facets["mlops_deployment"]["action"], run.facets["mlops_deployment"]["version"])
        for run in found.runs
        if run.job.endswith(".deploy")
    ]
    assert slot == [("deploy", 1), ("deploy", 2), ("rollback", 1)]


def test_what_is_live_is_the_version_or_that_it_was_stopped(small: Life):
    """The version of the dataset answers it in Marquez without any facet of ours."""
    for action, reason in (("stop", "it flags too much"), ("resume", "it was the data")):
        control(
            small.workspace,
            model="late",
            action=action,
            person=Person(id="max", name="max"),
            reason=reason,
        )
    live = [
        event["outputs"][0]["facets"]["version"]["datasetVersion"]
        for event in events(small)
        if event["job"]["name"] == "late.v1.deploy" and event["eventType"] == "COMPLETE"
    ]
    assert live == ["1", "stopped", "1"]


def test_a_load_after_the_check_has_touched_no_score(small: Life):
    """The rows were read before the load, and nothing reads them again."""
    day = parse("2013-07-01", "day")
    load = "SELECT pg_current_xact_id()::text"
    before = int(small.value(load))
    plan = small.plan(day)
    after = int(small.value(load))
    small.score_all(plan)
    small.show(plan)
    # The small model was copied with its database: there are two tables of the name.
    with pytest.raises(LineageError, match="the name of several tables"):
        trace(graph(small), "public.flights")
    table = f"{small.database.rpartition('/')[2]}.public.flights"
    seen = trace(graph(small), table, load=Load(xid=after))
    assert not {"late.v1.check_input", "late.v1.score"} & {run.job for run in seen.runs}
    found = trace(graph(small), table, load=Load(xid=before))
    assert {run.job for run in found.runs} >= {"late.v1.check_input", "late.v1.score"}


def test_a_validation_that_fails_is_told(fresh: Life):
    fresh.edit("models/late.yml", {"at_least: 0.55": "at_least: 0.99"})
    from mlops.errors import GateFailed

    with pytest.raises(GateFailed):
        fresh.release("2013-07-01")
    told = [event for event in events(fresh) if event["job"]["name"].endswith(".validate")]
    assert [event["eventType"] for event in told] == ["START", "FAIL"]
    assert told[1]["run"]["facets"]["errorMessage"]["message"].startswith("auc: measured 0.")
    assert told[1]["run"]["facets"]["mlops_evaluation"]["passed"] is False
    assert told[1]["run"]["facets"]["test"]["tests"][0]["status"] == "fail"


def test_one_server_under_two_addresses_is_one_namespace(fresh: Life):
    place = fresh.workspace.store.place.partition("/")[0]
    fresh = replace(fresh, workspace=replace(fresh.workspace, canonical={place: "db.example:5432"}))
    fresh.release("2013-07-01")
    found = {port["namespace"] for event in events(fresh) for port in event["inputs"]}
    assert "postgres://db.example:5432" in found
    assert not [namespace for namespace in found if place in namespace]
