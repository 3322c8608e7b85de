"""Keys and scores into a table, beside the way of a data frame and that of Arrow."""

from __future__ import annotations

from bench import server
from bench.harness import QUICK_ROUNDS, ROUNDS, compare, must_agree, print_table, ratio, reach

WAYS = {
    "to_sql": "naive: DataFrame.to_sql",
    "ingest": "peer: adbc_ingest",
    "copy": "ours: COPY binary from a record array",
}


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print one table and one target."""
    rows = server.QUICK_ROWS if quick else server.ROWS
    runs = compare(
        WAYS, {"url": server.url(), "rows": rows}, rounds=QUICK_ROUNDS if quick else ROUNDS
    )
    must_agree(runs, *WAYS)
    print_table(f"Write: {rows:,} rows of (id, score)", WAYS, runs, base="copy")
    reach("to_sql / ours", ratio(runs, "to_sql", "copy"), 20, at_least=True, quick=quick)
