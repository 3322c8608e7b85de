"""The ways that are compared. Each prepares (imports, connects, loads) and returns what counts.

``python -m bench.ways <way> <job as JSON>`` runs one and prints a :class:`bench.harness.Run`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Job = dict[str, Any]
# What counts; returns the number of rows, and a number that ways of doing the same agree on.
Work = Callable[[], tuple[int, float]]

KIBIBYTE, MEGABYTE = 1024, 1_000_000


def run(way: str, job: Job) -> dict[str, float]:
    """Prepare a way, run it, and say what it took."""
    work: Work = WAYS[way](job)
    before = _forget_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    rows, check = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _peak() - before
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "peak_mb": peak * KIBIBYTE / MEGABYTE,
        "rows": rows,
        "check": check,
    }


def _peak() -> int:
    """The highest memory of this process since :func:`_forget_peak`, in KiB.

    ``getrusage`` would also include the process that started this one: what a parent had at the
    moment of ``exec`` counts as its child's peak.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def _forget_peak() -> int:
    """Let the peak be what the process has now, where the system can; returns it, in KiB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def all_rows(job: Job) -> str:
    """The query that snapshots and scores read."""
    return f"SELECT * FROM {job['table']} ORDER BY id"


def bare_read(job: Job) -> Work:
    """The limit of all reading: batches that are thrown away."""
    from adbc_driver_postgresql import dbapi

    def work() -> tuple[int, float]:
        rows = 0
        with dbapi.connect(job["url"]) as connection, connection.cursor() as cursor:
            cursor.execute(all_rows(job))
            for batch in cursor.fetch_record_batch():
                rows += batch.num_rows
        return rows, rows

    return work


def snapshot_naive(job: Job) -> Work:
    """Through a data frame."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401 (which to_parquet would import)
    import sqlalchemy as sa

    engine = sa.create_engine(job["url"].replace("postgresql:", "postgresql+psycopg2:"))

    def work() -> tuple[int, float]:
        with engine.connect() as connection:
            frame = pd.read_sql(sa.text(all_rows(job)), connection)
        frame.to_parquet(Path(job["folder"]) / "naive.parquet")
        return len(frame), len(frame)

    return work


def snapshot_ours(job: Job) -> Work:
    """The product's own step, its SHA-256 included."""
    import mlops.warehouse.postgres.stream  # noqa: F401 (which the first stream would import)
    from mlops.warehouse.postgres.warehouse import PostgresWarehouse
    from mlops.warehouse.snapshot import write_parquet

    warehouse = PostgresWarehouse(job["url"])

    def work() -> tuple[int, float]:
        file = write_parquet(warehouse, all_rows(job), Path(job["folder"]) / "ours.parquet")
        return file.rows, file.rows

    return work


def score_naive(job: Job) -> Work:
    """Through data frames, both ways."""
    import pandas as pd
    import sqlalchemy as sa

    from bench import model

    engine = sa.create_engine(job["url"].replace("postgresql:", "postgresql+psycopg2:"))
    pipeline = model.load(job["model"])[2]

    def work() -> tuple[int, float]:
        with engine.connect() as connection:
            frame = pd.read_sql(sa.text(all_rows(job)), connection)
        scores = pipeline.predict_proba(frame)[:, 1]
        found = pd.DataFrame({"id": frame["id"], "score": scores})
        found.to_sql("naive_scores", engine, index=False, if_exists="replace")
        return len(found), float(scores.sum())

    return work


