"""Answers as Marquez 0.51.1 answers, where no real one is at hand.

This is not Marquez and proves nothing about it. It keeps, in memory, the habits of the real one
that our events have to live with, so that it fails where the real one fails; ``test_behaviours.py``
holds both against one table:

- an input is linked to the dataset's *current* version, whatever its ``version`` facet says;
- each run that writes a dataset makes a version of it, and the newest is the current one;
- the graph knows the inputs and outputs of a job's last run only;
- an edge between columns is kept only where the source column stands in the schema of an input of
  the same run and the output column in the schema of the output;
- downstream of a column is followed only where its dataset was the output of some run;
- names of nodes are taken apart with one regular expression;
- a walk upstream ends with 500 at the first dataset version that no run wrote;
- a question for columns at a large depth is never answered;
- an event with a NUL, a NaN, a bad time or too long a name gets 500, one without a job 422;
- a job or a dataset that was deleted is hidden (404), its runs are not, and the next event of the
  job brings both back;
- facets of an input are kept with the dataset, where the last reader's replace the others.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from mlops.lineage.safe_names import LONGEST
from tests.lineage.node_ids import split

ENDLESS_FROM = 8  # depth of a question for columns
LONGEST_NAMESPACE = 1024
Json = dict[str, Any]
Place = tuple[str, str]
Column = tuple[str, str, str]


@dataclass
class Version:
    """A version of a dataset; ``run`` is none where it was first seen as an input."""

    id: str
    place: Place
    run: str | None
    at: str
    facets: Json


@dataclass
class StandIn:
    """What the events have said so far."""

    runs: dict[str, Json] = field(default_factory=dict)
    order: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[Place, list[Version]] = field(default_factory=lambda: defaultdict(list))
    schemas: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    edges: dict[Column, set[Column]] = field(default_factory=lambda: defaultdict(set))
    jobs: dict[Place, tuple[list[Place], list[Place]]] = field(default_factory=dict)
    hidden: set[Place] = field(default_factory=set)

    def take(self, event: Json) -> None:
        """One event, as ``POST /lineage``."""
        run_id, job = event["run"]["runId"], (event["job"]["namespace"], event["job"]["name"])
        run = self.runs.setdefault(
            run_id,
            {
                "id": run_id,
                "jobVersion": {"namespace": job[0], "name": job[1], "version": str(uuid4())},
                "facets": {},
                "jobFacets": {},
                "inputDatasetVersions": [],
                "outputDatasetVersions": [],
            },
        )
        self.hidden -= {job, *(_place(port) for port in (*event["inputs"], *event["outputs"]))}
        if run_id not in self.order[job]:
            self.order[job].append(run_id)
        run["state"] = {"COMPLETE": "COMPLETED", "FAIL": "FAILED"}.get(
            event["eventType"], "RUNNING"
        )
        run["facets"] |= event["run"]["facets"]
        run["jobFacets"] |= event["job"]["facets"]
        for port in (*event["inputs"], *event["outputs"]):
            found = port["facets"].get("schema", {}).get("fields", ())
            self.schemas[_place(port)] |= {column["name"] for column in found}
        self._read(run, event)
        self._write(run, event)
        self.jobs[job] = (
            [_place(port) for port in event["inputs"]],
            [_place(port) for port in event["outputs"]],
        )

    def _read(self, run: Json, event: Json) -> None:
        for port in event["inputs"]:
            place = _place(port)
            if not self.versions[place]:
                self._new(place, None, event, port)
            current = self.versions[place][-1]
            current.facets = {**current.facets, **port.get("inputFacets", {})}
            _put(run["inputDatasetVersions"], current, port.get("inputFacets", {}))

    def _write(self, run: Json, event: Json) -> None:
        inputs = {_place(port) for port in event["inputs"]}
        for port in event["outputs"]:
            place = _place(port)
            own = [version for version in self.versions[place] if version.run == run["id"]]
            version = own[0] if own else self._new(place, run["id"], event, port)
            version.facets = port["facets"]
            _put(run["outputDatasetVersions"], version, port.get("outputFacets", {}))
            fields = port["facets"].get("columnLineage", {}).get("fields", {})
            for name, found in fields.items():
                for source in found["inputFields"]:
                    origin = (source["namespace"], source["name"])
                    known = origin in inputs and source["field"] in self.schemas[origin]
                    if known and name in self.schemas[place]:
                        self.edges[(*place, name)].add((*origin, source["field"]))

    def _new(self, place: Place, run: str | None, event: Json, port: Json) -> Version:
        version = Version(str(uuid4()), place, run, event["eventTime"], port["facets"])
        self.versions[place].append(version)
        return version

    def upstream(self, run_id: str, depth: int) -> Json:
        """``GET /runlineage/upstream``.

        :raises ServerError: the walk meets a version that no run wrote.
        """
        seen: dict[str, None] = {}
        level = [run_id]
        for _ in range(depth):
            level = [found for found in level if found not in seen and found in self.runs]
            seen |= dict.fromkeys(level)
            level = [
                item["producedByRunId"]
                for found in level
                for item in self.runs[found]["inputDatasetVersions"]
            ]
            if None in level:
                raise ServerError
        return {"runs": [{"job": self.runs[r]["jobVersion"], "run": {"id": r}} for r in seen]}

    def column_lineage(self, node_id: str, *, downstream: bool, depth: int) -> Json:
        """``GET /column-lineage``.

        :raises NoAnswer: at a depth at which the real one lists paths without end.
        """
        if depth > ENDLESS_FROM:
            raise NoAnswer
        node = split(node_id)
        place = (node.namespace, node.name)
        names = [node.field] if node.field else sorted(self.schemas[place])
        found: set[Column] = set()
        ways = [self.edges]
        if downstream and any(version.run for version in self.versions[place]):
            back: dict[Column, set[Column]] = defaultdict(set)
            for target, sources in self.edges.items():
                for source in sources:
                    back[source].add(target)
            ways.append(back)
        for way in ways:
            level: set[Column] = {(*place, name) for name in names}
            for _ in range(depth):
                found |= level
                level = {other for column in level for other in way.get(column, ())}
        edges = [
            {"origin": _field_id(source), "destination": _field_id(target)}
            for target, sources in self.edges.items()
            for source in sources
            if {source, target} <= found
        ]
        return {
            "graph": [
                {
                    "id": _field_id(column),
                    "type": "DATASET_FIELD",
                    "data": dict(zip(("namespace", "dataset", "field"), column, strict=True)),
                    "inEdges": [e for e in edges if e["destination"] == _field_id(column)],
                    "outEdges": [e for e in edges if e["origin"] == _field_id(column)],
                }
                for column in sorted(found)
            ]
        }

    def lineage(self, node_id: str) -> Json:
        """``GET /lineage?depth=1``."""
        node = split(node_id)
        place = (node.namespace, node.name)
        return {
            "graph": [
                {
                    "id": f"job:{job[0]}:{job[1]}",
                    "type": "JOB",
                    "data": {"namespace": job[0], "name": job[1]},
                }
                for job, (inputs, outputs) in self.jobs.items()
                if (place in inputs or place in outputs) and job not in self.hidden
            ]
        }

    def answer(self, path: str, query: dict[str, str]) -> Json | None:
        """The answer to a GET; none where there is no such thing."""
        parts = [unquote(part) for part in path.removeprefix("/api/v1/").split("/")]
        found: Json | None = None
        match parts:
            case ["jobs", "runs", run_id]:
                found = self.runs.get(run_id)
            case ["jobs", "runs", run_id, "facets"] if run_id in self.runs:
                kind = "facets" if query["type"] == "run" else "jobFacets"
                found = {"runId": run_id, "facets": self.runs[run_id][kind]}
            case ["namespaces"]:
                found = {"namespaces": []}
            case ["namespaces", namespace, "jobs", job, "runs"] if self._is_shown(namespace, job):
                ids = self.order[(namespace, job)]
                newest = [self.runs[run_id] for run_id in reversed(ids)]
                found = {"runs": newest[: int(query["limit"])], "totalCount": len(ids)}
            case ["namespaces", namespace, "jobs", job] if self._is_shown(namespace, job):
                inputs, outputs = self.jobs[(namespace, job)]
                found = {"name": job, "inputs": _named(inputs), "outputs": _named(outputs)}
            case ["namespaces", namespace, "datasets", name, "versions"]:
                versions = self.versions.get((namespace, name))
                shown = (namespace, name) not in self.hidden
                found = {"versions": list(_shown(versions))} if versions and shown else None
            case ["namespaces", namespace, "datasets", name]:
                shown = (namespace, name) not in self.hidden
                versions = self.versions.get((namespace, name))
                found = {"name": name} if versions and shown else None
            case _:
                found = self._graph(parts, query)
        return found

    def _graph(self, parts: list[str], query: dict[str, str]) -> Json | None:
        """The answer to a question about more than one thing."""
        found: Json | None = None
        match parts:
            case ["runlineage", "upstream"]:
                found = self.upstream(query["runId"], int(query["depth"]))
            case ["column-lineage"]:
                downstream = query["withDownstream"] == "true"
                found = self.column_lineage(
                    query["nodeId"], downstream=downstream, depth=int(query["depth"])
                )
            case ["lineage"]:
                found = self.lineage(query["nodeId"])
        return found

    def hide(self, path: str) -> bool:
        """``DELETE`` of a job or a dataset, as a button of the web pages does; whether it was."""
        match [unquote(part) for part in path.removeprefix("/api/v1/").split("/")]:
            case ["namespaces", namespace, "jobs" | "datasets", name]:
                self.hidden.add((namespace, name))
                return True
        return False

    def _is_shown(self, namespace: str, job: str) -> bool:
        return (namespace, job) in self.order and (namespace, job) not in self.hidden


class ServerError(Exception):
    """Marquez answers 500."""


class NoAnswer(Exception):
    """Marquez does not answer before the client has given up."""


def refusal(body: bytes) -> tuple[int, Json] | None:
    """The answer to an event that Marquez cannot take; None where it takes it."""
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
    except ValueError:
        return 500, {"code": 400, "message": "Unable to process JSON"}
    if "job" not in event:
        return 422, {}
    names = [event["job"]["name"], *(port["name"] for port in _ports(event))]
    names += [
        column["name"]
        for port in _ports(event)
        for column in port.get("facets", {}).get("schema", {}).get("fields", ())
    ]
    if any(len(port["namespace"]) > LONGEST_NAMESPACE for port in (event["job"], *_ports(event))):
        return 400, {"code": 400, "message": "namespace must be 1 to 1024 characters"}
    if b"\\u0000" in body or any(len(name) > LONGEST for name in names):
        return 500, {"code": 500, "message": "There was an error processing your request."}
    try:
        datetime.fromisoformat(event["eventTime"])
    except ValueError:
        return 500, {"code": 400, "message": "Unable to process JSON"}
    return None


def _ports(event: Json) -> list[Json]:
    return [*event.get("inputs", ()), *event.get("outputs", ())]


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _named(places: list[Place]) -> list[Json]:
    return [{"namespace": namespace, "name": name} for namespace, name in places]


def _field_id(column: Column) -> str:
    return "datasetField:" + ":".join(column)


def _place(port: Json) -> Place:
    return port["namespace"], port["name"]


def _put(kept: list[Json], version: Version, facets: Json) -> None:
    name = {"namespace": version.place[0], "name": version.place[1]}
    item = {
        "datasetVersionId": {**name, "version": version.id},
        "producedByRunId": version.run,
        "facets": facets,
    }
    kept[:] = [other for other in kept if other["datasetVersionId"]["name"] != name["name"]]
    kept.append(item)


def _shown(found: list[Version]) -> Iterator[Json]:
    for version in reversed(found):
        run = {"id": version.run} if version.run else None
        yield {"createdAt": version.at, "createdByRun": run, "facets": version.facets}


class StandInServer:
    """A stand-in on a port of the loopback interface."""

    def __init__(self) -> None:
        self.kept = StandIn()
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Of the server, without ``/api/v1``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def empty(self) -> None:
        """As after somebody dropped its database."""
        self.kept = StandIn()

    def __enter__(self) -> StandInServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(server: StandInServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refused = refusal(body)
            if refused is None:
                server.kept.take(json.loads(body))
            self._send(*(refused or (201, {})))

        def do_DELETE(self) -> None:
            self._send(200 if server.kept.hide(self.path) else 404, {})

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            try:
                found = server.kept.answer(parts.path, query)
            except ServerError:
                self._send(500, {"code": 500, "message": "There was an error"})
            except NoAnswer:
                server.over.wait()
            else:
                self._send(404 if found is None else 200, found or {})

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
            """Say nothing."""

        def _send(self, status: int, content: Json) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
