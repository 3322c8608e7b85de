"""Write one shard of a batch of predictions: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import sql
from pyarrow import types

from mlops.errors import DataRefused, WarehouseError
from mlops.warehouse.postgres.copy import Copy, copying, fixed_text
from mlops.warehouse.postgres.predictions import Names, batch_lock, columns_of
from mlops.warehouse.postgres.session import Connection, advisory_lock, connected, translated
from mlops.warehouse.records import ShardTarget

_DELETE = "DELETE FROM {predictions} WHERE batch = %s AND shard = %s"
_PUBLISHED = "SELECT EXISTS (SELECT FROM {batches} WHERE batch = %s)"


class ShardWriter:
    """Writes the rows of one shard; made by :func:`replacing_shard`.

    :ivar rows: how many were written.
    """

    def __init__(self, copy: Copy, target: ShardTarget) -> None:
        self._copy = copy
        self._target = target
        self._batch = target.batch.encode()
        self.rows = 0

    def write(self, keys: pa.RecordBatch, scores: NDArray[np.float64]) -> None:
        """Append rows.

        :param keys: two columns: the key, and the event's time.
        :param scores: shape (rows,).
        :raises DataRefused: a key or a time is missing.
        """
        key, time = _key_values(keys), _times(keys)
        found = self._target.values(scores)
        values = {
            column.name: np.asarray(found[column.name]) for column in self._target.table.columns
        }
        fields: list[tuple[str, Any]] = [
            (keys.schema.names[0], key.dtype),
            ("event_time", time.dtype),
            ("score", np.float64),
            *((name, column.dtype) for name, column in values.items()),
            ("model_version", np.int32),
            ("batch", f"S{len(self._batch)}"),
            ("shard", np.int32),
        ]
        records = np.empty(len(scores), dtype=fields)
        records[keys.schema.names[0]], records["event_time"], records["score"] = key, time, scores
        for name, column in values.items():
            records[name] = column
        records["model_version"], records["batch"] = self._target.version, self._batch
        records["shard"] = self._target.shard
        self.rows += self._copy.write(records)


@contextmanager
def replacing_shard(url: str, target: ShardTarget) -> Iterator[ShardWriter]:
    """Replace the rows of a shard, in one transaction that ends with the block.

    An error in the block leaves the rows that were there before.

    :raises WarehouseError: the batch was published; a published batch never changes.
    :raises DuplicateKey: a key comes twice, or another shard of the batch has it.
    :raises QueryError: the tables do not exist.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    names = Names.of(target.table)
    columns = [target.table.key, *columns_of(target.table)]
    with (
        connected(url) as connection,
        translated(f"{target.name} cannot be written"),
        connection.transaction(),
    ):
        # The publication of the batch waits for the shards that are being written.
        advisory_lock(connection, batch_lock(target.batch), shared=True)
        # Two tries of one shard go one after the other: neither sees rows that the other has not
        # committed, so both would write the same keys.
        advisory_lock(connection, f"mlops.shard.{target.batch}.{target.shard}")
        _refuse_published(connection, names, target)
        connection.execute(
            sql.SQL(_DELETE).format(predictions=names.predictions), [target.batch, target.shard]
        )
        with copying(connection, names.predictions, columns) as copy:
            yield ShardWriter(copy, target)


def _refuse_published(connection: Connection, names: Names, target: ShardTarget) -> None:
    found = connection.execute(
        sql.SQL(_PUBLISHED).format(batches=names.batches), [target.batch]
    ).fetchone()
    if found and found[0]:
        raise WarehouseError(
            f"{target.name} cannot be written",
            found="a batch that was published",
            expected="one that was not: a published batch never changes under its readers",
            action="clear the task 'check_input', which reads the window again",
        )


def _key_values(keys: pa.RecordBatch) -> NDArray[Any]:
    """The key column as numpy can send it."""
    column = keys.column(0)
    _refuse_missing(keys, 0)
    if types.is_string(column.type):
        return fixed_text(column)
    if column.type == pa.uuid():
        stored = column.storage
        raw = np.frombuffer(stored.buffers()[1], "V16")
        return raw[stored.offset : stored.offset + len(stored)]
    values: NDArray[Any] = column.to_numpy()
    return values


def _times(keys: pa.RecordBatch) -> NDArray[np.datetime64]:
    _refuse_missing(keys, 1)
    column = keys.column(1)
    if not (types.is_timestamp(column.type) or types.is_date(column.type)):
        raise DataRefused(
            f"the time column {keys.schema.names[1]} holds no times",
            found=column.type,
            expected="timestamp with time zone, or date",
        )
    values: NDArray[np.datetime64] = column.to_numpy(zero_copy_only=False)
    return values.astype("datetime64[us]")


def _refuse_missing(keys: pa.RecordBatch, position: int) -> None:
    missing = keys.column(position).null_count
    if missing:
        raise DataRefused(
            f"the column {keys.schema.names[position]} must have a value in every row to be scored",
            found=f"{missing:,} rows without one among {keys.num_rows:,}",
            action="leave such rows out in the SQL, or correct the table",
        )
