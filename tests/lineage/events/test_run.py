"""How a governed run becomes two events, and what its digest covers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlops.digests import digest_json
from mlops.errors import LineageError
from mlops.lineage.events.run import GovernedRuns, Port, Run, without_entry
from tests.lineage.events.conftest import ENTRY, EventsOf
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


def test_the_digest_covers_what_is_sent_but_for_the_entry(events_of: EventsOf) -> None:
    runs = governed(RUN)
    bodies = [without_entry(event) for event in events_of(runs)]
    assert runs.digest == digest_json(bodies)
    assert "mlops_ledger" not in bodies[0]["run"]["facets"]
    changed = governed(replace(RUN, inputs=(Port(TABLE, io={"mlops_read": {"version": "2"}}),)))
    assert changed.digest != runs.digest
    assert governed(RUN).digest == runs.digest


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
