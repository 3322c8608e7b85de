"""What the contract and the monitoring need to know of a window, counted in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mlops.core.checks import DataSummary
from mlops.core.profiler import Profiler
from mlops.core.profiles import Profile
from mlops.core.summary import newest_time, require_time


class WindowCounter:
    """Counts batches of rows in the order of their key; memory does not grow with the rows.

    :param key: name of the key column, by which the rows are ordered.
    :param time: name of the column of the event's time.
    :param edges: for each numeric feature its ascending edges.
    :param categories: for each text feature its known categories.
    """

    def __init__(
        self,
        *,
        key: str,
        time: str,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        self._key, self._time = key, time
        self._profiler = Profiler(edges=edges, categories=categories)
        self._last_key: pa.Array | None = None
        self._duplicates = 0
        self._newest: datetime | None = None

    def update(self, batch: pa.RecordBatch) -> None:
        """Count a batch.

        :raises DataRefused: a column is of another kind, or a time is outside the calendar.
        """
        require_time(batch.schema.field(self._time))
        self._count_duplicates(batch.column(self._key))
        newest = newest_time(batch.column(self._time), self._time)
        if newest is not None and (self._newest is None or newest > self._newest):
            self._newest = newest
        self._profiler.update(batch)

    def result(self) -> tuple[Profile, DataSummary]:
        """The profile of all rows so far, and what the contract's checks look at."""
        profile = self._profiler.result()
        return profile, profile.summary(newest=self._newest, key_duplicates=self._duplicates)

    def _count_duplicates(self, column: pa.Array) -> None:
        """Count rows whose key the row before them has, and rows without a key."""
        keys = column.storage if isinstance(column, pa.ExtensionArray) else column
        self._duplicates += keys.null_count
        if self._last_key is not None:
            keys = pa.concat_arrays([self._last_key, keys])
        same = pc.sum(pc.equal(keys[1:], keys[:-1])).as_py()
        self._duplicates += int(same or 0)
        self._last_key = keys[-1:]
