"""Rows as Arrow batches: types, errors, and an end that leaves nothing running."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from uuid import UUID

import psycopg
import pyarrow as pa
import pytest

from mlops.errors import QueryError, WarehouseError, WarehouseUnreachable
from mlops.warehouse.postgres.describe import describe
from mlops.warehouse.postgres.session import connected, endpoint_of, read_only_transaction
from mlops.warehouse.postgres.stream import stream
from mlops.warehouse.records import Column


@pytest.fixture(scope="module")
def read_url(module_database: str) -> str:
    with psycopg.connect(module_database) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
        connection.execute("CREATE DOMAIN share AS float8 CHECK (value BETWEEN 0 AND 1)")
        connection.execute("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n")
    return module_database


@pytest.fixture(autouse=True)
def _no_reader_stays(read_url):
    yield
    assert not [t.name for t in threading.enumerate() if t.name == "read-ahead"]
    with psycopg.connect(read_url) as connection:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            running = connection.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchall()
            if not running:
                return
            time.sleep(0.05)
    pytest.fail(f"still running: {running}")


def rows(url: str, sql: str, **options) -> list[dict]:
    with stream(url, sql, **options) as batches:
        return pa.Table.from_batches(list(batches), batches.schema).to_pylist()


READABLE = {
    "1::smallint": (pa.int16(), 1, "smallint"),
    "1": (pa.int32(), 1, "integer"),
    "1::bigint": (pa.int64(), 1, "bigint"),
    "1.5::real": (pa.float32(), 1.5, "real"),
    "1.5::float8": (pa.float64(), 1.5, "double precision"),
    "'NaN'::float8 <> 1": (pa.bool_(), True, "boolean"),
    "'\u00e9'": (pa.string(), "\u00e9", "text"),
    "'ab'::varchar(3)": (pa.string(), "ab", "character varying"),
    "'ab'::name": (pa.string(), "ab", "name"),
    "'high'::mood": (pa.string(), "high", "mood"),
    "0.5::share": (pa.float64(), 0.5, "double precision"),
    "date '1999-12-31'": (pa.date32(), date(1999, 12, 31), "date"),
    "timestamptz '2013-01-01 03:00+03'": (
        pa.timestamp("us", "UTC"),
        datetime(2013, 1, 1, tzinfo=UTC),
        "timestamp with time zone",
    ),
    "'6a2f41a3-c54c-fce8-32d2-0324e1c32e22'::uuid": (
        pa.uuid(),
        UUID("6a2f41a3-c54c-fce8-32d2-0324e1c32e22"),
        "uuid",
    ),
}


@pytest.mark.parametrize("expression", READABLE)
def test_what_can_be_read(read_url, expression):
    arrow, value, pg_type = READABLE[expression]
    sql = f"SELECT {expression} AS a UNION ALL SELECT NULL"
    with stream(read_url, sql) as batches:
        table = pa.Table.from_batches(list(batches))
    assert table.schema == pa.schema([pa.field("a", arrow)])
    assert table.schema.field("a").metadata is None
    assert table["a"].to_pylist() == [value, None]
    assert describe(read_url, sql) == (Column("a", pg_type),)


@pytest.mark.parametrize(
    ("expression", "cast"),
    [
        ("1.5", "a::float8 AS a"),
        ("1.5::numeric(5, 2)", "a::float8 AS a"),
        ("'1'::money", "a::numeric::float8 AS a"),
        ("timestamp '2013-01-01'", "a AT TIME ZONE 'UTC' AS a"),
        ("time '10:00'", "extract(epoch FROM a)::float8 AS a"),
        ("interval '1 day'", "extract(epoch FROM a)::float8 AS a"),
        ("'{}'::jsonb", "(a ->> 'name')::float8 AS a"),
        ("'ab'::char(3)", "a::text AS a"),
        ("ARRAY[1, 2]", "a::text AS a"),
        ("inet '10.0.0.1'", "a::text AS a"),
        ("'\\x00'::bytea", "encode(a, 'hex') AS a"),
        ("1::oid", "a::bigint AS a"),
        ("ROW(1, 2)", "a::text AS a"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_cast(read_url, expression, cast):
    sql = f"SELECT 1 AS id, {expression} AS a"
    with (
        pytest.raises(QueryError, match="types that are not read") as caught,
        stream(read_url, sql),
    ):
        pass
    assert caught.value.action.endswith(cast)
    assert len(rows(read_url, f"SELECT id FROM ({sql}) AS q")) == 1


def test_the_casts_that_are_named_can_be_read(read_url):
    sql = (
        "SELECT 1.5::numeric::float8 AS n, '1'::money::numeric::float8 AS m, "
        "timestamp '2013-01-01' AT TIME ZONE 'UTC' AS t, "
        "extract(epoch FROM interval '1 day')::float8 AS i, "
        "('{\"name\": 2}'::jsonb ->> 'name')::float8 AS j, 'ab'::char(3)::text AS c"
    )
    assert rows(read_url, sql) == [
        {
            "n": 1.5, "m": 1.0, "t": datetime(2013, 1, 1, tzinfo=UTC), "i": 86_400.0, "j": 2.0,
            "c": "ab",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("batch_rows", [1, 7, 100, 1_000, 5_000])
def test_batches_have_the_rows_that_were_asked_for(read_url, batch_rows):
    sql = "SELECT n, repeat('x', n % 90) AS t FROM generate_series(1, 1000) n ORDER BY n; -- end"
    with stream(read_url, sql, batch_rows=batch_rows) as batches:
        found = list(batches)
    sizes = [batch.num_rows for batch in found]
    assert sum(sizes) == 1_000
    assert set(sizes[:-1]) <= {batch_rows}
    assert pa.Table.from_batches(found)["n"].to_pylist() == list(range(1, 1_001))


def test_driver_batches_are_cut_anew(read_url):
    """The driver cuts at about 4 MB, so these rows come in several of its batches."""
    sql = "SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 30000) n ORDER BY n"
    with stream(read_url, sql, batch_rows=10_000) as batches:
        found = list(batches)
    assert [batch.num_rows for batch in found] == [10_000] * 3
    assert pa.Table.from_batches(found)["n"].to_pylist() == list(range(1, 30_001))


def test_no_rows(read_url):
    with stream(read_url, "SELECT 1 AS a WHERE false") as batches:
        assert batches.schema.names == ["a"]
        assert sum(batch.num_rows for batch in batches) == 0


def test_columns_of_one_name_stay_two(read_url):
    with stream(read_url, "SELECT 1 AS a, 2 AS a") as batches:
        assert [column.to_pylist() for column in next(iter(batches)).columns] == [[1], [2]]
    assert describe(read_url, "SELECT 1 AS a, 2 AS a") == (Column("a", "integer"),) * 2


def test_describing_does_not_run_the_query(read_url):
    assert describe(read_url, "SELECT pg_sleep(30)::text AS a, 1/0 AS b; -- end") == (
        Column("a", "text"),
        Column("b", "integer"),
    )


def test_describing_names_the_line(read_url):
    with pytest.raises(QueryError, match=r"line 3: nope,.*column \"nope\" does not exist"):
        describe(read_url, "SELECT\n  'é' AS e,\n  nope,\n  1")
    with pytest.raises(QueryError, match=r"line 2: FORM t x;.*syntax error at or near \"t\""):
        describe(read_url, "SELECT 1\nFORM t x")
    with pytest.raises(QueryError, match="returns no columns"):
        describe(read_url, "DELETE FROM t")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nope FROM t", 'column "nope" does not exist at LINE 1: SELECT nope'),
        ("SELECT 1/(id - 5) AS a FROM t", "division by zero"),
        ("SELECT 1/(n - 400000) AS a FROM generate_series(1, 500000) n", "division by zero"),
        ("SELECT 'x'::int AS a", "invalid input syntax"),
        ("DELETE FROM t RETURNING id", "read-only transaction"),
        ("SELECT nextval('s') AS a", "does not exist"),
    ],
)
def test_sql_that_does_not_run(read_url, sql, message):
    with pytest.raises(QueryError, match=message) as caught:
        rows(read_url, sql)
    assert not caught.value.retryable


def test_a_connection_that_breaks_is_worth_a_retry(read_url):
    sql = "SELECT pg_terminate_backend(pg_backend_pid()) AS a, n FROM generate_series(1, 9) n"
    with pytest.raises(WarehouseUnreachable, match="broke") as caught:
        rows(read_url, sql)
    assert caught.value.retryable


@pytest.mark.parametrize("how", [describe, rows])
def test_a_server_that_is_not_there(how):
    with pytest.raises(WarehouseUnreachable, match=r"127\.0\.0\.1:1/shop; found") as caught:
        how("postgresql://ann:topsecret@127.0.0.1:1/shop", "SELECT 1 AS a")
    assert caught.value.retryable
    assert "topsecret" not in str(caught.value)
    assert "connection refused" in str(caught.value).lower()


def test_an_address_that_is_none():
    with pytest.raises(WarehouseError) as caught, connected("shop:topsecret@nowhere"):
        pass
    assert "topsecret" not in str(caught.value)
    assert caught.value.__suppress_context__
    place = endpoint_of("postgresql://ann:topsecret@db.example:6432/shop").place
    assert place == "db.example:6432/shop"


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_leaving_early_cancels_the_query(read_url, taken):
    start = time.monotonic()
    sql = "SELECT a FROM generate_series(1, 10000) a, generate_series(1, 100000) b"
    with stream(read_url, sql, batch_rows=1_000) as batches:
        for _ in range(taken):
            next(iter(batches))
    assert time.monotonic() - start < 10


def test_an_error_of_the_caller_ends_a_query_that_waits(read_url):
    start = time.monotonic()
    with pytest.raises(KeyError), stream(read_url, "SELECT pg_sleep(60)::text AS a"):
        raise KeyError("the caller's own")
    assert time.monotonic() - start < 10


def test_the_session_is_set_for_reading(read_url):
    sql = (
        "SELECT current_setting('jit') AS jit, current_setting('timezone') AS timezone, "
        "current_setting('transaction_read_only') AS read_only, "
        "current_setting('work_mem') AS work_mem"
    )
    expected = {"jit": "off", "timezone": "UTC", "read_only": "on", "work_mem": "64MB"}
    assert rows(read_url, sql) == [expected]
    with read_only_transaction(read_url, what="the settings") as connection:
        assert connection.execute(sql).fetchone() == tuple(expected.values())
    larger = f"{read_url}?options=-c%20work_mem%3D256MB"
    assert rows(larger, sql) == [{**expected, "work_mem": "256MB"}]


def test_days_are_those_of_utc(read_url):
    elsewhere = f"{read_url}?options=-c%20timezone%3DAsia%2FTokyo"
    sql = "SELECT (timestamptz '2013-01-01 22:00+00')::date AS day"
    assert rows(elsewhere, sql) == [{"day": date(2013, 1, 1)}]
