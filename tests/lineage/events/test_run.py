"""How a governed run becomes two events, and what its digest covers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mlops.digests import canonical_json, digest_json
from mlops.errors import LineageError
from mlops.lineage.events import facets
from mlops.lineage.events.run import GovernedRuns, Port, Run, without_entry
from tests.lineage.events.conftest import ENTRY
from tests.lineage.events.facts import AT, ORIGIN

TABLE = ORIGIN.names.table("public", "t", (("a", "text"),))
RUN = Run(job="churn.step", at=AT, inputs=(Port(TABLE),), outputs=(Port(ORIGIN.names.ours("x")),))


def governed(*runs: Run) -> GovernedRuns:
    return ORIGIN.events_for("churn", *runs)


def test_events_are_those_of_one_stream_in_order() -> None:
    found = governed(RUN, replace(RUN, job="churn.other")).events(ENTRY)
    assert [(event.job, event.stage, event.stream) for event in found] == [
        ("churn.step", "START", "churn"),
        ("churn.step", "COMPLETE", "churn"),
        ("churn.other", "START", "churn"),
        ("churn.other", "COMPLETE", "churn"),
    ]
    assert [event.run_id for event in found[:2]] == [found[0].run_id] * 2
    assert found[0].run_id != found[2].run_id


def test_a_run_has_one_id_for_one_entry_and_job() -> None:
    ids = {governed(RUN).events(ENTRY)[0].run_id for _ in range(2)}
    assert len(ids) == 1
    other = replace(ENTRY, digest="2" * 64)
    assert governed(RUN).events(other)[0].run_id not in ids


def test_the_digest_covers_what_is_sent_but_for_the_entry() -> None:
    runs = governed(RUN)
    bodies = [without_entry(json.loads(runs.events(ENTRY)[1].body))]
    assert runs.digest == digest_json(bodies)
    assert "mlops_ledger" not in bodies[0]["run"]["facets"]
    changed = governed(
        replace(RUN, inputs=(Port(TABLE, io=facets.read(kind="number", version="2")),))
    )
    assert changed.digest != runs.digest
    assert governed(RUN).digest == runs.digest


def test_a_run_began_when_its_step_began() -> None:
    began = AT - timedelta(seconds=90)
    origin = replace(ORIGIN, started=began)
    start, end = (json.loads(event.body) for event in origin.events_for("churn", RUN).events(ENTRY))
    assert (start["eventTime"], end["eventTime"]) == (_utc(began), _utc(AT))
    late = replace(ORIGIN, started=AT + timedelta(seconds=1))
    start, _ = (json.loads(event.body) for event in late.events_for("churn", RUN).events(ENTRY))
    assert start["eventTime"] == _utc(AT - timedelta(milliseconds=1)), "never after its end"


def _utc(moment: datetime) -> str:
    return json.loads(canonical_json(moment))


def test_a_failure_is_an_event_of_its_own_with_its_message() -> None:
    runs = governed(replace(RUN, error="auc: measured 0.5, expected ≥ 0.7"))
    assert [event.stage for event in runs.events(ENTRY)] == ["START", "FAIL"]
    body = json.loads(runs.events(ENTRY)[1].body)
    assert body["eventType"] == "FAIL"
    assert body["run"]["facets"]["errorMessage"]["message"] == "auc: measured 0.5, expected ≥ 0.7"
    assert runs.digest == digest_json([without_entry(body)])


def test_what_was_read_is_a_facet_of_the_run() -> None:
    """Marquez keeps an input's facets with the dataset, where the last reader wins."""
    port = Port(TABLE, io=facets.read(kind="number", version="2"))
    event = json.loads(governed(replace(RUN, inputs=(port,))).events(ENTRY)[0].body)
    assert event["inputs"][0]["inputFacets"] == {}
    (read,) = event["run"]["facets"]["mlops_read"]["inputs"]
    assert (read["namespace"], read["name"], read["version"]) == (TABLE.namespace, TABLE.name, "2")


def test_a_nul_in_a_text_is_replaced_since_marquez_refuses_it() -> None:
    assert facets.documentation("a\x00b")["documentation"]["description"] == "a\ufffdb"


def test_a_dataset_has_its_source_and_its_columns() -> None:
    event = json.loads(governed(RUN).events(ENTRY)[0].body)
    (port,) = event["inputs"]
    assert port["facets"]["dataSource"]["name"] == TABLE.namespace
    assert port["facets"]["schema"]["fields"] == [{"name": "a", "type": "text"}]
    (output,) = event["outputs"]
    assert "schema" not in output["facets"], "no columns are known of it"


def test_a_run_has_no_parent_since_marquez_would_rename_its_job() -> None:
    assert "parent" not in json.loads(governed(RUN).events(ENTRY)[0].body)["run"]["facets"]


def test_names_are_such_as_marquez_can_keep_apart() -> None:
    strange = replace(RUN, job="churn:step", inputs=(Port(ORIGIN.names.table("public", "a#b")),))
    event = json.loads(governed(strange).events(ENTRY)[0].body)
    assert event["job"]["name"] == "churn%3Astep"
    assert event["inputs"][0]["name"] == "shop.public.a%23b"
    with pytest.raises(LineageError, match="too long for the lineage"):
        governed(replace(RUN, job="x" * 300)).events(ENTRY)
