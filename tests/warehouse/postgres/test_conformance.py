"""Postgres does what every warehouse promises."""

from __future__ import annotations

import psycopg
import pyarrow as pa
import pytest

from mlops.testing.warehouse import WarehouseConformance
from mlops.warehouse.postgres.warehouse import PostgresWarehouse

TYPES = {
    pa.int64(): "bigint",
    pa.float64(): "float8",
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.timestamp("us", "UTC"): "timestamptz",
}


class TestPostgres(WarehouseConformance):
    @pytest.fixture
    def warehouse(self, module_database: str) -> PostgresWarehouse:
        return PostgresWarehouse(module_database)

    @pytest.fixture
    def unreachable(self) -> PostgresWarehouse:
        return PostgresWarehouse("postgresql://ann:never-shown@127.0.0.1:1/shop")

    def add_rows(self, warehouse: PostgresWarehouse, table: str, rows: pa.Table) -> None:
        columns = ", ".join(f"{field.name} {TYPES[field.type]}" for field in rows.schema)
        with psycopg.connect(warehouse.url) as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
                    copy.write_row(row)
