"""The ways of measuring a window against a reference; see :mod:`bench.ways`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.server import NUMBERS, TEXTS

Job = dict[str, Any]
Work = Callable[[], tuple[int, float]]

FINE, COARSE = 512, 10


def _read(job: Job) -> Any:
    """The whole window in memory."""
    import pyarrow as pa

    from mlops.warehouse.postgres.stream import stream

    with stream(job["url"], f"SELECT * FROM {job['table']}") as batches:
        return pa.Table.from_batches(list(batches), batches.schema)


def _reference(rows: Any, bins: int) -> dict[str, Any]:
    """Edges and categories of the reference."""
    from mlops.core.profiler import reference_edges

    return {
        "edges": {name: reference_edges(rows[name].to_numpy(), bins=bins) for name in NUMBERS},
        "categories": {name: rows[name].unique().drop_null().to_pylist() for name in TEXTS},
    }


def _known(job: Job, bins: int) -> dict[str, Any]:
    """A reference from a part of the rows, so that its memory does not count."""
    return _reference(_read({**job, "table": f"{job['table']} WHERE id <= 20000"}), bins)


def stream_profile(job: Job) -> Work:
    """From the table: rows streamed through the profiler."""
    from mlops.core.profiler import Profiler
    from mlops.warehouse.postgres.stream import stream

    reference = _known(job, FINE)

    def work() -> tuple[int, float]:
        profiler = Profiler(**reference)
        with stream(job["url"], f"SELECT * FROM {job['table']}") as batches:
            for batch in batches:
                profiler.update(batch)
        rows = profiler.result().rows
        return rows, rows

    return work


def copy_dropped(job: Job) -> Work:
    """The limit of streaming: a COPY that is thrown away."""
    import psycopg

    def work() -> tuple[int, float]:
        command = f"COPY (SELECT * FROM {job['table']}) TO STDOUT (FORMAT binary)"
        with psycopg.connect(job["url"]) as connection, connection.cursor() as cursor:
            with cursor.copy(command) as copy:
                for _ in copy:
                    pass
            return cursor.rowcount, cursor.rowcount

    return work


def _push_down(job: Job, *, texts: bool) -> Work:
    from mlops.warehouse.postgres.pushdown import profile_rows

    reference = _known(job, COARSE)
    if not texts:
        reference["categories"] = {}

    def work() -> tuple[int, float]:
        found = profile_rows(job["url"], f"SELECT * FROM {job['table']}", **reference)
        return found.rows, found.rows

    return work


def push_down(job: Job) -> Work:
    """From the table: the 20 numbers, one SELECT."""
    return _push_down(job, texts=False)


def push_down_all(job: Job) -> Work:
    """From the table: numbers and texts, one SELECT."""
    return _push_down(job, texts=True)


def aggregates(job: Job) -> Work:
    """The limit of pushing down: the plainest aggregates, in the same session settings."""
    from mlops.warehouse.postgres.session import read_only_transaction

    cells = ", ".join(f"min({n}), max({n}), avg({n}), stddev({n}), count({n})" for n in NUMBERS)

    def work() -> tuple[int, float]:
        with read_only_transaction(job["url"], what="the table") as connection:
            connection.execute("SET LOCAL max_parallel_workers_per_gather = 2")
            found = connection.execute(f"SELECT count(*), {cells} FROM {job['table']}").fetchone()
        rows = found[0] if found else 0
        return rows, rows

    return work


def memory_both(job: Job) -> Work:
    """In memory: edges from the reference, then both sides counted on them."""
    from mlops.core.profiler import Profiler

    rows = _read(job)

    def work() -> tuple[int, float]:
        reference = _reference(rows, FINE)
        before, now = Profiler(**reference), Profiler(**reference)
        before.update(rows)
        now.update(rows)
        return before.result().rows + now.result().rows, rows.num_rows

    return work


def memory_current(job: Job) -> Work:
    """In memory: the current side only, on edges that are known."""
    from mlops.core.profiler import Profiler

    rows = _read(job)
    reference = _reference(rows, FINE)

    def work() -> tuple[int, float]:
        profiler = Profiler(**reference)
        profiler.update(rows)
        return profiler.result().rows, rows.num_rows

    return work


WAYS: dict[str, Callable[[Job], Work]] = {
    "drift_stream": stream_profile,
    "drift_copy": copy_dropped,
    "drift_push": push_down,
    "drift_push_all": push_down_all,
    "drift_plain": aggregates,
    "drift_both": memory_both,
    "drift_current": memory_current,
}
