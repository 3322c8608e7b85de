"""What a real Marquez does and a kind stand-in would not: one table, held against both.

The rows of a real server run where one is given by its URL (``MLOPS_DEMO_MARQUEZ``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.lineage.node_ids import field_id
from tests.lineage.stand_in import StandInServer

AT = "2026-03-14T01:59:26Z"
Json = dict[str, Any]
# The variable of the demo, which names a server by its URL; these tests do without the demo.
REAL = os.environ.get("MLOPS_DEMO_MARQUEZ", "")
SERVERS = ["the stand-in", *(["a real Marquez"] if REAL.startswith("http") else [])]


class Sender:
    """Posts events into a namespace of its own, so that earlier tests disturb nothing."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/v1"
        self.namespace = f"tests-{uuid4().hex[:12]}"

    def port(self, name: str, *columns: str, **more: Any) -> Json:
        """A dataset at one end of a run."""
        fields = [{"name": column, "type": "text"} for column in columns]
        schema = {"schema": {**frame("SchemaDatasetFacet"), "fields": fields}} if columns else {}
        return {"namespace": self.namespace, "name": name, "facets": schema, **more}

    def event(self, job: str, inputs: list[Json], outputs: list[Json], **facets: Any) -> Json:
        """The COMPLETE event of a new run."""
        return {
            "eventType": "COMPLETE",
            "eventTime": AT,
            "producer": "urn:tests",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": str(uuid4()), "facets": facets},
            "job": {"namespace": self.namespace, "name": job, "facets": {}},
            "inputs": inputs,
            "outputs": outputs,
        }

    def post(self, event: Json) -> int:
        """The status of the answer to an event."""
        return self.post_text(json.dumps(event))

    def post_text(self, body: str) -> int:
        """The same, to a body as it is."""
        headers = {"Content-Type": "application/json"}
        return httpx.post(
            f"{self.url}/lineage", content=body, headers=headers, timeout=60
        ).status_code

    def run(self, *args: Any, **facets: Any) -> str:
        """Post a run that is taken; its id."""
        event = self.event(*args, **facets)
        assert self.post(event) == 201
        run_id: str = event["run"]["runId"]
        return run_id

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """The answer to a question."""
        return httpx.get(f"{self.url}{path}", params=query, timeout=60)

    def place(self, kind: str, name: str) -> str:
        """The path of a job or a dataset."""
        return f"/namespaces/{self.namespace}/{kind}/{quote(name, safe='')}"


def frame(name: str) -> Json:
    """What each facet has."""
    url = f"https://openlineage.io/spec/facets/1-0-0/{name}.json#/$defs/{name}"
    return {"_producer": "urn:tests", "_schemaURL": url}


@pytest.fixture(scope="module", params=SERVERS)
def sender(request: pytest.FixtureRequest) -> Iterator[Sender]:
    """Each server in turn."""
    url = REAL.rstrip("/")
    if request.param == "a real Marquez" and url:
        yield Sender(url)
    else:
        with StandInServer() as server:
            yield Sender(server.url)


def _upstream(sender: Sender, root: list[Json]) -> int:
    table, model = sender.port(f"t{uuid4().hex}", "a"), sender.port(f"m{uuid4().hex}", "a")
    for inputs, outputs in [([], [table])] if root else []:
        sender.run("root", inputs, outputs)
    run = sender.run("train", [table], [model])
    return sender.get("/runlineage/upstream", runId=run, depth=10).status_code


def _keys_of_a_run(sender: Sender) -> tuple[bool, bool]:
    found = sender.get(f"/jobs/runs/{sender.run('step', [], [sender.port('x', 'a')])}").json()
    return "job" in found, found["jobVersion"]["name"] == "step"


def _hidden(sender: Sender, kind: str) -> list[int]:
    """The status of a thing: before, after it was deleted, and after its job's next event."""
    event = sender.event("hide", [], [sender.port("hidden", "a")])
    path = sender.place(kind, "hide" if kind == "jobs" else "hidden")
    found = []
    for _ in range(2):
        assert sender.post(event) == 201
        found.append(sender.get(path).status_code)
        assert httpx.delete(f"{sender.url}{path}", timeout=60).status_code == 200
        found.append(sender.get(path).status_code)
    assert sender.get(f"/jobs/runs/{event['run']['runId']}").status_code == 200
    return found


