"""The peak of memory of a snapshot, of scoring and of a profile, with four times the rows."""

from __future__ import annotations

from statistics import median

from bench import model, server
from bench.harness import QUICK_ROUNDS, ROUNDS, measure, reach

WAYS = {"snapshot": "snapshot", "score": "score", "drift_stream": "profile from the table"}
GROWTH = 4
LIMIT = 1.15
# Below this, a few batches are all there is.
QUICK_ROWS = 300_000


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print one line and one target for each way."""
    few = QUICK_ROWS if quick else server.ROWS
    path = server.folder() / "model.pickle"
    job = {"url": server.url(), "folder": str(server.folder()), "model": str(path)}
    model.fit(job["url"], server.table(few), path)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    print(f"\nMemory: peak above imports, MB; medians of {rounds} rounds, in turn")
    print(f"{'':<58}{few:>14,}{few * GROWTH:>14,}  rows")
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for way in WAYS:
            for rows in (few, few * GROWTH):
                peak = measure(way, {**job, "table": server.table(rows)}).peak_mb
                found.setdefault((way, rows), []).append(peak)
    for way, what in WAYS.items():
        a, b = (median(found[way, rows]) for rows in (few, few * GROWTH))
        print(f"{what:<58}{a:>14.0f}{b:>14.0f}")
        reach(f"{what}: four times the rows / once", b / a, LIMIT, quick=quick)
