"""SQL that a page shows is run by a real Postgres, in a transaction that is rolled back."""

from __future__ import annotations

import psycopg
import pytest

from tests.docs.blocks import Block, blocks

# What the guide takes to be there before its first command.
BEFORE = """
CREATE ROLE dba;
CREATE ROLE warehouse;
CREATE TABLE public.loans (loan_id bigint, opened_at timestamptz, defaulted boolean);
"""


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_runs(block: Block, database: str) -> None:
    name = database.rpartition("/")[2]
    shown = block.text.replace("DATABASE warehouse", f"DATABASE {name}")
    with psycopg.connect(database) as connection:
        connection.execute(BEFORE.encode())
        connection.execute(shown.encode())
        connection.rollback()
