"""A database with the tables that scores are written to."""

from __future__ import annotations

import pytest

NAMES = {"schema": "ml", "model": "delay"}


@pytest.fixture
def predictions_url(database: str) -> str:
    """The URL of a database with the empty tables of one model's predictions."""
    from mlops.warehouse.postgres.predictions import ensure_tables

    ensure_tables(database, **NAMES, key="id", key_type="bigint")
    return database
