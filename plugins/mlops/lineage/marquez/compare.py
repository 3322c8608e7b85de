"""Hold Marquez against the ledger: what is missing, changed, hidden, or too much there."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from mlops.digests import digest_json
from mlops.lineage.events import facets
from mlops.lineage.events.run import FAIL, START, without_entry
from mlops.lineage.marquez.client import Marquez
from mlops.store.connect import Store
from mlops.store.tables import LedgerRow, LineageEventRow
from mlops.store.transaction import Transaction

PAGE = 500
SIDES = ("inputs", "outputs")
Place = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    :ivar entries: ledger entries whose lineage was looked at.
    :ivar runs: runs that were asked for.
    :ivar problems: a line each; empty where all agrees.
    :ivar resend: the runs whose events, sent again, mend what can be mended.
    """

    entries: int
    runs: int
    problems: tuple[str, ...]
    resend: tuple[str, ...] = ()


def compare_outbox(store: Store) -> Comparison:
    """Whether the outbox still holds the events whose digests the ledger's entries carry."""
    problems: list[str] = []
    entries = runs = 0
    with store.transaction() as transaction:
        wanted = _recorded_digests(transaction)
        for seq, events in _by_entry(transaction):
            complete = [event for event in events if event["eventType"] != START]
            entries, runs = entries + 1, runs + len(complete)
            kept = wanted.pop(seq, None)
            if kept is None:
                problems.append(f"entry {seq}: the outbox has events that the ledger knows not of")
            elif any(_entry_of(event) != (seq, kept.digest) for event in events) or (
                digest_json([without_entry(event) for event in complete]) != kept.lineage
            ):
                problems.append(f"entry {seq}: its events were changed in the outbox")
    problems += [f"entry {seq}: its events are missing from the outbox" for seq in sorted(wanted)]
    return Comparison(entries, runs, tuple(problems))


def compare_marquez(store: Store, marquez: Marquez) -> Comparison:
    """Whether Marquez holds and shows each run of the outbox as it was sent, and no other.

    Its web pages have a button that hides a job or a dataset without asking who presses it.

    :raises LineageUnreachable: it gave no answer.
    """
    problems: list[str] = []
    entries, latest, wrong = 0, _Latest(), dict[str, Mapping[str, Any]]()
    with store.transaction() as transaction:
        for _, events in _by_entry(transaction):
            entries += 1
            for event in events:
                if event["eventType"] == START:
                    continue
                latest.note(event)
                found = list(_differences(event, marquez.run(event["run"]["runId"])))
                if found:
                    problems += found
                    wrong[event["run"]["runId"]] = event
    for last, problem in _not_shown(latest, marquez):
        problems.append(problem)
        wrong[last["run"]["runId"]] = last
    return Comparison(
        entries, latest.runs.total(), tuple(problems), tuple(latest.mending(wrong.values()))
    )


