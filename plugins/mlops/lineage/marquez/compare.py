"""Hold Marquez against the ledger: what is missing there, what is other, what is too much."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from mlops.digests import digest_json
from mlops.lineage.events import facets
from mlops.lineage.events.run import without_entry
from mlops.lineage.marquez.client import Marquez
from mlops.store.connect import Store
from mlops.store.tables import LedgerRow, LineageEventRow
from mlops.store.transaction import Transaction

COMPLETE = "COMPLETE"
PAGE = 500


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    :ivar entries: ledger entries whose lineage was looked at.
    :ivar runs: runs that were asked for.
    :ivar problems: a line each; empty where all agrees.
    """

    entries: int
    runs: int
    problems: tuple[str, ...]


def compare_outbox(store: Store) -> Comparison:
    """Whether the outbox still holds the events whose digests the ledger's entries carry."""
    problems: list[str] = []
    entries = runs = 0
    with store.transaction() as transaction:
        wanted = _recorded_digests(transaction)
        for seq, events in _by_entry(transaction):
            complete = [event for event in events if event["eventType"] == COMPLETE]
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
    """Whether Marquez holds each run of the outbox as it was sent, and no other in its place.

    :raises LineageUnreachable: it gave no answer.
    """
    problems: list[str] = []
    entries, runs = 0, Counter[tuple[str, str]]()
    with store.transaction() as transaction:
        for _, events in _by_entry(transaction):
            entries += 1
            for event in events:
                if event["eventType"] == COMPLETE:
                    job = event["job"]
                    runs[(job["namespace"], job["name"])] += 1
                    problems += _differences(event, marquez.run(event["run"]["runId"]))
    for (namespace, job), count in sorted(runs.items()):
        there = (marquez.job_runs(namespace, job, limit=1) or {}).get("totalCount", 0)
        if there > count:
            problems.append(f"{job}: Marquez has {there} runs, the ledger {count}")
    return Comparison(entries, runs.total(), tuple(problems))


def _differences(event: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[str]:
    seq, digest = _entry_of(event)
    what = f"entry {seq}, {event['job']['name']}"
    if found is None:
        yield f"{what}: Marquez has no such run"
        return
    if found.get("state") != "COMPLETED":
        yield f"{what}: Marquez holds it {found.get('state')}, not COMPLETED"
    entry = (found.get("facets") or {}).get(facets.LEDGER) or {}
    if (entry.get("seq"), entry.get("digest")) != (seq, digest):
        yield f"{what}: Marquez has another ledger entry for it, {entry.get('seq')}"
    for ours, theirs in (("inputs", "inputDatasetVersions"), ("outputs", "outputDatasetVersions")):
        wanted = {(port["namespace"], port["name"]) for port in event[ours]}
        there = {_version_id(port) for port in found.get(theirs) or ()}
        for namespace, name in sorted(wanted - there):
            yield f"{what}: Marquez misses {namespace} {name} among its {ours}"
        for namespace, name in sorted(there - wanted):
            yield f"{what}: Marquez has {namespace} {name} too much among its {ours}"


def _version_id(port: Mapping[str, Any]) -> tuple[str, str]:
    found = port["datasetVersionId"]
    return found["namespace"], found["name"]


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
