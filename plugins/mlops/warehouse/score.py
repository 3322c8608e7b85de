"""Score: rows of a query through a model, predictions back into a table, in bounded memory.

Four threads work at once: one reads batches, one encodes them, one predicts, one writes. Batches
of 65,536 rows stay in the processor's cache, where a model predicts faster than in one call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlops.core.targets.target import LOOK, RequireScores
from mlops.errors import DuplicateKey, QueryError
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import BATCH_ROWS, DatabaseState, ShardTarget
from mlops.warehouse.threads import WriteBehind, read_ahead

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops.core.targets.target import Floats

    # Scores of shape (n,) for a matrix of shape (n, features).
    Predict = Callable[[Floats], Floats]


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
    warehouse: Warehouse,
    sql: str,
    target: ShardTarget,
    *,
    time: str,
    encoder: Encoder,
    predict: Predict,
    require_scores: RequireScores,
) -> ScoredShard:
    """Score a shard; its predictions replace those before them, all at once or not at all.

    :param sql: the shard's rows, with the table's key, ``time`` and the model's features.
    :param time: name of the column with the event's time.
    :param require_scores: refuses scores that cannot be of the model's target.
    :raises PredictionError: a score that ``require_scores`` refuses.
    :raises DataRefused: a key or time is missing, or the rows are not as in training.
    :raises DuplicateKey: the SQL gives a key twice in the shard.
    :raises QueryError: SQL that does not run, or lacks a column.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    scoring = _Scoring(
        warehouse,
        sql,
        target,
        time=time,
        encoder=encoder,
        predict=predict,
        require_scores=require_scores,
    )
    try:
        return scoring.write()
    except DuplicateKey:
        # Another shard may have it from before: the batch was cut in another way then, or the
        # time of a row was corrected. That is too rare to look for it each time.
        return scoring.write(taking_over=sql)


@dataclass(frozen=True)
class _Scoring:
    """The scoring of one shard, which may need a second try."""

    warehouse: Warehouse
    sql: str
    target: ShardTarget
    time: str
    encoder: Encoder
    predict: Predict
    require_scores: RequireScores

    def write(self, *, taking_over: str | None = None) -> ScoredShard:
        unseen: Counter[str] = Counter()

        def encode(rows: pa.RecordBatch) -> Floats:
            matrix, new = self.encoder.encode_counting(rows)
            unseen.update(new)
            return matrix

        with self.warehouse.write_scores(self.target, taking_over=taking_over) as writer:
            rows, state = score_stream(
                self.warehouse,
                self.sql,
                keys=(self.target.table.key, self.time),
                encode=encode,
                predict=self.predict,
                require_scores=self.require_scores,
                write=writer.write,
                what=self.target.name,
            )
        return ScoredShard(rows=rows, unseen=dict(unseen), state=state)


def score_stream(
    warehouse: Warehouse,
    sql: str,
    *,
    keys: tuple[str, ...],
    encode: Callable[[pa.RecordBatch], Floats],
    predict: Predict,
    require_scores: RequireScores,
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
    :raises PredictionError: a score that ``require_scores`` refuses.
    :raises QueryError: SQL that does not run, or lacks a column.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    rows = 0
    with warehouse.stream(sql, batch_rows=batch_rows) as batches:
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
                require_scores(
                    scores,
                    rows=named.num_rows,
                    what=what,
                    name_row=_row_namer(named),
                    action=f"{LOOK}; nothing of the shard was written",
                )
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


def _row_namer(keys: pa.RecordBatch) -> Callable[[int], str]:
    key, values = keys.schema.names[0], keys.column(0)
    return lambda row: f"the row where {key} is {values[row].as_py()}"
