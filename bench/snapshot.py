"""A query to a Parquet file, beside the way through a data frame and the bare read."""

from __future__ import annotations

from bench import server
from bench.harness import QUICK_ROUNDS, ROUNDS, compare, must_agree, print_table, ratio, reach

WAYS = {
    "snapshot_naive": "naive: pandas.read_sql, to_parquet",
    "snapshot": "ours: stream, Parquet, SHA-256",
    "read": "limit: ADBC read alone",
}


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print one table and two targets."""
    rows = server.QUICK_ROWS if quick else server.ROWS
    job = {"url": server.url(), "table": server.table(rows), "folder": str(server.folder())}
    runs = compare(WAYS, job, rounds=QUICK_ROUNDS if quick else ROUNDS)
    must_agree(runs, *WAYS)
    print_table(f"Snapshot: {rows:,} rows, 27 columns", WAYS, runs, base="read")
    reach("naive / ours", ratio(runs, "snapshot_naive", "snapshot"), 6, at_least=True, quick=quick)
    reach("ours / the bare read", ratio(runs, "snapshot", "read"), 1.6, quick=quick)
