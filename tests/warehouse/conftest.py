"""An empty warehouse, and one with the tables that scores are written to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.records import Column, PredictionTable

TABLE = PredictionTable("ml", "delay", "id", (Column("decision", "boolean"),))


def decisions(threshold: float) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The values of the table's own column, from scores."""
    return lambda scores: {"decision": scores >= threshold}


@pytest.fixture
def warehouse(database: str) -> PostgresWarehouse:
    """A warehouse without tables."""
    return PostgresWarehouse(database)


@pytest.fixture
def predictions_url(warehouse: PostgresWarehouse) -> str:
    """The URL of a database with the empty tables of one model's predictions."""
    warehouse.ensure_tables(TABLE, key_type="bigint")
    return warehouse.url
