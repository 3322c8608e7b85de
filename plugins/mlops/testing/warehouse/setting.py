"""What all tests of a warehouse share: its fixtures, and the rows that they read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from mlops.warehouse.port import Capability, Warehouse

ROWS = 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

TYPES = {
    "id": "bigint",
    "at": "timestamp with time zone",
    "delay": "double precision",
    "carrier": "text",
    "late": "boolean",
}
CARRIERS = ("AA", "it's", 'say "hi"', "back\\slash", "50 %", ":as_of", "é ü 日本", None)

_numbers = itertools.count(1)


def flights(numbers: Iterable[int] = range(ROWS)) -> pa.Table:
    """Rows that hold what breaks careless code: nulls, quotes, signs of other languages, ±∞.

    :param numbers: one row for each; they are the keys.
    """
    keys = list(numbers)
    special = {3: float("inf"), 4: -float("inf"), 5: -0.0, 6: 1e-310, 7: 0.1 + 0.2}
    return pa.table(
        {
            "id": pa.array(keys, pa.int64()),
            "at": pa.array(
                [START + n * HOUR + timedelta(microseconds=n) for n in keys],
                pa.timestamp("us", "UTC"),
            ),
            "delay": pa.array(
                [None if n % 11 == 0 else special.get(n, n / 7) for n in keys], pa.float64()
            ),
            "carrier": pa.array([CARRIERS[n % len(CARRIERS)] for n in keys], pa.string()),
            "late": pa.array([None if n % 13 == 0 else n % 3 == 0 for n in keys], pa.bool_()),
        }
    )


class Setting:
    """The fixtures; a subclass overrides the first two and :meth:`add_rows`."""

    @pytest.fixture
    def warehouse(self) -> Warehouse:
        """The warehouse that is tested; several tests may share one."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> Warehouse:
        """The same kind of warehouse at a place where no server answers.

        If it has a password, ``never-shown`` is it.
        """
        raise NotImplementedError

    def add_rows(self, warehouse: Warehouse, table: str, rows: pa.Table) -> None:
        """Append rows to a table that SQL names by this name alone; make it where it is missing.

        :param rows: columns of the Arrow types int64, float64, string, bool and timestamp in UTC.
        """
        raise NotImplementedError

    @pytest.fixture
    def name(self) -> str:
        """A name that no other test has."""
        return f"flights_{next(_numbers)}"

    @pytest.fixture
    def table(self, warehouse: Warehouse, name: str) -> str:
        """The name of a table with the rows of :func:`flights`."""
        self.add_rows(warehouse, name, flights())
        return name


def has(warehouse: Warehouse, capability: Capability) -> bool:
    """Whether the warehouse declares a capability."""
    return capability in warehouse.capabilities
