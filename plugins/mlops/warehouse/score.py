"""Score: rows through a model, predictions into a table, in bounded memory.

Three threads work at once: one reads and encodes batches, one predicts, one writes. Batches of
65,536 rows stay in the processor's cache, where a model predicts faster than in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from mlops.core.targets.target import LOOK, RequireScores
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import ShardTarget
from mlops.warehouse.threads import WriteBehind, read_ahead

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops.core.targets.target import Floats

    # Scores of shape (n,) for a matrix of shape (n, features).
    Predict = Callable[[Floats], Floats]


class Encoder(Protocol):
    """What turns rows into the model's matrix."""

    def encode(self, rows: pa.RecordBatch) -> Floats:
        """The matrix, shape (rows, features)."""


def score_shard(
    warehouse: Warehouse,
    batches: Iterable[pa.RecordBatch],
    target: ShardTarget,
    *,
    time: str,
    encoder: Encoder,
    predict: Predict,
    require_scores: RequireScores,
) -> int:
    """Score a shard; its predictions replace those before them, all at once or not at all.

    :param batches: the shard's rows, with the table's key, ``time`` and the model's features; they
        are read in a thread.
    :param time: name of the column with the event's time.
    :param require_scores: refuses scores that cannot be of the model's target.
    :returns: how many rows were scored, each of which was read, predicted and written once.
    :raises PredictionError: a score that ``require_scores`` refuses.
    :raises DataRefused: a key or time is missing, or the rows are not as in training.
    :raises DuplicateKey: a key comes twice in the batch.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    keys, rows = [target.table.key, time], 0
    encoded = ((batch.select(keys), encoder.encode(batch)) for batch in batches)
    with warehouse.write_scores(target) as scores_writer:

        def write_one(item: tuple[pa.RecordBatch, Floats]) -> None:
            scores_writer.write(*item)

        with (
            read_ahead(encoded, cancel=_nothing) as ahead,
            WriteBehind(write_one) as writer,
        ):
            for named, matrix in ahead:
                scores = predict(matrix)
                require_scores(
                    scores,
                    rows=named.num_rows,
                    what=target.name,
                    name_row=_row_namer(named),
                    action=f"{LOOK}; nothing of the shard was written",
                )
                writer.put((named, scores))
                rows += named.num_rows
    return rows


def _nothing() -> None:
    """Reading a file needs no help to end."""


def _row_namer(keys: pa.RecordBatch) -> Callable[[int], str]:
    key, values = keys.schema.names[0], keys.column(0)
    return lambda row: f"the row where {key} is {values[row].as_py()}"
