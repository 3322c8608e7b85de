"""Score: rows of a query through a model, predictions back into a table, in bounded memory.

Four threads work at once: one reads batches, one encodes them, one predicts, one writes. Batches
of 65,536 rows stay in the processor's cache, where a model predicts faster than in one call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pyarrow as pa

from mlops.core.scores import LOOK, Floats, require_probabilities
from mlops.errors import DuplicateKey, QueryError
from mlops.warehouse.postgres.read import BATCH_ROWS, DatabaseState, stream
from mlops.warehouse.postgres.shard import ShardWriter, replacing_shard
from mlops.warehouse.postgres.threads import WriteBehind, read_ahead


class Encoder(Protocol):
    """What turns rows into the model's matrix."""

    def encode_counting(self, rows: pa.RecordBatch) -> tuple[Floats, Mapping[str, int]]:
        """The matrix, shape (rows, features), and the rows of categories that are new."""


@dataclass(frozen=True)
class ScoredShard:
    """What was written.

    :param unseen: for each categorical feature the rows whose category training did not see.
    :param state: the state of the database that the rows were read in.
    """

    rows: int
    unseen: Mapping[str, int]
    state: DatabaseState


def score_shard(
    url: str,
    sql: str,
    *,
    schema: str,
    model: str,
    key: str,
    time: str,
    batch: str,
    shard: int,
    shards: int,
    version: int,
    threshold: float | None,
    encoder: Encoder,
    predict: Callable[[Floats], Floats],
) -> ScoredShard:
    """Score a shard; its predictions replace those that stood there, all at once or not at all.

    :param sql: the shard's rows, with ``key``, ``time`` and the model's features.
    :param key: name of the key column; the tables' key has the same name.
    :param shards: into how many the batch is cut.
    :param time: name of the column with the event's time.
    :param predict: gives scores of shape (n,) for a matrix of shape (n, features).
    :raises PredictionError: a score that is not a probability, or not one for each row.
    :raises DataRefused: a key or time is missing, or the rows are not as in training.
    :raises DuplicateKey: the SQL gives a key twice in the shard.
    :raises QueryError: SQL that does not run, or lacks a column.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    replacing = partial(
        replacing_shard,
        url,
        schema=schema,
        model=model,
        key=key,
        batch=batch,
        shard=shard,
        shards=shards,
        version=version,
        threshold=threshold,
    )
    scored = partial(
        _scored,
        url,
        sql,
        keys=(key, time),
        encoder=encoder,
        predict=predict,
        what=f"shard {shard} of batch {batch}",
    )
    try:
        return scored(replacing())
    except DuplicateKey:
        # Another shard may have it from before: the batch was cut in another way then, or the
        # time of a row was mended. That is too rare to look for it each time.
        return scored(replacing(taking_over=sql))


def _scored(
    url: str,
    sql: str,
    writing: AbstractContextManager[ShardWriter],
    *,
    keys: tuple[str, ...],
    encoder: Encoder,
    predict: Callable[[Floats], Floats],
    what: str,
) -> ScoredShard:
    unseen: Counter[str] = Counter()

    def encode(rows: pa.RecordBatch) -> Floats:
        matrix, new = encoder.encode_counting(rows)
        unseen.update(new)
        return matrix

    with writing as writer:
        rows, state = score_stream(
            url, sql, keys=keys, encode=encode, predict=predict, write=writer.write, what=what
        )
    return ScoredShard(rows=rows, unseen=dict(unseen), state=state)


def score_stream(
    url: str,
    sql: str,
    *,
    keys: tuple[str, ...],
    encode: Callable[[pa.RecordBatch], Floats],
    predict: Callable[[Floats], Floats],
    write: Callable[[pa.RecordBatch, Floats], None],
    what: str,
    batch_rows: int = BATCH_ROWS,
) -> tuple[int, DatabaseState]:
    """Read, encode, predict and write, batch by batch and in order.

    :param keys: columns that ``write`` gets beside the scores; the first one names rows in errors.
    :param write: called in a thread of its own with those columns and the scores, shape (n,).
    :param what: what is scored, as errors name it.
    :returns: the number of rows, each of which was read, predicted and written once, and the state
        of the database that they were read in.
    :raises PredictionError: a score that is not a probability, or not one for each row.
    :raises QueryError: SQL that does not run, or lacks a column.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    rows = 0
    with stream(url, sql, batch_rows=batch_rows) as batches:
        _require_columns(batches.schema, keys, what)

        def write_one(item: tuple[pa.RecordBatch, Floats]) -> None:
            write(*item)

        encoded = ((batch, encode(batch)) for batch in batches)
        with (
            read_ahead(encoded, cancel=batches.cancel) as ahead,
            WriteBehind(write_one) as writer,
        ):
            for batch, matrix in ahead:
                scores = predict(matrix)
                named = batch.select(list(keys))
                _require_probabilities(scores, named, what)
                writer.put((named, scores))
                rows += batch.num_rows
    return rows, batches.state


def _require_columns(schema: pa.Schema, keys: tuple[str, ...], what: str) -> None:
    missing = [name for name in keys if name not in schema.names]
    if missing:
        raise QueryError(
            f"{what}: the scoring SQL does not return {', '.join(missing)}",
            found=", ".join(schema.names),
            action="return the key and the time under the names that the spec gives them",
        )


def _require_probabilities(scores: Floats, keys: pa.RecordBatch, what: str) -> None:
    key, values = keys.schema.names[0], keys.column(0)

    def named(row: int) -> str:
        return f"the row where {key} is {values[row].as_py()}"

    require_probabilities(
        scores,
        rows=keys.num_rows,
        what=what,
        name_row=named,
        action=f"{LOOK}; nothing of the shard was written",
    )
