"""A verb loads the libraries that it needs, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
HEAVY = {
    *("adbc_driver_manager", "adbc_driver_postgresql", "numpy", "pandas", "psycopg", "pyarrow"),
    *("scipy", "sklearn", "skops", "sqlglot"),
}
BEGIN = """
from datetime import UTC, datetime
from mlops.errors import WarehouseUnreachable
from mlops.warehouse.base import NoWarehouse
from mlops.warehouse.records import PredictionTable
from mlops.warehouse.registry import WAREHOUSES, ConnectionDetails

details = ConnectionDetails(id="w", type="postgres", url="postgresql://ann:word@127.0.0.1:1/shop")
warehouse = WAREHOUSES.get("postgres").open(details)
table, now = PredictionTable("ml", "late", "id"), datetime.now(UTC)
warehouse.address, warehouse.capabilities
"""
PUBLISH = (
    "warehouse.publish_batch(table, batch='b', model_version=1, window_start=now, "
    "window_end=now, rows=0, over_others=True)"
)


@pytest.mark.parametrize(
    ("verb", "needed"),
    [
        ("", set()),
        (PUBLISH, {"psycopg"}),
        ("warehouse.ensure_tables(table, key_type='bigint')", {"psycopg"}),
        ("warehouse.describe('SELECT 1 AS one')", {"psycopg", "sqlglot"}),
        ("warehouse.read_query('SELECT 1 AS one')", {"psycopg", "sqlglot"}),
    ],
)
def test_a_verb_loads_what_it_needs(verb: str, needed: set[str]) -> None:
    call = f"try:\n    {verb}\nexcept WarehouseUnreachable:\n    pass\n" if verb else ""
    names = "{name.partition('.')[0] for name in sys.modules}"
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN}{call}\nimport json, sys\nprint(json.dumps([*{names}]))"],
        env={"PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) & HEAVY == needed
