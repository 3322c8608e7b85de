"""A table through a model and back, beside the way through data frames and predicting alone."""

from __future__ import annotations

from bench import model, server
from bench.harness import QUICK_ROUNDS, ROUNDS, compare, must_agree, print_table, ratio, reach

WAYS = {
    "score_naive": "naive: pandas.read_sql, predict_proba, to_sql",
    "score": "ours: parts of a window, batches, COPY (all columns, with the key)",
    "predict": "limit: predict_proba alone, batches in memory",
}


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print one table and two targets."""
    rows = server.QUICK_ROWS if quick else server.ROWS
    path = server.folder() / "model.pickle"
    job = {"url": server.url(), "table": server.table(rows), "model": str(path)}
    model.fit(job["url"], job["table"], path)
    runs = compare(WAYS, job, rounds=QUICK_ROUNDS if quick else ROUNDS)
    must_agree(runs, *WAYS)
    print_table(
        f"Score: {rows:,} rows, 25 features, {model.TREES} trees", WAYS, runs, base="predict"
    )
    reach("naive / ours", ratio(runs, "score_naive", "score"), 5, at_least=True, quick=quick)
    reach("ours / predict alone", ratio(runs, "score", "predict"), 1.4, quick=quick)
