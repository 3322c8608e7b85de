"""A frozen snapshot as arrays: which rows train, which test, and what stands in their columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Rows:
    """Some rows of a snapshot.

    :ivar table: the features, the key and the time, as an Arrow table.
    :ivar label: bool array, shape (rows,).
    """

    table: pa.Table
    label: np.ndarray


def split_by_time(file: Path, *, time: str, label: str, test_start: datetime) -> tuple[Rows, Rows]:
    """Training rows before ``test_start`` and test rows from it on."""
    table = pq.read_table(file)
    moment = pa.scalar(test_start, type=table.schema.field(time).type)
    is_test = pc.greater_equal(table[time], moment)
    return _rows(table.filter(pc.invert(is_test)), label), _rows(table.filter(is_test), label)


def _rows(table: pa.Table, label: str) -> Rows:
    values = pc.cast(table[label], pa.bool_()).to_numpy(zero_copy_only=False)
    return Rows(table=table.drop_columns([label]), label=values.astype(bool))


def count_duplicates(file: Path, key: str) -> int:
    """How many rows of a Parquet file repeat a key that another row has; reads one column."""
    column = pq.read_table(file, columns=[key])[key]
    return len(column) - int(pc.count_distinct(column, mode="all").as_py())
