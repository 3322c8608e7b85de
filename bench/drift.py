"""A window against a reference: from the table, and in memory beside the libraries for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import harness, server
from bench.harness import QUICK_ROUNDS, ROUNDS, Run, compare, must_agree, print_table, ratio, reach

FROM_TABLE = {
    "drift_stream": "ours: stream, 512 edges, 25 features",
    "drift_copy": "limit: COPY binary that is thrown away",
    "drift_push": "ours: pushed down, 10 bins, 20 numbers",
    "drift_push_all": "ours: pushed down, 10 bins, 20 numbers and 5 texts",
    "drift_plain": "limit: min, max, avg, stddev, count of 20 numbers",
}
IN_MEMORY = {
    "drift_both": "ours: edges, then both sides on 512 edges",
    "drift_current": "ours: the current side on 512 edges",
}
PEERS = {
    "nannyml": "peer: NannyML, KS, JS, Wasserstein, chi-squared",
    "evidently": "peer: Evidently, DataDriftPreset",
}
# How many times as long the peers take, at least.
TARGETS = {"nannyml": 20, "evidently": 100}
PEERS_PYTHON = "MLOPS_BENCH_PEERS"


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print two tables and their targets."""
    rows = server.QUICK_ROWS if quick else server.ROWS
    rounds = QUICK_ROUNDS if quick else ROUNDS
    job = {"url": server.url(), "table": server.table(rows), "folder": str(server.folder())}
    runs = compare(FROM_TABLE, job, rounds=rounds)
    must_agree(runs, *FROM_TABLE)
    print_table(f"Drift from the table: {rows:,} rows", FROM_TABLE, runs, base="drift_plain")
    streamed = ratio(runs, "drift_stream", "drift_copy")
    reach("stream / a COPY thrown away", streamed, 1.3, quick=quick)
    pushed = ratio(runs, "drift_push", "drift_plain")
    reach("pushed down (20 numbers) / plain", pushed, 3, quick=quick)
    _in_memory(job, rows, rounds=rounds, quick=quick)


def _in_memory(job: dict[str, Any], rows: int, *, rounds: int, quick: bool) -> None:
    ways = dict(IN_MEMORY)
    if os.environ.get(PEERS_PYTHON):
        ways |= PEERS
        harness.measure("snapshot", job)
    runs = compare(ways, job, rounds=rounds, measure=_measure)
    title = f"Drift in memory: {rows:,} rows on each side"
    print_table(title, ways, runs, base="drift_both")
    for peer, limit in TARGETS.items():
        if peer in runs:
            measured = ratio(runs, peer, "drift_both")
            reach(f"{peer} / ours", measured, limit, at_least=True, quick=quick)
        else:
            print(f"reach: {peer} / ours ≥ {limit}: not measured, see bench/peers.py")


def _measure(way: str, job: Mapping[str, Any]) -> Run:
    """One of our ways, or one of the peers in their own environment."""
    if way not in PEERS:
        return harness.measure(way, job)
    python, file = os.environ[PEERS_PYTHON], Path(job["folder"]) / "ours.parquet"
    return harness.run([python, str(Path(__file__).with_name("peers.py")), way, str(file)])
