"""One governed run: what was read, what was written, and its OpenLineage events.

A run has a START and a COMPLETE or FAIL event with the same, full datasets: an event with fewer
would take the missing edges out of Marquez' graph. It has no ``parent``: Marquez would rename the
job. What was read of each input is a facet of the run: Marquez keeps facets of inputs with the
dataset, where the last reader would replace those of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mlops.digests import canonical_json, digest_json
from mlops.lineage.events import dataset_names, facets
from mlops.lineage.events.datasets import Dataset
from mlops.lineage.safe_names import safe_name
from mlops.store.ledger import Entry
from mlops.store.outbox import Event

SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
Facets = Mapping[str, Mapping[str, Any]]
START, COMPLETE, FAIL = "START", "COMPLETE", "FAIL"
# START and COMPLETE need an order, also for what takes no time.
_SHORTEST = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Port:
    """A dataset at one end of a run.

    :ivar facets: of the dataset itself, as ``schema`` and ``version``.
    :ivar io: of this reading or writing alone, as ``mlops_read`` and ``outputStatistics``.
    """

    dataset: Dataset
    facets: Facets = field(default_factory=dict)
    io: Facets = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run of a job that read and wrote.

    :ivar at: when it ended.
    :ivar started: when it began; a millisecond before its end where that is not known.
    :ivar error: why its outcome is a failure; empty where it is not.
    """

    job: str
    at: datetime
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    run_facets: Facets = field(default_factory=dict)
    job_facets: Facets = field(default_factory=dict)
    started: datetime | None = None
    error: str = ""

    @property
    def stages(self) -> tuple[tuple[str, datetime], ...]:
        """The two events: what they report, and when that was."""
        latest = self.at - _SHORTEST
        started = latest if self.started is None else min(self.started, latest)
        return ((START, started), (FAIL if self.error else COMPLETE, self.at))


@dataclass(frozen=True)
class GovernedRuns:
    """All runs of one fact.

    :param namespace: of the jobs.
    :param model: whose stream of events they belong to.
    """

    namespace: str
    model: str
    runs: tuple[Run, ...]

    @cached_property
    def _bodies(self) -> tuple[dict[str, Any], ...]:
        return tuple(openlineage_event(self.namespace, run) for run in self.runs)

    @property
    def digest(self) -> str:
        """SHA-256 over the events without the ledger's entry."""
        return digest_json(self._bodies)

    def events(self, entry: Entry) -> Sequence[Event]:
        """START and COMPLETE (or FAIL) of each run."""
        both = zip(self.runs, self._bodies, strict=True)
        return [event for run, body in both for event in self._events(run, body, entry)]

    def _events(self, run: Run, body: Mapping[str, Any], entry: Entry) -> Iterable[Event]:
        # From the entry and the job: sent again, it is the same run.
        run_id = str(uuid5(NAMESPACE_URL, f"mlops:{entry.digest}:{body['job']['name']}"))
        for stage, at in run.stages:
            event = {
                **body,
                "eventType": stage,
                "eventTime": at,
                "run": {
                    "runId": run_id,
                    "facets": {**body["run"]["facets"], **facets.ledger(entry)},
                },
            }
            yield Event(
                run_id=run_id,
                job=body["job"]["name"],
                stream=self.model,
                stage=stage,
                body=canonical_json(event),
            )


def openlineage_event(namespace: str, run: Run) -> dict[str, Any]:
    """The event of a run without its stage, its time, its id and its entry."""
    return {
        "schemaURL": SCHEMA_URL,
        "producer": facets.PRODUCER,
        "run": {"facets": {**run.run_facets, **_reads(run), **_failure(run)}},
        "job": {
            "namespace": namespace,
            "name": safe_name(run.job),
            "facets": {**facets.job_type(), **run.job_facets},
        },
        "inputs": [_port(port, "inputFacets") for port in run.inputs],
        "outputs": [_port(port, "outputFacets") for port in run.outputs],
    }


def without_entry(event: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an event that :attr:`GovernedRuns.digest` is taken over."""
    kept = {name: value for name, value in event.items() if name not in ("eventType", "eventTime")}
    found = event["run"]["facets"]
    return {**kept, "run": {"facets": {n: f for n, f in found.items() if n != facets.LEDGER}}}


def _reads(run: Run) -> Facets:
    read = [
        {
            "namespace": port.dataset.namespace,
            "name": safe_name(port.dataset.name),
            **port.io[facets.READ],
        }
        for port in run.inputs
        if facets.READ in port.io
    ]
    return facets.reads(read) if read else {}


def _failure(run: Run) -> Facets:
    return facets.error_message(run.error) if run.error else {}


def _port(port: Port, io: str) -> dict[str, Any]:
    dataset = port.dataset
    columns = facets.schema(dataset.columns) if dataset.columns else {}
    return {
        "namespace": dataset.namespace,
        "name": safe_name(dataset.name),
        "facets": {
            **facets.data_source(dataset.namespace),
            **columns,
            **_description(dataset),
            **port.facets,
        },
        io: {name: facet for name, facet in port.io.items() if name != facets.READ},
    }


def _description(dataset: Dataset) -> Facets:
    text = dataset_names.description(dataset.name) if dataset.is_ours else ""
    return facets.dataset_documentation(text) if text else {}
