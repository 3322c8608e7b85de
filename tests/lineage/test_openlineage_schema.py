"""The check of events that the other tests rely on: it finds what is wrong, and only that."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import base
from openlineage.client.serde import Serde

from tests.lineage.openlineage_schema import definitions, facet_key, faults

Event = dict[str, Any]


def event() -> Event:
    """A rich event, made and written by the client itself, and one facet of our own."""
    columns = facet_v2.schema_dataset.SchemaDatasetFacet(
        fields=[facet_v2.schema_dataset.SchemaDatasetFacetFields(name="a", type="integer")]
    )
    source = facet_v2.column_lineage_dataset.InputField(namespace="n", name="t", field="a")
    made = event_v2.RunEvent(
        eventType=event_v2.RunState.COMPLETE,
        eventTime="2026-01-01T00:00:00+00:00",
        run=event_v2.Run(
            runId="0b8f33d6-8f6a-4a7c-9a3c-0e5a4b4d3f11",
            facets={
                "test": facet_v2.test_run.TestRunFacet(
                    tests=[facet_v2.test_run.TestExecution(name="auc", status="pass", type="gate")]
                )
            },
        ),
        job=event_v2.Job(
            namespace="mlops",
            name="churn.v7.train",
            facets={"sql": facet_v2.sql_job.SQLJobFacet(query="SELECT 1")},
        ),
        inputs=[event_v2.InputDataset(namespace="n", name="t", facets={"schema": columns})],
        outputs=[
            event_v2.OutputDataset(
                namespace="n",
                name="o",
                facets={
                    "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet(
                        fields={
                            "a": facet_v2.column_lineage_dataset.Fields(
                                inputFields=[source], transformationType="IDENTITY"
                            )
                        }
                    )
                },
                outputFacets={
                    "outputStatistics": (
                        facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                            rowCount=3
                        )
                    )
                },
            )
        ],
        producer="https://example.org",
    )
    written: Event = json.loads(Serde.to_json(made))
    written["run"]["facets"]["mlops_own"] = {
        "_producer": "urn:a",
        "_schemaURL": "urn:b",
        "anything": None,
    }
    return written


def test_what_the_client_writes_is_right() -> None:
    assert faults(event()) == []


def at(path: str, value: Any) -> Callable[[Event], None]:
    def change(changed: Event) -> None:
        *way, last = path.split("/")
        here: Any = changed
        for step in way:
            here = here[int(step)] if step.isdecimal() else here[step]
        if value is ...:
            del here[last]
        else:
            here[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (at("schemaURL", "https://openlineage.io/spec/9-0-0/x"), "is no event of OpenLineage"),
        (at("eventTime", "2026-01-01"), "event.eventTime: "),
        (at("eventTime", ...), "event: eventTime is missing"),
        (at("eventType", "DONE"), "event.eventType: 'DONE' is no EventType"),
        (at("run/runId", "7"), "event.run.runId: badly formed"),
        (at("job/name", None), "event.job.name: None is no str"),
        (at("job/extra", 1), "event.job: extra is unknown"),
        (at("inputs/0/namespace", ...), "event.inputs.0: namespace is missing"),
        (at("inputs", {}), "event.inputs: {} is no list"),
        (at("inputs/0/facets/schema/fields/0/type", None), "fields.0.type: None is no str"),
        (at("inputs/0/facets/schema/fields/0/name", ...), "fields.0: name is missing"),
        (at("inputs/0/facets/schema/_producer", ...), "schema: _producer is missing"),
        (at("outputs/0/outputFacets/outputStatistics/rowCount", 1.5), "1.5 is no int"),
        (at("outputs/0/outputFacets/outputStatistics/rowCount", True), "True is no int"),
        (at("outputs/0/facets/columnLineage/fields/a/inputFields", ...), "inputFields is missing"),
        (at("run/facets/mlops_own/_schemaURL", ...), "mlops_own: _schemaURL is missing"),
        (at("run/facets/test/tests/0/status", ...), "tests.0: status is missing"),
    ],
)
def test_a_fault_is_found_where_it_is(change: Callable[[Event], None], fault: str) -> None:
    changed = copy.deepcopy(event())
    change(changed)
    (found,) = faults(changed)
    assert fault in found


def test_a_facet_in_the_wrong_place_is_found() -> None:
    changed = event()
    sql = changed["job"]["facets"].pop("sql")
    changed["run"]["facets"]["sql"] = sql
    assert "is no RunFacet" in faults(changed)[0]
    changed = event()
    changed["job"]["facets"]["query"] = changed["job"]["facets"].pop("sql")
    assert faults(changed) == ["event.job.facets.query: SQLJobFacet stands under sql"]
    sql["_schemaURL"] = sql["_schemaURL"].replace("1-", "9-")
    changed["job"]["facets"] = {"sql": sql}
    assert "is no JobFacet" in faults(changed)[0]


def test_every_facet_of_the_client_has_a_key() -> None:
    keys = {
        facet_key(kind)
        for kind in definitions().values()
        if issubclass(kind, base.BaseFacet) and kind.__module__ != base.__name__
    }
    assert keys >= {
        "schema", "dataSource", "version", "columnLineage", "datasetType", "documentation",
        "ownership", "tags", "lifecycleStateChange", "subset", "dataQualityMetrics", "sql",
        "dataQualityAssertions", "outputStatistics", "sourceCodeLocation", "jobType",
        "nominalTime", "parent", "errorMessage", "processing_engine", "environmentVariables",
        "executionParameters", "test",
    }  # fmt: skip
