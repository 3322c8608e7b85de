"""Tests of counting: profiles, keys, and what a query reads."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import Profile
from mlops.errors import DataRefused, QueryError
from mlops.testing.warehouse.setting import CARRIERS, ROWS, TYPES, Setting, flights, has
from mlops.warehouse.port import Capability, Warehouse
from mlops.warehouse.profiles import window_profile
from mlops.warehouse.records import Column


def profiled(rows: pa.Table, *, bins: int = 10) -> Profile:
    """The profile of rows in memory, on the edges and the categories of all flights."""
    delays = flights()["delay"].drop_null().to_numpy()
    profiler = Profiler(
        edges={
            "delay": reference_edges(delays, bins=bins),
            "id": reference_edges(flights()["id"].to_numpy(), bins=bins),
        },
        categories={"carrier": tuple(sorted(filter(None, CARRIERS)))},
    )
    profiler.update(rows)
    return profiler.result()


def assert_equal(found: Profile, expected: Profile) -> None:
    """Counts and extremes are equal, sums to eight digits."""
    assert found.rows == expected.rows
    assert found.categories == expected.categories
    assert found.numeric.keys() == expected.numeric.keys()
    for name, ours in found.numeric.items():
        theirs = expected.numeric[name]
        assert (ours.count, ours.nulls, ours.min, ours.max) == (
            theirs.count,
            theirs.nulls,
            theirs.min,
            theirs.max,
        )
        assert ours.edges == theirs.edges
        assert ours.bin_counts == theirs.bin_counts
        for mine, other in (
            (ours.offset_sum, theirs.offset_sum),
            (ours.offset_squares, theirs.offset_squares),
        ):
            assert mine == (other if other is None else pytest.approx(other, rel=1e-8, abs=1e-8))


class CountConformance(Setting):
    """``profile_rows`` and ``read_query``."""

    @pytest.mark.parametrize("bins", [1, 2, 10, 101])
    def test_a_profile_equals_the_one_in_memory(
        self, warehouse: Warehouse, table: str, bins: int
    ) -> None:
        expected = profiled(flights(), bins=bins)
        found = window_profile(warehouse, f"SELECT * FROM {table}", expected)
        assert_equal(found, expected)

    def test_a_profile_of_finite_values_has_their_sums(
        self, warehouse: Warehouse, table: str
    ) -> None:
        finite = flights(range(8, ROWS))
        expected = profiled(finite)
        found = window_profile(warehouse, f"SELECT * FROM {table} WHERE id >= 8", expected)
        assert found.numeric["delay"].offset_sum is not None
        assert_equal(found, expected)

    def test_a_profile_of_no_rows(self, warehouse: Warehouse, table: str) -> None:
        reference = profiled(flights())
        found = window_profile(warehouse, f"SELECT * FROM {table} WHERE id < 0", reference)
        assert_equal(found, profiled(flights([])))
        part = window_profile(
            warehouse, f"SELECT carrier FROM {table}", reference, columns=["carrier"]
        )
        assert part.categories == reference.categories
        assert part.numeric == {}

    def test_a_profile_of_other_columns_is_refused(self, warehouse: Warehouse, table: str) -> None:
        reference = profiled(flights())
        with pytest.raises(QueryError, match=r"does not return.* delay"):
            window_profile(warehouse, f"SELECT id, carrier FROM {table}", reference)
        swapped = f"SELECT id, carrier AS delay, carrier FROM {table}"
        with pytest.raises(DataRefused, match="delay"):
            window_profile(warehouse, swapped, reference)

    def test_a_query_names_its_tables_and_columns(self, warehouse: Warehouse, table: str) -> None:
        sql = (
            f"WITH early AS (SELECT id, delay AS d FROM {table} WHERE at < NULL) "
            "SELECT id, d FROM early"
        )
        found = warehouse.read_query(sql)
        assert found.outputs == warehouse.describe(sql)
        (read_table,) = found.tables
        assert read_table.table == table
        assert read_table.columns == tuple(Column(*item) for item in TYPES.items())
        assert found.snapshot
        assert found.dialect == warehouse.address.dialect
        used = {(read_table.schema, table, name) for name in ("id", "delay", "at")}
        if has(warehouse, Capability.LINEAGE):
            assert set(found.used) == used
            assert not found.referee
        else:
            assert not found.used
            assert found.referee

    def test_a_query_that_does_not_run_reads_nothing(
        self, warehouse: Warehouse, table: str
    ) -> None:
        with pytest.raises(QueryError, match="nowhere"):
            warehouse.read_query(f"SELECT nowhere FROM {table}")
