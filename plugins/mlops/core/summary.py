"""What the contract needs to know of a stream of rows, gathered batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mlops.core.checks import ColumnSummary, DataSummary
from mlops.core.encode import FeatureEncoder
from mlops.core.table import utc_times
from mlops.core.targets.target import TARGETS
from mlops.errors import DataRefused
from mlops.spec.model import Develop


@dataclass
class _Column:
    nulls: int = 0
    min: float | None = None
    max: float | None = None


class Summariser:
    """Counts rows, missing values and ranges; holds one small record for each feature.

    :param develop: names the features, the time and the label.
    """

    def __init__(self, develop: Develop) -> None:
        self._develop = develop
        self._columns = {name: _Column() for name in develop.features}
        self._rows = 0
        self._labels = TARGETS.get(develop.target_name).label_counter()
        self._newest: datetime | None = None

    def update(self, batch: pa.RecordBatch) -> None:
        """Add a record batch.

        :raises DataRefused: a column is of a type that a feature of its kind, the time or the
            label cannot have; raised at the first batch, before anything is kept. Or a time is
            outside the calendar.
        """
        if not self._rows:
            require_types(batch.schema, self._develop)
        self._rows += batch.num_rows
        for name, column in self._columns.items():
            _add(column, batch.column(name))
        self._count_labels(batch)
        newest = newest_time(batch.column(self._develop.time), self._develop.time)
        if newest is not None and (self._newest is None or newest > self._newest):
            self._newest = newest

    def _count_labels(self, batch: pa.RecordBatch) -> None:
        label = self._develop.label
        try:
            self._labels.update(batch.column(label))
        except DataRefused as error:
            raise DataRefused(
                f"column '{label}' cannot be the label",
                found=error.found,
                expected=error.expected,
                action=(error.action or "").replace("<label>", label),
            ) from error

    def result(self) -> DataSummary:
        """What is known; repeated keys are counted in the file, since that takes memory."""
        return DataSummary(
            rows=self._rows,
            columns={
                name: ColumnSummary(nulls=c.nulls, min=c.min, max=c.max)
                for name, c in self._columns.items()
            },
            newest=self._newest,
            labels=self._labels.facts(),
        )


def require_types(schema: pa.Schema, develop: Develop) -> None:
    """Refuse columns that cannot be what the spec calls them.

    :raises DataRefused: a feature is not of its kind, the time is not a time, or the label is not
        of the target.
    """
    FeatureEncoder.fit(develop.features, schema.empty_table())
    label = schema.field(develop.label)
    require_time(schema.field(develop.time))
    TARGETS.get(develop.target_name).require_label_type(label.name, label.type)


def require_time(time: pa.Field) -> None:
    """Refuse a column that cannot be the time of a row.

    :raises DataRefused: it holds neither times nor dates.
    """
    if not (pa.types.is_timestamp(time.type) or pa.types.is_date(time.type)):
        raise DataRefused(
            f"column '{time.name}' cannot be the time of a row",
            found=f"type {time.type}",
            expected="timestamp with time zone, or date",
            action="cast the column in the SQL",
        )


def newest_time(column: pa.Array, name: str) -> datetime | None:
    """The latest time of a column; None without one.

    :raises DataRefused: a time is outside the calendar.
    """
    try:
        newest: datetime | None = pc.max(utc_times(column)).as_py()
    except (ValueError, OverflowError) as error:  # Arrow's own error is a ValueError
        raise DataRefused(
            f"column '{name}' holds a time outside the calendar",
            found=f"infinity, or a year before 1 or after 9999 ({error})",
            expected="a moment at which something happened, or null",
            action=f"write in the SQL: nullif({name}, 'infinity'), or leave such rows out",
        ) from error
    return newest


def _add(column: _Column, values: pa.Array) -> None:
    column.nulls += values.null_count
    if pa.types.is_boolean(values.type) or not _is_number(values.type):
        return
    if pa.types.is_floating(values.type):
        missing = pc.is_nan(values)
        nans = pc.sum(pc.cast(missing, pa.int64())).as_py() or 0
        if nans:
            column.nulls += nans
            values = values.filter(pc.invert(missing))
    found = pc.min_max(values).as_py()
    if found["min"] is not None:
        column.min = float(found["min"] if column.min is None else min(column.min, found["min"]))
        column.max = float(found["max"] if column.max is None else max(column.max, found["max"]))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
