"""The governed lineage as a graph of runs, exact to the version, from our own outbox.

It answers what Marquez cannot: Marquez links an input to the newest version of a dataset instead of
the one that was read, and follows no run downstream. Here an input is linked to the runs that wrote
the very version that was read; where a reading names none, to all runs that had written it by then.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from mlops.lineage.events import facets
from mlops.lineage.events.run import START
from mlops.store.tables import LineageEventRow
from mlops.store.transaction import Transaction

Place = tuple[str, str]  # namespace and name of a dataset
Column = tuple[str, str, str]  # the same, and a column of it


@dataclass(frozen=True)
class Output:
    """A dataset as one run wrote it.

    :ivar columns: for each column the input columns that it comes from.
    """

    place: Place
    version: str
    columns: Mapping[str, frozenset[Column]]


@dataclass(frozen=True)
class GovernedRun:
    """A run as its events describe it, with what it is for people.

    :ivar position: number of its ledger entry, and its place among the runs of that entry.
    :ivar inputs: for each dataset the version that was read; empty where none was named.
    """

    id: str
    job: str
    namespace: str
    at: str
    position: tuple[int, int]
    inputs: Mapping[Place, str]
    outputs: tuple[Output, ...]
    facets: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Graph:
    """All runs, and who read what of whom."""

    runs: tuple[GovernedRun, ...]
    consumers: Mapping[str, tuple[GovernedRun, ...]]
    producers: Mapping[str, tuple[GovernedRun, ...]]

    def writing(self, place: Place) -> tuple[GovernedRun, ...]:
        """The runs that wrote a dataset."""
        return tuple(run for run in self.runs if any(o.place == place for o in run.outputs))

    def places(self) -> frozenset[Place]:
        """Every dataset."""
        written = {output.place for run in self.runs for output in run.outputs}
        return frozenset(written.union(*(run.inputs for run in self.runs)))


def load(transaction: Transaction) -> Graph:
    """Read the outbox and link it."""
    rows = transaction.session.execute(
        select(LineageEventRow.seq, LineageEventRow.position, LineageEventRow.body)
        .where(LineageEventRow.stage != START)
        .order_by(LineageEventRow.seq, LineageEventRow.position)
        .execution_options(yield_per=500)
    )
    return linked([_run(json.loads(row.body), (row.seq, row.position)) for row in rows])


def linked(runs: Iterable[GovernedRun]) -> Graph:
    """Link each reading with the runs that wrote what was read; runs come in ledger order."""
    ordered = tuple(runs)
    consumers: dict[str, list[GovernedRun]] = defaultdict(list)
    producers: dict[str, list[GovernedRun]] = defaultdict(list)
    written: dict[Place, list[tuple[GovernedRun, str]]] = defaultdict(list)
    known: set[tuple[str, str]] = set()
    for run in ordered:
        for place, version in run.inputs.items():
            for writer in _writers(written[place], version):
                if (writer.id, run.id) not in known:  # it may have written two of the inputs
                    known.add((writer.id, run.id))
                    consumers[writer.id].append(run)
                    producers[run.id].append(writer)
        for output in run.outputs:
            written[output.place].append((run, output.version))
    return Graph(
        runs=ordered,
        consumers={run: tuple(found) for run, found in consumers.items()},
        producers={run: tuple(found) for run, found in producers.items()},
    )


def _writers(written: list[tuple[GovernedRun, str]], version: str) -> list[GovernedRun]:
    """The runs that wrote this version; written twice the same, the last one of them."""
    exact = [run for run, wrote in written if version and wrote == version]
    return exact[-1:] if exact else [run for run, _ in written]


def _run(event: Mapping[str, Any], position: tuple[int, int]) -> GovernedRun:
    return GovernedRun(
        id=event["run"]["runId"],
        job=event["job"]["name"],
        namespace=event["job"]["namespace"],
        at=event["eventTime"],
        position=position,
        inputs=_versions_read(event),
        outputs=tuple(_output(port) for port in event["outputs"]),
        facets=event["run"]["facets"],
    )


def _versions_read(event: Mapping[str, Any]) -> dict[Place, str]:
    # Earlier releases wrote what was read beside the input, and not as a facet of the run.
    found = {_place(port): _read_version(port["inputFacets"]) for port in event["inputs"]}
    read = event["run"]["facets"].get(facets.READ, {}).get("inputs", ())
    return found | {_place(item): str(item["version"]) for item in read}


def _place(port: Mapping[str, Any]) -> Place:
    return port["namespace"], port["name"]


def _read_version(of_input: Mapping[str, Any]) -> str:
    return str(of_input.get(facets.READ, {}).get("version", ""))


def _output(port: Mapping[str, Any]) -> Output:
    columns = port["facets"].get("columnLineage", {}).get("fields", {})
    return Output(
        place=(port["namespace"], port["name"]),
        version=str(port["facets"].get("version", {}).get("datasetVersion", "")),
        columns={
            name: frozenset(
                (source["namespace"], source["name"], source["field"])
                for source in found["inputFields"]
            )
            for name, found in columns.items()
        },
    )
