"""An empty warehouse, and one with the tables that scores are written to."""

from __future__ import annotations

import pytest

from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.records import PredictionTable

TABLE = PredictionTable(schema="ml", model="delay", key="id")


@pytest.fixture
def warehouse(database: str) -> PostgresWarehouse:
    """A warehouse without tables."""
    return PostgresWarehouse(database)


@pytest.fixture
def predictions_url(warehouse: PostgresWarehouse) -> str:
    """The URL of a database with the empty tables of one model's predictions."""
    warehouse.ensure_tables(TABLE, key_type="bigint")
    return warehouse.url
