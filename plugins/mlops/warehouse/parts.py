"""Materialise the rows of a window: one reading of a query, kept as Parquet files of equal length.

Each part is one batch of the reading, known by the SHA-256 of its bytes. Who reads a part reads its
bytes once, compares their digest and uses those very bytes. Part boundaries never depend on how
many tasks read the parts, so a model sees the same batches however a window is cut.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlops.digests import digest_bytes
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import BATCH_ROWS, DatabaseState, Part
from mlops.warehouse.snapshot import parquet_writer
from mlops.warehouse.threads import WriteBehind


@dataclass(frozen=True)
class Materialised:
    """All rows of one reading.

    :ivar parts: in the order of the rows; none for a query without rows.
    :ivar state: the state of the database that the rows are of.
    """

    parts: tuple[Part, ...]
    schema: pa.Schema
    state: DatabaseState

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)


def materialise(
    warehouse: Warehouse,
    sql: str,
    folder: Path,
    *,
    on_batch: Callable[[pa.RecordBatch], None],
    batch_rows: int = BATCH_ROWS,
) -> Materialised:
    """Read a query once into files, in memory that does not grow with the rows.

    The same rows in the same order give the same parts, as for
    :func:`mlops.warehouse.snapshot.write_parquet`.

    :param sql: ordered by columns in which any two rows differ.
    :param folder: gets the parts, each under its SHA-256.
    :param on_batch: sees every batch once, in order.
    :param batch_rows: rows of a part; the last one has fewer.
    :raises WarehouseUnreachable: no connection, or one that broke.
    :raises QueryError: SQL that does not run, or a column of a type that cannot be read.
    """
    parts: list[Part] = []

    def write(batch: pa.RecordBatch) -> None:
        data = _part_bytes(batch)
        digest = digest_bytes(data)
        (folder / digest).write_bytes(data)
        parts.append(Part(digest, batch.num_rows, len(data)))

    with warehouse.stream(sql, batch_rows=batch_rows) as batches, WriteBehind(write) as writer:
        for batch in batches:
            writer.put(batch)
            on_batch(batch)
        schema, state = batches.schema, batches.state
    return Materialised(tuple(parts), schema, state)


def _part_bytes(batch: pa.RecordBatch) -> bytes:
    file = io.BytesIO()
    with parquet_writer(file, batch.schema) as writer:
        writer.write_batch(batch, row_group_size=batch.num_rows)
    return file.getvalue()


def read_part(data: bytes) -> pa.RecordBatch:
    """Read the rows of a part from bytes whose digest was compared."""
    with pq.ParquetFile(pa.BufferReader(data)) as parquet:
        table = parquet.read(use_threads=False)
    (batch,) = table.combine_chunks().to_batches()
    return batch
