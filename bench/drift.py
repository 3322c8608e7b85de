"""A window against a reference: from the table, and in memory.

The targets that compare with NannyML and Evidently are not measured here: both need an older
pandas, so they would run in an environment of their own.
"""

from __future__ import annotations

from bench import server
from bench.harness import QUICK_ROUNDS, ROUNDS, compare, must_agree, print_table, ratio, reach

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


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print two tables and two targets."""
    rows = server.QUICK_ROWS if quick else server.ROWS
    rounds = QUICK_ROUNDS if quick else ROUNDS
    job = {"url": server.url(), "table": server.table(rows)}
    runs = compare(FROM_TABLE, job, rounds=rounds)
    must_agree(runs, *FROM_TABLE)
    print_table(f"Drift from the table: {rows:,} rows", FROM_TABLE, runs, base="drift_plain")
    reach(
        "stream / a COPY thrown away", ratio(runs, "drift_stream", "drift_copy"), 1.3, quick=quick
    )
    reach(
        "pushed down (20 numbers) / plain", ratio(runs, "drift_push", "drift_plain"), 3, quick=quick
    )
    in_memory = compare(IN_MEMORY, job, rounds=rounds)
    title = f"Drift in memory: {rows:,} rows on each side"
    print_table(title, IN_MEMORY, in_memory, base="drift_current")