@dataclass
class _Latest:
    """The last run of each job, and the last one that wrote (or read) each dataset."""

    runs: Counter[Place] = field(default_factory=Counter)
    of_job: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    of_dataset: dict[Place, Mapping[str, Any]] = field(default_factory=dict)

    def note(self, event: Mapping[str, Any]) -> None:
        """Take the next event, in the order of the ledger."""
        bare = _without_facets(event)
        job = _place(event["job"])
        self.runs[job] += 1
        self.of_job[job] = bare
        for port in event["inputs"]:
            self.of_dataset.setdefault(_place(port), bare)
        for port in event["outputs"]:
            self.of_dataset[_place(port)] = bare

    def mending(self, wrong: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """The runs to send again: the wrong ones, and those that must come after them.

        Marquez takes what comes last for what is current.
        """
        for event in wrong:
            yield event["run"]["runId"]
            yield self.of_job[_place(event["job"])]["run"]["runId"]
            for port in event["outputs"]:
                yield self.of_dataset[_place(port)]["run"]["runId"]


def _not_shown(latest: _Latest, marquez: Marquez) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What is hidden or has lost its edges, each with the run that brings it back."""
    for place, event in sorted(latest.of_job.items()):
        count, (namespace, job) = latest.runs[place], place
        found = marquez.job(namespace, job)
        if found is None:
            yield event, f"{job}: the job is hidden in Marquez, the ledger has {count} runs"
            continue
        there = (marquez.job_runs(namespace, job, limit=1) or {}).get("totalCount", 0)
        if there != count:
            yield event, f"{job}: Marquez has {there} runs, the ledger {count}"
        for side in ("inputs", "outputs"):
            wanted = {_place(port) for port in event[side]}
            for _, name in sorted(wanted - {_place(port) for port in found.get(side) or ()}):
                yield event, f"{job}: the edge to {name} among its {side} is lost in Marquez"
    for (namespace, name), event in sorted(latest.of_dataset.items()):
        if marquez.dataset(namespace, name) is None:
            yield event, f"{name}: the dataset is hidden in Marquez"


def _without_facets(event: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an event: a store of years has many."""
    kept = {side: [_identifier(port) for port in event[side]] for side in SIDES}
    return {"run": {"runId": event["run"]["runId"]}, "job": _identifier(event["job"]), **kept}


def _identifier(thing: Mapping[str, Any]) -> dict[str, str]:
    return {"namespace": thing["namespace"], "name": thing["name"]}


def repair(store: Store, marquez: Marquez, runs: Collection[str]) -> tuple[str, ...]:
    """Send the events of runs again, in the order of the ledger; which of them were not taken."""
    with store.transaction() as transaction:
        events = transaction.session.execute(
            select(LineageEventRow.job, LineageEventRow.seq, LineageEventRow.body)
            .where(LineageEventRow.run_id.in_(set(runs)))
            .order_by(LineageEventRow.seq, LineageEventRow.position)
        ).all()
    outcomes = [(event, marquez.post(event.body)) for event in events]
    return tuple(
        f"entry {event.seq}, {event.job}: {outcome.detail}"
        for event, outcome in outcomes
        if outcome.kind != "delivered"
    )


def _differences(event: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[str]:
    seq, digest = _entry_of(event)
    what = f"entry {seq}, {event['job']['name']}"
    if found is None:
        yield f"{what}: Marquez has no such run"
        return
    state = "FAILED" if event["eventType"] == FAIL else "COMPLETED"
    if found.get("state") != state:
        yield f"{what}: Marquez holds it {found.get('state')}, not {state}"
    entry = (found.get("facets") or {}).get(facets.LEDGER) or {}
    if (entry.get("seq"), entry.get("digest")) != (seq, digest):
        yield f"{what}: Marquez has another ledger entry for it, {entry.get('seq')}"
    for ours, theirs in (("inputs", "inputDatasetVersions"), ("outputs", "outputDatasetVersions")):
        wanted = {_place(port) for port in event[ours]}
        there = {_version_id(port) for port in found.get(theirs) or ()}
        for namespace, name in sorted(wanted - there):
            yield f"{what}: Marquez misses {namespace} {name} among its {ours}"
        for namespace, name in sorted(there - wanted):
            yield f"{what}: Marquez has {namespace} {name} too much among its {ours}"


def _version_id(port: Mapping[str, Any]) -> tuple[str, str]:
    return _place(port["datasetVersionId"])


def _place(named: Mapping[str, Any]) -> Place:
    return named["namespace"], named["name"]


def _entry_of(event: Mapping[str, Any]) -> tuple[int, str]:
    found = event["run"]["facets"][facets.LEDGER]
    return found["seq"], found["digest"]


@dataclass(frozen=True)
class _Digests:
    digest: str
    lineage: str


def _recorded_digests(transaction: Transaction) -> dict[int, _Digests]:
    """The digests of the ledger's entries and of their events, by number of the entry."""
    rows = transaction.session.execute(
        select(LedgerRow.seq, LedgerRow.digest, LedgerRow.payload).execution_options(yield_per=PAGE)
    )
    return {
        row.seq: _Digests(row.digest, lineage)
        for row in rows
        if (lineage := json.loads(row.payload).get("lineage")) is not None
    }


def _by_entry(transaction: Transaction) -> Iterator[tuple[int, Sequence[dict[str, Any]]]]:
    """The events of the outbox, those of one entry together, in order."""
    rows = transaction.session.execute(
        select(LineageEventRow.seq, LineageEventRow.body)
        .order_by(LineageEventRow.seq, LineageEventRow.position)
        .execution_options(yield_per=PAGE)
    )
    together: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if together and row.seq not in together:
            yield together.popitem()
        together[row.seq].append(json.loads(row.body))
    yield from together.items()
