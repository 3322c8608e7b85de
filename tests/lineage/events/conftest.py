"""The spec of the recorded facts, and events that are as both specifications have them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlops.lineage.events.run import GovernedRuns
from mlops.spec.load import Include, Spec
from mlops.store.ledger import Entry
from tests.lineage.events.facts import AT
from tests.lineage.openlineage_schema import faults
from tests.spec.conftest import POLICY, SPEC, SQL

FACETS = Path(__file__).parents[3] / "docs" / "facets"
# The jobs that have no inputs, since no run wrote what they start from.
ROOTS = ("contract.", "churn.register")
ENTRY = Entry(7, AT, "task:churn_release.step", "thing.happened", "churn", "{}", "0" * 64, "1" * 64)

Event = dict[str, Any]
EventsOf = Callable[[GovernedRuns], list[Event]]


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """The spec of ``churn``: the features age and plan, the label gone."""
    root = tmp_path_factory.mktemp("include")
    for name, text in (("models/churn.yml", SPEC), ("policies/standard.yml", POLICY)):
        (root / name).parent.mkdir()
        (root / name).write_text(text)
    (root / "sql" / "churn").mkdir(parents=True)
    for name in SQL:
        (root / "sql" / "churn" / f"{name}.sql").write_text(f"SELECT 1 AS {name}\n")
    return Include(root).spec("churn")


@pytest.fixture
def events_of() -> EventsOf:
    """The COMPLETE or FAIL events of governed runs, each checked as a whole."""
    return lambda runs: list(_complete(runs))


def _complete(runs: GovernedRuns) -> Iterator[Event]:
    found = [json.loads(event.body) for event in runs.events(ENTRY)]
    for start, complete in zip(found[::2], found[1::2], strict=True):
        failed = "errorMessage" in complete["run"]["facets"]
        assert start.pop("eventType") == "START"
        assert complete["eventType"] == ("FAIL" if failed else "COMPLETE")
        assert start.pop("eventTime") < complete["eventTime"]
        rest = {name: value for name, value in complete.items() if not name.startswith("event")}
        assert start == rest, "START has the same datasets and facets as COMPLETE"
        assert faults(complete) == []
        assert complete["inputs"] or complete["job"]["name"].startswith(ROOTS)
        assert complete["outputs"]
        assert complete["job"]["facets"]["documentation"]["description"]
        assert _own_facet_faults(complete) == []
        yield complete


def _own_facet_faults(event: Event) -> list[str]:
    facets = [*event["run"]["facets"].items(), *event["job"]["facets"].items()]
    for port in (*event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            facets += port.get(kind, {}).items()
    own = [(name, facet) for name, facet in facets if name.startswith("mlops_")]
    assert {"mlops_airflow", "mlops_ledger"} <= {name for name, _ in own}
    return [
        f"{name}: {error.message}"
        for name, facet in own
        for error in jsonschema.Draft202012Validator(_schema(facet)).iter_errors(facet)
    ]


def _schema(facet: dict[str, Any]) -> dict[str, Any]:
    *_, name, number = facet["_schemaURL"].split(":")
    schema: dict[str, Any] = json.loads((FACETS / f"{name}-{number}.json").read_text())
    return schema


def names(event: Event, side: str) -> list[str]:
    """The names of the datasets of a side."""
    return [port["name"] for port in event[side]]


def sources(event: Event, column: str, output: int = 0) -> list[tuple[str, str, str, str]]:
    """Dataset, field, type and subtype of each source of a column."""
    fields = event["outputs"][output]["facets"]["columnLineage"]["fields"]
    return [
        (item["name"], item["field"], change["type"], change["subtype"])
        for item in fields.get(column, {"inputFields": []})["inputFields"]
        for change in item["transformations"]
    ]


def version(event: Event, output: int = 0) -> str:
    """The content of an output, as a digest or a number."""
    found: str = event["outputs"][output]["facets"]["version"]["datasetVersion"]
    return found


def read(event: Event, position: int = 0) -> dict[str, Any]:
    """What exactly was read of an input, without where it is."""
    port = event["inputs"][position]
    assert "mlops_read" not in port["inputFacets"], "Marquez keeps it with the dataset"
    (found,) = (
        item
        for item in event["run"]["facets"]["mlops_read"]["inputs"]
        if (item["namespace"], item["name"]) == (port["namespace"], port["name"])
    )
    return {n: value for n, value in found.items() if value and n not in ("namespace", "name")}


def facet(event: Event, name: str) -> dict[str, Any]:
    """A facet of the run, without its frame."""
    found = event["run"]["facets"][name]
    return {key: value for key, value in found.items() if key[0] != "_"}
