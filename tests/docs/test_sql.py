"""SQL that a page shows is run by a real Postgres, in a transaction that is rolled back."""

from __future__ import annotations

import psycopg
import pytest

from mlops.store.migrate import upgrade
from mlops.warehouse.postgres.predictions import ensure_tables
from mlops.warehouse.records import Column, PredictionTable
from tests.docs.blocks import Block, blocks

FLIGHTS = PredictionTable("ml", "flight_delay", "flight_id", (Column("decision", "boolean"),))

# What the guide takes to be there before its first command.
BEFORE = """
CREATE ROLE dba;
CREATE ROLE warehouse;
CREATE TABLE public.loans (loan_id bigint, opened_at timestamptz, defaulted boolean);
"""


# What a company has when the package is removed; the migration that is run makes the rest.
LEFT = """
CREATE SCHEMA ml;
CREATE VIEW ml.credit AS SELECT 1 AS loan_id, 'credit/2025-09/v1' AS batch;
"""


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_runs(block: Block, database: str) -> None:
    name = database.rpartition("/")[2]
    if "FROM mlops." in block.text:
        upgrade(database)
        with psycopg.connect(database) as connection:
            connection.execute(LEFT.encode())
    if "ml.flight_delay" in block.text:
        ensure_tables(database, FLIGHTS, key_type="bigint")
    shown = block.text.replace("DATABASE warehouse", f"DATABASE {name}")
    shown = shown.replace("mlops_tasks", "docs_tasks")  # other tests have a role of that name
    with psycopg.connect(database) as connection:
        connection.execute(BEFORE.encode())
        connection.execute(shown.encode())
        connection.rollback()
