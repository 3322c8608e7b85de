"""A warehouse of another engine is added in one file, and no file of the package is touched."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from mlops.cli.check import check
from mlops.connections import open_warehouse
from mlops.errors import CapabilityMissing, ExtensionError
from mlops.flow.intake import intake
from mlops.testing.warehouse import ReadOnlyConformance
from mlops.warehouse.port import Warehouse
from mlops.warehouse.registry import WAREHOUSES, ConnectionDetails
from tests.extend.conftest import Extend
from tests.fixtures.life import PROJECT, Life, elsewhere

DECLARED = {
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module that the page shows; all tests share it."""
    folder = tmp_path_factory.mktemp("acme")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        with Extend(folder).page("warehouse.md") as module:
            yield module


class TestSqlite(ReadOnlyConformance):
    @pytest.fixture
    def warehouse(self, extension: ModuleType, tmp_path: Path) -> Warehouse:
        file = tmp_path / "planes.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = wal")
        details = ConnectionDetails(id="warehouse", type="sqlite", host=str(file))
        return WAREHOUSES.get("sqlite").open(details)

    @pytest.fixture
    def unreachable(self, extension: ModuleType, tmp_path: Path) -> Warehouse:
        missing = str(tmp_path / "missing" / "planes.db")
        details = ConnectionDetails(
            id="warehouse", type="sqlite", host=missing, password="never-shown"
        )
        return WAREHOUSES.get("sqlite").open(details)

    def add_rows(self, warehouse: Warehouse, table: str, rows: pa.Table) -> None:
        columns = ", ".join(f"{field.name} {DECLARED[field.type]}" for field in rows.schema)
        values = zip(*(_stored(column) for column in rows.columns), strict=True)
        with closing(sqlite3.connect(warehouse.address.database)) as connection, connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            marks = ", ".join("?" * rows.num_columns)
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def _stored(column: pa.ChunkedArray) -> list[object]:
    values = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [v and v.isoformat(sep=" ", timespec="microseconds") for v in values]
    return list(values)


def test_a_connection_of_its_type_leads_to_it(
    extension: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLANES", '{"conn_type": "sqlite", "host": "/data/planes.db"}')
    found = open_warehouse("planes")
    assert isinstance(found, extension.SqliteWarehouse)
    assert found.address.database == "/data/planes.db"
    assert WAREHOUSES.names() == ("postgres", "sqlite")


def test_a_type_without_an_implementation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLANES", '{"conn_type": "mysql", "host": "db"}')
    with pytest.raises(ExtensionError, match=r"warehouse 'mysql' is not known.* ones are postgres"):
        open_warehouse("planes")


def test_a_model_that_needs_more_is_refused_before_anything_is_registered(
    extension: ModuleType, lost_store: Life
) -> None:
    details = ConnectionDetails(id="warehouse", type="sqlite", host="/data/planes.db")
    here = elsewhere(lost_store, warehouse=WAREHOUSES.get("sqlite").open(details))
    with pytest.raises(CapabilityMissing, match="expected outcomes, predictions"):
        intake(here.workspace, model=here.model)


def test_files_are_checked_in_its_dialect(
    extension: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    include = tmp_path / "include"
    shutil.copytree(PROJECT / "demo" / "include", include)
    features = include / "sql" / "flight_delay" / "features.sql"
    # A name in brackets is SQLite's; Postgres has no such names.
    features.write_text(features.read_text().replace("FROM flights", "FROM [flights]"))
    assert "[flights]" in features.read_text()
    assert check(include, warehouse="postgres") == 1
    assert "features.sql" in capsys.readouterr().err
    check(include, warehouse="sqlite")
    assert "[flights]" not in capsys.readouterr().err
