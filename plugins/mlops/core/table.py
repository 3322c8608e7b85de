"""A frozen snapshot as arrays: which rows train, which test, and the values of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.core.recorded_summary import FileCounts, SideCounts
from mlops.core.targets.target import TARGETS, Target
from mlops.spec.model import Develop


@dataclass(frozen=True)
class Rows:
    """Some rows of a snapshot.

    :ivar table: the features, the key and the time, as an Arrow table.
    :ivar label: what the target reads of the label's column, shape (rows,).
    """

    table: pa.Table
    label: np.ndarray


def split_by_time(
    file: Path, *, time: str, label: str, test_start: datetime, target: Target
) -> tuple[Rows, Rows]:
    """Training rows before ``test_start`` and test rows from it on."""
    table = _read(file)
    is_test = _from(table[time], test_start)
    train, test = table.filter(pc.invert(is_test)), table.filter(is_test)
    return _rows(train, label, target), _rows(test, label, target)


def count_file(file: Path, develop: Develop, *, test_start: datetime) -> FileCounts:
    """Count what only the whole file shows; reads three columns, the key's alone."""
    duplicates = _count_duplicates(file, develop.key)
    table = _read(file, develop.time, develop.label)
    times, labels = table[develop.time], table[develop.label]
    is_test = _from(times, test_start)
    target = TARGETS.get(develop.target_name)
    return FileCounts(
        key_duplicates=duplicates,
        untimed=times.null_count,
        train=_count_side(labels.filter(pc.invert(is_test)), target),
        test=_count_side(labels.filter(is_test), target),
    )


def _count_duplicates(file: Path, key: str) -> int:
    """How many rows repeat a key that another row has."""
    column = _read(file, key)[key]
    if isinstance(column.type, pa.BaseExtensionType):  # a uuid, of which only the bytes are counted
        column = column.cast(column.type.storage_type)
    return len(column) - int(pc.count_distinct(column, mode="all").as_py())


def _count_side(labels: pa.ChunkedArray, target: Target) -> SideCounts:
    counter = target.label_counter()
    for chunk in labels.chunks:
        counter.update(chunk)
    return SideCounts(rows=len(labels), labels=counter.facts())


def _read(file: Path, *columns: str) -> pa.Table:
    """The columns of one file, all where none is named; without Arrow's module for many files."""
    with pq.ParquetFile(file) as parquet:
        return parquet.read(columns=list(columns) or None)


def utc_times(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of times or dates as moments in UTC; a date means its first moment."""
    if not pa.types.is_date(column.type):
        return column
    return pc.assume_timezone(pc.cast(column, pa.timestamp("us")), "UTC")


def _from(column: pa.ChunkedArray, start: datetime) -> pa.ChunkedArray:
    """Whether each row's time is ``start`` or later; null where it has none."""
    times = utc_times(column)
    return pc.greater_equal(times, pa.scalar(start, type=times.type))


def _rows(table: pa.Table, label: str, target: Target) -> Rows:
    return Rows(table=table.drop_columns([label]), label=target.read_labels(table[label]))
