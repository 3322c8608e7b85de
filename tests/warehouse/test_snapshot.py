"""A snapshot file: its rows, its digest, and that nothing half-written stays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops.errors import NoRows, QueryError
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.snapshot import write_parquet

SQL = (
    "SELECT n AS id, timestamptz '2013-01-01+00' + n * interval '1 hour' AS at, "
    "CASE WHEN n % 9 > 0 THEN sqrt(n) END AS x, 'c' || n % 5 AS carrier, n % 2 = 0 AS late, "
    "md5(n::text)::uuid AS token FROM generate_series(1, 5000) n ORDER BY id"
)


def test_the_file_holds_the_rows(warehouse: PostgresWarehouse, tmp_path: Path):
    seen: list[int] = []
    path = tmp_path / "rows.parquet"
    file = write_parquet(
        warehouse,
        SQL,
        path,
        on_batch=lambda batch: seen.append(batch.num_rows),
        batch_rows=2_000,
    )
    table = pq.read_table(path)
    assert seen == [2_000, 2_000, 1_000]
    assert file.rows == table.num_rows == 5_000
    assert file.path == path
    assert file.bytes == path.stat().st_size
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.schema == file.schema
    assert table["id"].to_pylist() == list(range(1, 5_001))
    assert table["x"].null_count == 555
    assert list(tmp_path.iterdir()) == [path]


def test_only_text_is_dictionary_encoded(warehouse: PostgresWarehouse, tmp_path: Path):
    file = write_parquet(warehouse, SQL, tmp_path / "rows.parquet", batch_rows=2_000)
    metadata = pq.ParquetFile(file.path).metadata
    assert metadata.num_row_groups == 3
    encoded = {
        name
        for i, name in enumerate(file.schema.names)
        if "RLE_DICTIONARY" in metadata.row_group(0).column(i).encodings
    }
    assert encoded == {"carrier"}
    assert {metadata.row_group(0).column(i).compression for i in range(6)} == {"ZSTD"}


def test_the_same_rows_give_the_same_bytes(warehouse: PostgresWarehouse, tmp_path: Path):
    with psycopg.connect(warehouse.url) as connection:
        connection.execute(f"CREATE TABLE stored AS {SQL}")
    queries = [SQL, SQL, "SELECT * FROM stored ORDER BY id;", f"{SQL} -- in other words"]
    digests = {
        write_parquet(warehouse, sql, tmp_path / f"{i}.parquet", batch_rows=700).sha256
        for i, sql in enumerate(queries)
    }
    assert len(digests) == 1
    other = write_parquet(warehouse, SQL + " DESC", tmp_path / "other.parquet", batch_rows=700)
    assert other.sha256 not in digests


def test_an_earlier_file_is_replaced(warehouse: PostgresWarehouse, tmp_path: Path):
    path = tmp_path / "rows.parquet"
    path.write_text("older")
    write_parquet(warehouse, "SELECT 1 AS a", path)
    assert pq.read_table(path).to_pylist() == [{"a": 1}]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT 1 AS a WHERE false", NoRows),
        ("SELECT 1/(n - 4000) AS a FROM generate_series(1, 5000) n", QueryError),
        ("SELECT 1.5 AS a", QueryError),
        ("SELECT nope", QueryError),
    ],
)
def test_nothing_half_written_stays(
    warehouse: PostgresWarehouse, tmp_path: Path, sql: str, error: type
):
    path = tmp_path / "rows.parquet"
    path.write_text("what stood there before")
    with pytest.raises(error):
        write_parquet(warehouse, sql, path, batch_rows=1_000)
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]
    assert path.read_text() == "what stood there before"


def test_an_error_of_the_listener_leaves_nothing(warehouse: PostgresWarehouse, tmp_path: Path):
    def refuse(batch: pa.RecordBatch) -> None:
        raise ValueError("not these rows")

    with pytest.raises(ValueError, match="not these rows"):
        write_parquet(warehouse, SQL, tmp_path / "rows.parquet", on_batch=refuse)
    assert list(tmp_path.iterdir()) == []
