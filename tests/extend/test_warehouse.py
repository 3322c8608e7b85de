"""A warehouse of another engine is added in one file, and no file of the package is touched."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from mlops.cli.check import check
from mlops.connections import open_warehouse
from mlops.errors import CapabilityMissing, ExtensionError
from mlops.flow.intake import intake
from mlops.registry import extensions_for
from mlops.testing.warehouse import ReadOnlyConformance
from mlops.warehouse.port import Warehouse
from mlops.warehouse.registry import WAREHOUSES, ConnectionDetails
from tests.fixtures.life import Life, elsewhere

PROJECT = Path(__file__).parents[2]
EXTENSION = Path(__file__).with_name("acme_sqlite.py")
PAGE = PROJECT / "docs" / "extend" / "warehouse.md"
DECLARED = {
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}


@pytest.fixture(scope="module", autouse=True)
def _no_file_of_the_package_is_touched() -> Iterator[None]:
    """Neither is a file of it changed, nor does one know the extension."""
    before = _package_files()
    assert [
        name for name, text in before.items() if b"acme_sqlite" in text or b"import sqlite3" in text
    ] == []
    yield
    assert _package_files() == before


def _package_files() -> dict[str, bytes]:
    package = PROJECT / "plugins" / "mlops"
    return {
        str(file.relative_to(package)): file.read_bytes()
        for file in package.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The extension's module, copied to a folder that has nothing else in it."""
    folder = tmp_path / "acme"
    folder.mkdir()
    shutil.copy(EXTENSION, folder)
    monkeypatch.syspath_prepend(folder)
    with extensions_for(EXTENSION.stem):
        yield EXTENSION.stem


class TestSqlite(ReadOnlyConformance):
    @pytest.fixture
    def warehouse(self, extension: str, tmp_path: Path) -> Warehouse:
        file = tmp_path / "planes.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = wal")
        details = ConnectionDetails(id="warehouse", type="sqlite", host=str(file))
        return WAREHOUSES.get("sqlite").open(details)

    @pytest.fixture
    def unreachable(self, extension: str, tmp_path: Path) -> Warehouse:
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
    extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLANES", '{"conn_type": "sqlite", "host": "/data/planes.db"}')
    found = open_warehouse("planes")
    assert type(found).__module__ == extension
    assert found.address.database == "/data/planes.db"
    assert WAREHOUSES.names() == ("postgres", "sqlite")


def test_without_the_extension_the_type_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLANES", '{"conn_type": "sqlite", "host": "/data/planes.db"}')
    with extensions_for(), pytest.raises(ExtensionError, match="warehouse 'sqlite' is not known"):
        open_warehouse("planes")


def test_a_model_that_needs_more_is_refused_before_anything_is_registered(
    extension: str, lost_store: Life
) -> None:
    details = ConnectionDetails(id="warehouse", type="sqlite", host="/data/planes.db")
    here = elsewhere(lost_store, warehouse=WAREHOUSES.get("sqlite").open(details))
    with pytest.raises(CapabilityMissing, match="expected outcomes, predictions"):
        intake(here.workspace, model=here.model)


def test_files_are_checked_in_its_dialect(
    extension: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


def test_the_page_names_all_that_the_extension_uses() -> None:
    lines = EXTENSION.read_text().splitlines()
    used = {line.split()[1] for line in lines if line.startswith("from mlops")}
    page = PAGE.read_text()
    assert len(used) > 3
    assert [module for module in sorted(used) if f"`{module}`" not in page] == []


def test_the_page_shows_the_extension_as_it_is() -> None:
    source = EXTENSION.read_text()
    blocks = [part.split("```")[0] for part in PAGE.read_text().split("```python\n")[1:]]
    assert len(blocks) == 3
    for block in blocks:
        place, _, code = block.partition("\n")
        assert place == "# tests/extend/acme_sqlite.py"
        assert code in source