def _last_reader(sender: Sender) -> list[str]:
    """The readings that the version of a dataset shows after two readers."""
    sender.run("write", [], [sender.port("read", "a")])
    for number, reader in enumerate(("one", "two")):
        facet = {**frame("Read"), "reader": reader}
        event = sender.event(reader, [sender.port("read", "a", inputFacets={"x_read": facet})], [])
        assert sender.post({**event, "eventTime": f"2026-03-15T0{number}:00:00Z"}) == 201
    (version,) = sender.get(sender.place("datasets", "read") + "/versions", limit=9).json()[
        "versions"
    ]
    return [version["facets"]["x_read"]["reader"]]


def _deep_question(sender: Sender) -> bool:
    """Whether a question for columns at the depth that the library asks for is answered."""
    sender.run("columns", [], [sender.port("wide", "a", "b")])
    node = field_id(sender.namespace, "wide", "a")
    answer = sender.get("/column-lineage", nodeId=node, depth=2, withDownstream="true")
    return answer.status_code == 200


def _poisoned(sender: Sender, **changes: Any) -> int:
    event = sender.event("poison", [], [sender.port("p", "a")])
    return sender.post({**event, **changes})


def _nan(sender: Sender) -> int:
    facet = {**frame("X"), "value": float("nan")}
    return sender.post(sender.event("poison", [], [sender.port("p", "a")], x=facet))


def _nul(sender: Sender) -> int:
    facet = {**frame("X"), "value": "a\x00b"}
    return sender.post(sender.event("poison", [], [sender.port("p", "a")], x=facet))


def _no_job(sender: Sender) -> int:
    event = sender.event("poison", [], [])
    del event["job"]
    return sender.post(event)


def _edges_after_a_smaller_event(sender: Sender) -> int:
    """How many inputs a job shows after a run that read fewer."""
    ports = [sender.port(name, "a") for name in ("e1", "e2")]
    sender.run("edges", ports, [sender.port("e3", "a")])
    sender.run("edges", ports[:1], [sender.port("e3", "a")])
    return len(sender.get(sender.place("jobs", "edges")).json()["inputs"])


# A namespace of more than 1,024 characters is not sent: a real server answers 400 and keeps the
# name, and fails from then on over each question for its namespaces.
Ask = Callable[[Sender], Any]
BEHAVIOURS: dict[str, tuple[Ask, Any]] = {
    "a walk upstream over a dataset that no run wrote": (lambda s: _upstream(s, []), 500),
    "a walk upstream where a run wrote each of them": (lambda s: _upstream(s, [{}]), 200),
    "a run has the key 'job', and its job's name in jobVersion": (_keys_of_a_run, (False, True)),
    "a job that was deleted, and its next event": (
        lambda s: _hidden(s, "jobs"),
        [200, 404, 200, 404],
    ),
    "a dataset that was deleted, and its job's next event": (
        lambda s: _hidden(s, "datasets"),
        [200, 404, 200, 404],
    ),
    "facets of an input after a second reader": (_last_reader, ["two"]),
    "columns at depth 2": (_deep_question, True),
    "text that is not JSON": (lambda s: s.post_text("{"), 500),
    "a NaN in a facet": (_nan, 500),
    "a NUL in a facet": (_nul, 500),
    "a column name of 256 characters": (
        lambda s: s.post(s.event("poison", [], [s.port("p", "c" * 256)])),
        500,
    ),
    "a time that is none": (lambda s: _poisoned(s, eventTime="yesterday"), 500),
    "no job": (_no_job, 422),
    "a job's edges after a run that read less": (_edges_after_a_smaller_event, 1),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_both_servers_behave_alike(sender: Sender, behaviour: str) -> None:
    ask, expected = BEHAVIOURS[behaviour]
    assert ask(sender) == expected
