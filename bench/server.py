"""A Postgres of the bench's own, and the table that is read: 20 numbers, 5 texts, a key, a time."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from demo.postgres import EmbeddedPostgres

ROWS, QUICK_ROWS = 1_000_000, 50_000
DATABASE = "bench"
NUMBERS = tuple(f"n{i}" for i in range(1, 21))
TEXTS = tuple(f"t{i}" for i in range(1, 6))

# The cached table and the sorts fit; a checkpoint in the middle of a round would only disturb.
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}

# A third each: about normal, uniform, and skewed; every fifth column has missing values.
_SHAPES = ("random() + random() + random() - 1.5", "random() * 1000", "-ln(1 - random())")
_CATEGORIES = (3, 5, 8, 10, 20)


@cache
def folder() -> Path:
    """A folder for the bench's files; it goes when the bench ends."""
    made = Path(tempfile.mkdtemp(prefix="mlops-bench-"))
    # The server may run as another user.
    made.chmod(0o711)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def server() -> EmbeddedPostgres:
    """The server; it ends with the bench."""
    started = EmbeddedPostgres(folder() / "postgres", settings=SETTINGS)
    atexit.register(started.destroy)
    started.start()
    started.ensure_database(DATABASE)
    return started


@cache
def table(rows: int) -> str:
    """The name of a table with so many rows, analysed and in the cache."""
    name = f"rows_{rows}"
    numbers = [
        f"CASE WHEN random() >= {0.05 if i % 5 == 0 else 0} THEN {_SHAPES[i % 3]} END AS {column}"
        for i, column in enumerate(NUMBERS)
    ]
    texts = [
        f"'c' || floor(random() * {count})::int AS {column}"
        for column, count in zip(TEXTS, _CATEGORIES, strict=True)
    ]
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE {name} AS SELECT g::bigint AS id, "
            "timestamptz '2026-01-01 00:00+00' + g * interval '1 second' AS event_time, "
            f"{', '.join([*numbers, *texts])} FROM generate_series(1, {rows}) AS g"
        )
        connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (id)")
        connection.execute(f"VACUUM ANALYZE {name}")
        connection.execute(f"SELECT count(t) FROM {name} AS t")
    return name


def url() -> str:
    """The address of the bench's database."""
    return server().url(DATABASE)
