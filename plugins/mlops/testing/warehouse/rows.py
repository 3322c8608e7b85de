"""Tests of reading: types, values, order, windows, errors, and one state of the data."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops.errors import QueryError, WarehouseUnreachable
from mlops.testing.warehouse.setting import HOUR, ROWS, START, TYPES, Setting, flights
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import Column
from mlops.warehouse.snapshot import write_parquet


def read(warehouse: Warehouse, sql: str, *, batch_rows: int = 65_536) -> pa.Table:
    """All rows of a query."""
    with warehouse.stream(sql, batch_rows=batch_rows) as batches:
        return pa.Table.from_batches(list(batches), batches.schema)


class RowConformance(Setting):
    """``describe``, ``stream``, the dialect and the address."""

    def test_columns_have_the_names_of_standard_types(
        self, warehouse: Warehouse, table: str
    ) -> None:
        found = warehouse.describe(f"SELECT id, at, delay, carrier, late FROM {table}")
        assert found == tuple(Column(name, type_) for name, type_ in TYPES.items())

    def test_rows_arrive_as_they_are_and_in_order(self, warehouse: Warehouse, table: str) -> None:
        found = read(warehouse, f"SELECT id, at, delay, carrier, late FROM {table} ORDER BY id")
        assert found.schema == flights().schema
        assert found.schema.metadata is None
        assert found.equals(flights())
        assert found["delay"].null_count == flights()["delay"].null_count

    @pytest.mark.parametrize("batch_rows", [1, 7, ROWS // 2, ROWS + 1])
    def test_batches_have_the_rows_that_were_asked_for(
        self, warehouse: Warehouse, table: str, batch_rows: int
    ) -> None:
        sql = f"SELECT id FROM {table} WHERE id < 600 ORDER BY id; -- the end"
        with warehouse.stream(sql, batch_rows=batch_rows) as batches:
            sizes = [batch.num_rows for batch in batches]
        assert sum(sizes) == 600
        assert set(sizes[:-1]) <= {batch_rows}
        assert 0 < sizes[-1] <= batch_rows

    def test_no_rows_have_a_schema(self, warehouse: Warehouse, table: str) -> None:
        found = read(warehouse, f"SELECT id, at, carrier FROM {table} WHERE id < 0")
        assert found.num_rows == 0
        assert found.schema == flights().select(["id", "at", "carrier"]).schema

    def test_a_window_begins_with_its_start_and_ends_before_its_end(
        self, warehouse: Warehouse, table: str
    ) -> None:
        moments = flights()["at"].to_pylist()
        text = (
            f"SELECT id FROM {table} WHERE at >= :window_start AND at < :window_end "
            "AND carrier <> ':window_start' ORDER BY id"
        )
        sql = warehouse.dialect.render(
            text, {"window_start": moments[10], "window_end": moments[20], "as_of": START}
        )
        found = read(warehouse, sql)["id"].to_pylist()
        assert found == [n for n in range(10, 20) if n % 8 != 7]

    def test_texts_and_names_may_have_any_characters(
        self, warehouse: Warehouse, table: str
    ) -> None:
        dialect = warehouse.dialect
        for carrier in filter(None, set(flights()["carrier"].to_pylist())):
            name = f'the "{carrier[:3]}"'
            found = read(
                warehouse,
                f"SELECT {dialect.quoted(name)} FROM (SELECT carrier AS {dialect.quoted(name)} "
                f"FROM {table} WHERE carrier = {dialect.text_literal(carrier)}) AS named",
            )
            assert found.schema.names == [name]
            assert set(found[name].to_pylist()) == {carrier}
            assert found.num_rows == ROWS // 8

    def test_features_meet_their_outcomes(self, warehouse: Warehouse, table: str) -> None:
        dialect = warehouse.dialect
        joined = dialect.joined(
            f"SELECT id, at, delay FROM {table} WHERE id < 9; -- features",
            f"SELECT id, late FROM {table} WHERE id > 5",
            key="id",
            features=("at", "delay"),
            outcomes=("late",),
        )
        found = read(warehouse, dialect.ordered(joined, ("at", "id")))
        expected = flights([6, 7, 8]).select(["id", "at", "delay", "late"])
        assert found.equals(expected)

    def test_a_snapshot_of_the_same_rows_has_the_same_bytes(
        self, warehouse: Warehouse, table: str, tmp_path: Path
    ) -> None:
        sql = warehouse.dialect.ordered(f"SELECT * FROM {table}", ("at", "id"))
        files = [
            write_parquet(warehouse, sql, tmp_path / f"{n}.parquet", batch_rows=300)
            for n in range(2)
        ]
        assert files[0].sha256 == files[1].sha256
        assert files[0].rows == ROWS
        assert pq.read_table(files[0].path).equals(flights())

    def test_a_column_that_does_not_exist_is_named(self, warehouse: Warehouse, table: str) -> None:
        with pytest.raises(QueryError, match="nowhere") as described:
            warehouse.describe(f"SELECT nowhere FROM {table}")
        with pytest.raises(QueryError, match="nowhere") as streamed:
            read(warehouse, f"SELECT nowhere FROM {table}")
        assert not described.value.retryable
        assert not streamed.value.retryable

    def test_a_query_changes_nothing(self, warehouse: Warehouse, table: str) -> None:
        for sql in (f"DELETE FROM {table} RETURNING id", f"SELECT 1 AS a; DELETE FROM {table}"):
            with pytest.raises(QueryError):
                read(warehouse, sql)
        with pytest.raises(QueryError):
            warehouse.describe(f"SELECT 1 AS a; DELETE FROM {table}")
        assert read(warehouse, f"SELECT id FROM {table}").num_rows == ROWS

    def test_all_rows_are_of_one_state(self, warehouse: Warehouse, table: str) -> None:
        with warehouse.stream(f"SELECT id FROM {table} ORDER BY id", batch_rows=10) as batches:
            seen = next(iter(batches)).num_rows
            self.add_rows(warehouse, table, flights(range(ROWS, 2 * ROWS)))
            seen += sum(batch.num_rows for batch in batches)
        assert seen == ROWS
        assert read(warehouse, f"SELECT id FROM {table}").num_rows == 2 * ROWS

    def test_a_caller_may_leave_early(self, warehouse: Warehouse, table: str) -> None:
        sql = f"SELECT a.id FROM {table} AS a, {table} AS b, {table} AS c"  # a billion rows
        begin = time.monotonic()
        with warehouse.stream(sql, batch_rows=100) as batches:
            next(iter(batches))
        with pytest.raises(KeyError), warehouse.stream(sql):
            raise KeyError("the caller's own")
        assert time.monotonic() - begin < 20
        assert read(warehouse, f"SELECT id FROM {table}").num_rows == ROWS

    def test_a_server_that_does_not_answer_is_worth_a_retry(self, unreachable: Warehouse) -> None:
        with pytest.raises(WarehouseUnreachable) as described:
            unreachable.describe("SELECT 1 AS a")
        with pytest.raises(WarehouseUnreachable) as streamed:
            read(unreachable, "SELECT 1 AS a")
        for error in (described, streamed):
            assert error.value.retryable
            assert "never-shown" not in str(error.value)
        assert "never-shown" not in repr(unreachable)

    def test_its_address_names_tables_and_shows_no_password(
        self, warehouse: Warehouse, unreachable: Warehouse
    ) -> None:
        assert warehouse.address.scheme
        assert warehouse.address.dialect == warehouse.dialect.name
        assert warehouse.address == warehouse.address
        assert "never-shown" not in str(unreachable.address)
        assert warehouse.address != unreachable.address

    def test_the_static_check_reads_its_dialect(self, warehouse: Warehouse, table: str) -> None:
        sql = f"SELECT id, at, delay + 1 AS more FROM {table} WHERE at < :window_end"
        warehouse.dialect.check(sql, ("id", "at", "more"), Path("features.sql"))
        rendered = warehouse.dialect.render(sql, {"window_end": START + HOUR})
        assert [column.name for column in warehouse.describe(rendered)] == ["id", "at", "more"]
