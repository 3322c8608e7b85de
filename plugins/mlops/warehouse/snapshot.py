"""Freeze the rows of a query in a Parquet file that is known by the digest of its bytes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from mlops.errors import NoRows
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import BATCH_ROWS, DatabaseState


@dataclass(frozen=True)
class ParquetFile:
    """A finished snapshot file.

    :param sha256: of its bytes, 64 hex characters.
    :param bytes: its size.
    :param schema: names and Arrow types of its columns.
    :param state: the state of the database that its rows are of.
    """

    path: Path
    sha256: str
    rows: int
    bytes: int
    schema: pa.Schema
    state: DatabaseState


def write_parquet(
    warehouse: Warehouse,
    sql: str,
    path: Path,
    *,
    on_batch: Callable[[pa.RecordBatch], None] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> ParquetFile:
    """Stream a query into a Parquet file, in memory that does not grow with the rows.

    The same rows in the same order give the same bytes (with one version of pyarrow): row groups
    are cut by rows, and nothing of the time, the server or the driver is written. Text columns
    are dictionary-encoded; for floats a dictionary costs time and saves nothing.

    :param sql: ordered by columns in which any two rows differ, see
        :meth:`mlops.warehouse.dialect.Dialect.ordered`.
    :param path: appears when it is complete; after an error no part of it remains.
    :param on_batch: sees every batch once, in order.
    :param batch_rows: rows of a batch and of a row group.
    :raises NoRows: the query returned nothing.
    :raises WarehouseUnreachable: no connection, or one that broke.
    :raises QueryError: SQL that does not run, or a column of a type that cannot be read.
    """
    with (
        _Unfinished(path) as unfinished,
        warehouse.stream(sql, batch_rows=batch_rows) as batches,
    ):
        rows = 0
        with parquet_writer(unfinished, batches.schema) as writer:
            for batch in batches:
                if on_batch is not None:
                    on_batch(batch)
                writer.write_batch(batch, row_group_size=batch_rows)
                rows += batch.num_rows
        if not rows:
            raise NoRows(
                "the snapshot's query returned nothing",
                expected="at least one row",
                action="look at the window, and at the tables that the SQL reads",
            )
        unfinished.finish()
    return ParquetFile(
        path, unfinished.sha256, rows, unfinished.size, batches.schema, batches.state
    )


def parquet_writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """The one way in which rows are written, so that equal rows give equal bytes.

    :param file: anything that Arrow can write to.
    """
    text = [field.name for field in schema if types.is_string(field.type)]
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=text or False)


class _Unfinished:
    """A file under a temporary name beside its place; digested while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def __enter__(self) -> _Unfinished:
        self._file: BinaryIO = tempfile.NamedTemporaryFile(  # type: ignore[assignment]
            dir=self._path.parent, prefix=f".{self._path.name}.", delete=False
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Digest of all that was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Append bytes; this and the next two are what Arrow asks of a file."""
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand buffered bytes to the system."""
        self._file.flush()

    def close(self) -> None:
        """Nothing: the file ends with its block."""

    def finish(self) -> None:
        """Put the complete file in its place."""
        self._file.close()
        Path(self._file.name).chmod(0o644)
        Path(self._file.name).replace(self._path)