def score_ours(job: Job) -> Work:
    """The product's own step: the parts of a window that was read, to every column of its table."""
    import psycopg

    import mlops.warehouse.postgres.shard  # noqa: F401 (which the first shard would import)
    from bench import model
    from mlops.core.targets.binary.target import BINARY
    from mlops.store.artifacts import Artifacts
    from mlops.warehouse.parts import materialise, read_part
    from mlops.warehouse.postgres.warehouse import PostgresWarehouse
    from mlops.warehouse.records import Column, PredictionTable, ShardTarget
    from mlops.warehouse.score import score_shard

    warehouse = PostgresWarehouse(job["url"])
    table = PredictionTable("ml", "bench", "id", (Column("decision", "boolean"),))
    warehouse.ensure_tables(table, key_type="bigint")
    target = ShardTarget(
        table,
        batch="bench/1",
        shard=0,
        version=1,
        values=lambda scores: {"decision": scores >= 0.5},
    )
    with psycopg.connect(job["url"]) as connection:
        connection.execute("TRUNCATE ml.bench_predictions")
    encoder, estimator, _ = model.load(job["model"])
    artifacts, folder = (
        Artifacts(Path(job["model"]).parent / "artifacts"),
        Path(job["model"]).parent,
    )
    query = warehouse.dialect.ordered(all_rows(job), ("id",))
    parts = materialise(warehouse, query, folder, on_batch=lambda _: None).parts
    for part in parts:
        artifacts.put_file(folder / part.sha256, part.sha256)
    total = 0.0

    def predict(matrix: Any) -> Any:
        nonlocal total
        scores = estimator.predict_proba(matrix)[:, 1]
        total += float(scores.sum())
        return scores

    def work() -> tuple[int, float]:
        rows = score_shard(
            warehouse,
            (read_part(artifacts.read(part.sha256)) for part in parts),
            target,
            time="event_time",
            encoder=encoder,
            predict=predict,
            require_scores=BINARY.require_scores,
        )
        return rows, total

    return work


def predict_alone(job: Job) -> Work:
    """The limit of scoring: matrices that are there already."""
    from bench import model
    from mlops.warehouse.postgres.stream import stream

    encoder, estimator, _ = model.load(job["model"])
    with stream(job["url"], all_rows(job)) as batches:
        matrices = [encoder.encode(batch) for batch in batches]

    def work() -> tuple[int, float]:
        total = sum(float(estimator.predict_proba(matrix)[:, 1].sum()) for matrix in matrices)
        return sum(len(matrix) for matrix in matrices), total

    return work


def _scores(job: Job) -> Any:
    """Keys and scores to be written."""
    import numpy as np

    records = np.zeros(job["rows"], dtype=[("id", np.int64), ("score", np.float64)])
    records["id"] = np.arange(job["rows"])
    records["score"] = np.random.default_rng(0).random(job["rows"])
    return records


def _empty_table(job: Job, name: str) -> None:
    import psycopg

    with psycopg.connect(job["url"]) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE TABLE {name} (id bigint, score float8)")


def copy_naive(job: Job) -> Work:
    """A data frame's own way."""
    import pandas as pd
    import sqlalchemy as sa

    frame = pd.DataFrame(_scores(job))
    engine = sa.create_engine(job["url"].replace("postgresql:", "postgresql+psycopg2:"))
    _empty_table(job, "copy_naive")

    def work() -> tuple[int, float]:
        frame.to_sql("copy_naive", engine, index=False, if_exists="append")
        return len(frame), len(frame)

    return work


def copy_adbc(job: Job) -> Work:
    """Arrow's own way."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    records = _scores(job)
    table = pa.table({name: records[name].copy() for name in ("id", "score")})
    _empty_table(job, "copy_adbc")

    def work() -> tuple[int, float]:
        with dbapi.connect(job["url"]) as connection, connection.cursor() as cursor:
            rows = cursor.adbc_ingest("copy_adbc", table, mode="append")
            connection.commit()
        return rows, rows

    return work


def copy_ours(job: Job) -> Work:
    """COPY in binary from a record array."""
    import psycopg
    from psycopg import sql

    from mlops.warehouse.postgres.copy import copying

    records = _scores(job)
    _empty_table(job, "copy_ours")

    def work() -> tuple[int, float]:
        table = sql.Identifier("copy_ours")
        with (
            psycopg.connect(job["url"]) as connection,
            copying(connection, table, ("id", "score")) as copy,
        ):
            rows = copy.write(records)
        return rows, rows

    return work


WAYS: dict[str, Callable[[Job], Work]] = {
    "read": bare_read,
    "snapshot_naive": snapshot_naive,
    "snapshot": snapshot_ours,
    "score_naive": score_naive,
    "score": score_ours,
    "predict": predict_alone,
    "to_sql": copy_naive,
    "ingest": copy_adbc,
    "copy": copy_ours,
}


def _main() -> None:
    way, job = sys.argv[1], json.loads(sys.argv[2])
    if way.startswith("drift_"):
        from bench import drift_ways

        WAYS.update(drift_ways.WAYS)
    print(json.dumps(run(way, job)))


if __name__ == "__main__":
    _main()
