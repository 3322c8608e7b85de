"""A model's predictions: shards replaced whole, batches shown whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from mlops.errors import (
    DataRefused,
    DuplicateKey,
    QueryError,
    SpecError,
    WarehouseError,
    WarehouseUnreachable,
)
from mlops.warehouse.postgres.predictions import (
    KEY_TYPES,
    ensure_tables,
    publish_batch,
    scores_query,
)
from mlops.warehouse.postgres.shard import replacing_shard
from mlops.warehouse.postgres.stored import view_difference
from mlops.warehouse.records import PredictionTable, ShardTarget
from tests.warehouse.conftest import TABLE, decisions

START = datetime(2013, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SHARD = ShardTarget(table=TABLE, batch="b1", shard=0, version=1, values=decisions(0.5))


def keys(ids, *, at: datetime = START, name: str = "id") -> pa.RecordBatch:
    times = pa.array([at] * len(ids), pa.timestamp("us", "UTC"))
    return pa.record_batch([ids if isinstance(ids, pa.Array) else pa.array(ids), times],
                           names=[name, "at"])  # fmt: skip


def write(url, ids, scores, *, batch="b1", shard=0, version=1) -> int:
    target = replace(SHARD, batch=batch, shard=shard, version=version)
    with replacing_shard(url, target) as writer:
        writer.write(keys(ids), np.asarray(scores, np.float64))
    return writer.rows


def publish(url, *, batch="b1", rows, day=0, version=1, over_others=True, replaces=()):
    return publish_batch(
        url, TABLE, batch=batch, model_version=version, rows=rows,
        window_start=START + day * DAY, window_end=START + (day + 1) * DAY,
        over_others=over_others, replaces=replaces,
    )  # fmt: skip


def read(url, sql) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def shown(url) -> list[tuple]:
    return read(url, "SELECT id, score, batch FROM ml.delay ORDER BY id")


def test_making_the_tables_again_changes_nothing(predictions_url):
    write(predictions_url, [1], [0.1])
    publish(predictions_url, rows=1)
    with psycopg.connect(predictions_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE clerk")
        connection.execute("GRANT USAGE ON SCHEMA ml TO clerk")
        connection.execute("GRANT SELECT ON ml.delay TO clerk")
        ensure_tables(predictions_url, TABLE, key_type="bigint")
        connection.execute("SET ROLE clerk")
        assert connection.execute("SELECT id FROM ml.delay").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT id FROM ml.delay_predictions")
        connection.execute("RESET ROLE")
        connection.execute("DROP OWNED BY clerk")
        connection.execute("DROP ROLE clerk")


def test_making_the_tables_again_waits_for_no_reader(predictions_url):
    with psycopg.connect(predictions_url) as reader, psycopg.connect(predictions_url) as writer:
        reader.execute("SELECT * FROM ml.delay")
        writer.execute("LOCK TABLE ml.delay_predictions IN ROW EXCLUSIVE MODE")
        impatient = f"{predictions_url}?options=-c%20lock_timeout%3D2000"
        ensure_tables(impatient, TABLE, key_type="bigint")


def test_many_at_once_make_the_tables_once(database):
    errors = []

    def make():
        try:
            ensure_tables(database, TABLE, key_type="bigint")
        except WarehouseError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_role_that_owns_the_schema_needs_no_right_on_the_database(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE scorer LOGIN PASSWORD 'scorer'")
        connection.execute("CREATE SCHEMA ml AUTHORIZATION scorer")
        host = f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}"
        try:
            own = f"postgresql://scorer:scorer@{host}"
            ensure_tables(own, TABLE, key_type="bigint")
            with pytest.raises(QueryError, match="permission denied"):
                ensure_tables(own, PredictionTable("other", "m", "id"), key_type="bigint")
        finally:
            connection.execute("DROP OWNED BY scorer")
            connection.execute("DROP ROLE scorer")


def test_what_is_written(predictions_url):
    assert write(predictions_url, [2, 1], [0.9, 0.1], shard=3, version=7) == 2
    columns = "id, event_time, score, decision, model_version, batch, shard"
    assert read(predictions_url, f"SELECT {columns} FROM ml.delay_predictions ORDER BY id") == [
        (1, START, 0.1, False, 7, "b1", 3),
        (2, START, 0.9, True, 7, "b1", 3),
    ]


def test_tables_are_as_those_of_earlier_versions(predictions_url):
    columns = read(
        predictions_url,
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'ml' AND table_name = 'delay_predictions' ORDER BY ordinal_position",
    )
    assert columns == [
        ("id", "bigint", "NO"),
        ("event_time", "timestamp with time zone", "NO"),
        ("score", "double precision", "NO"),
        ("decision", "boolean", "YES"),
        ("model_version", "integer", "NO"),
        ("batch", "text", "NO"),
        ("shard", "integer", "NO"),
    ]
    write(predictions_url, [1, 2], [0.5, 0.4999])
    with psycopg.connect(predictions_url) as connection:
        digest = connection.execute(
            "SELECT sum(hash_record_extended(ROW(id, event_time, score, decision), 0))::text"
            " FROM ml.delay_predictions"
        ).fetchone()
    assert (publish(predictions_url, rows=2).content,) == digest


def test_a_value_for_each_column_is_needed(predictions_url):
    with (
        pytest.raises(KeyError, match="decision"),
        replacing_shard(predictions_url, replace(SHARD, values=lambda scores: {})) as writer,
    ):
        writer.write(keys([1]), np.array([0.5]))
    with (
        pytest.raises(QueryError, match="column decision"),
        replacing_shard(
            predictions_url, replace(SHARD, values=lambda scores: {"decision": scores})
        ) as writer,
    ):
        writer.write(keys([1]), np.array([0.5]))


def test_writing_a_shard_again_replaces_it_and_no_other(predictions_url):
    write(predictions_url, [1, 2, 3], [0.1, 0.2, 0.3], shard=0)
    write(predictions_url, [4], [0.4], shard=1)
    write(predictions_url, [5], [0.5], batch="b2", shard=0)
    write(predictions_url, [1, 9], [0.7, 0.8], shard=0)
    sql = "SELECT id, score, batch, shard FROM ml.delay_predictions ORDER BY id"
    assert read(predictions_url, sql) == [
        (1, 0.7, "b1", 0), (4, 0.4, "b1", 1), (5, 0.5, "b2", 0), (9, 0.8, "b1", 0),
    ]  # fmt: skip


def test_an_error_leaves_what_stood_there(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2])
    with (
        pytest.raises(KeyError),
        replacing_shard(predictions_url, SHARD) as writer,
    ):
        writer.write(keys([7, 8]), np.array([0.7, 0.8]))
        raise KeyError("the model")
    assert read(predictions_url, "SELECT id FROM ml.delay_predictions ORDER BY id") == [(1,), (2,)]


def test_a_key_that_comes_twice_is_named(predictions_url):
    with pytest.raises(QueryError, match=r"Key \(id, batch\)=\(5, b1\) already exists"):
        write(predictions_url, [4, 5, 5], [0.1, 0.2, 0.3])
    write(predictions_url, [5], [0.5], shard=0)
    with pytest.raises(DuplicateKey, match=r"Key \(id, batch\)=\(5, b1\) already exists"):
        write(predictions_url, [5], [0.6], shard=1)
    assert read(predictions_url, "SELECT score FROM ml.delay_predictions") == [(0.5,)]


def test_missing_keys_and_times_are_refused(predictions_url):
    with pytest.raises(DataRefused, match=r"column id must have a value.*1 rows without"):
        write(predictions_url, [1, None], [0.1, 0.2])
    batch = pa.record_batch({"id": [1], "at": pa.array([None], pa.timestamp("us", "UTC"))})
    with (
        pytest.raises(DataRefused, match="column at must have a value"),
        replacing_shard(predictions_url, SHARD) as writer,
    ):
        writer.write(batch, np.array([0.5]))
    assert read(predictions_url, "SELECT count(*) FROM ml.delay_predictions") == [(0,)]


def test_a_batch_shows_when_it_is_published_and_at_once(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2], shard=0)
    write(predictions_url, [3], [0.3], shard=1)
    assert shown(predictions_url) == []
    first = publish(predictions_url, rows=3)
    assert shown(predictions_url) == [(1, 0.1, "b1"), (2, 0.2, "b1"), (3, 0.3, "b1")]
    assert publish(predictions_url, rows=3) == first
    assert read(predictions_url, "SELECT published_at, window_end FROM ml.delay LIMIT 1") == [
        (first.published_at, START + DAY)
    ]


def test_a_batch_that_is_not_complete_is_not_published(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2])
    for rows, version in ((3, 1), (1, 1), (2, 9)):
        with pytest.raises(WarehouseError, match="b1 is not complete"):
            publish(predictions_url, rows=rows, version=version)
    assert shown(predictions_url) == []
    assert read(predictions_url, "SELECT count(*) FROM ml.delay_batches") == [(0,)]


def test_a_batch_without_rows_is_published(predictions_url):
    assert publish(predictions_url, rows=0).rows == 0
    assert shown(predictions_url) == []


def test_the_newest_window_is_shown_whatever_was_published_last(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2], batch="monday")
    write(predictions_url, [1], [0.9], batch="tuesday")
    publish(predictions_url, batch="tuesday", rows=1, day=1)
    publish(predictions_url, batch="monday", rows=2, day=0)
    assert shown(predictions_url) == [(1, 0.9, "tuesday"), (2, 0.2, "monday")]


def test_a_batch_of_an_old_plan_hides_nothing(predictions_url):
    write(predictions_url, [1], [0.7], batch="monday/v7", version=7)
    publish(predictions_url, batch="monday/v7", rows=1, version=7)
    write(predictions_url, [1, 2], [0.6, 0.5], batch="monday/v6", version=6)
    for _ in range(2):
        publish(predictions_url, batch="monday/v6", rows=2, version=6, over_others=False)
        assert shown(predictions_url) == [(1, 0.7, "monday/v7")]


def test_a_batch_is_published_again_over_another_one_of_its_window(predictions_url):
    for batch, version in (("monday/v7", 7), ("monday/v8", 8)):
        write(predictions_url, [1], [version / 10], batch=batch, version=version)
        first = publish(predictions_url, batch=batch, rows=1, version=version)
    write(predictions_url, [1], [0.1], batch="tuesday/v8", version=8)
    publish(predictions_url, batch="tuesday/v8", rows=1, version=8, day=1)
    before = publish(predictions_url, batch="monday/v7", rows=1, version=7, over_others=False)
    assert shown_of(predictions_url, "monday") == "monday/v8"
    again = publish(predictions_url, batch="monday/v7", rows=1, version=7)
    assert shown_of(predictions_url, "monday") == "monday/v7"
    assert before.published_at < first.published_at < again.published_at
    # Nothing of its window hides it any more, so that a second time changes nothing.
    assert publish(predictions_url, batch="monday/v7", rows=1, version=7) == again
    assert shown(predictions_url) == [(1, 0.1, "tuesday/v8")]


def shown_of(url, window: str) -> str:
    """The batch that the view would show if there were no later window."""
    query = "SELECT batch FROM ml.delay_batches WHERE batch LIKE '{}/%' ORDER BY publication DESC"
    return read(url, query.format(window))[0][0]


def test_the_digest_of_a_batch_is_of_what_its_rows_say(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2])
    write(predictions_url, [3], [0.3], shard=1)
    write(predictions_url, [2], [0.2], batch="b2")
    write(predictions_url, [3, 1], [0.3, 0.1], shard=1, batch="b2")
    write(predictions_url, [1, 2, 3], [0.1, 0.20000000000000004, 0.3], batch="b3")
    first, second, third = (
        publish(predictions_url, batch=batch, rows=3).content for batch in ("b1", "b2", "b3")
    )
    assert first == second, "other shards, in another order"
    assert first != third, "one bit of one score"


def test_a_published_batch_stays_as_it_is_while_the_next_generation_is_written(predictions_url):
    write(predictions_url, [1, 2], [0.1, 0.2])
    publish(predictions_url, rows=2)
    with pytest.raises(WarehouseError, match="a batch that was published"):
        write(predictions_url, [1], [0.9], shard=1)
    write(predictions_url, [1], [0.9], batch="b1#2")
    assert shown(predictions_url) == [(1, 0.1, "b1"), (2, 0.2, "b1")]
    publish(predictions_url, batch="b1#2", rows=1, replaces=["b1", "b1#2"])
    assert shown(predictions_url) == [(1, 0.9, "b1#2")]
    assert read(predictions_url, "SELECT batch FROM ml.delay_predictions") == [("b1#2",)]


def test_a_publication_waits_for_the_shards_that_are_being_written(predictions_url):
    write(predictions_url, [1], [0.1])
    done = []

    def show() -> None:
        done.append(publish(predictions_url, rows=2))

    with replacing_shard(predictions_url, replace(SHARD, shard=1)) as writer:
        writer.write(keys([2]), np.array([0.2]))
        other = threading.Thread(target=show)
        other.start()
        other.join(0.5)
        assert not done
    other.join(30)
    assert [batch.rows for batch in done] == [2]


def test_one_key_is_looked_up_through_the_index(predictions_url):
    count = 20_000
    for day in range(3):
        write(predictions_url, list(range(count)), np.linspace(0, 1, count), batch=f"day {day}")
        publish(predictions_url, batch=f"day {day}", rows=count, day=day)
    with psycopg.connect(predictions_url, autocommit=True) as connection:
        connection.execute("ANALYZE ml.delay_predictions")
        connection.execute("ANALYZE ml.delay_batches")
        plan = str(connection.execute("EXPLAIN SELECT * FROM ml.delay WHERE id = 77").fetchall())
        assert "delay_predictions_pkey" in plan
        assert "Seq Scan on delay_predictions" not in plan
        found = connection.execute("SELECT batch FROM ml.delay WHERE id = 77").fetchall()
    assert found == [("day 2",)]


@pytest.mark.parametrize(
    ("key_type", "values"),
    [
        ("smallint", pa.array([1, 2], pa.int16())),
        ("integer", pa.array([1, 2], pa.int32())),
        ("bigint", pa.array([1, 2], pa.int64())),
        ("text", pa.array(["a", "é long one"])),
        ("character varying", pa.array(["a", "b"])),
        ("uuid", pa.array([UUID(int=1).bytes, UUID(int=2).bytes], pa.uuid())),
    ],
)
def test_keys_of_every_type(database, key_type, values):
    assert key_type in KEY_TYPES
    table = replace(TABLE, key="Flight No")
    ensure_tables(database, table, key_type=key_type)
    with replacing_shard(database, replace(SHARD, table=table)) as writer:
        writer.write(keys(values, name="Flight No"), np.array([0.1, 0.2]))
        writer.write(keys(values.slice(0, 0), name="Flight No"), np.array([]))
    found = read(database, 'SELECT "Flight No" FROM ml.delay_predictions ORDER BY score')
    assert [row[0] for row in found] == values.to_pylist()


def test_dates_are_times(predictions_url):
    batch = pa.record_batch({"id": [1], "at": pa.array([START.date()])})
    with replacing_shard(predictions_url, SHARD) as writer:
        writer.write(batch, np.array([0.5]))
    assert read(predictions_url, "SELECT event_time FROM ml.delay_predictions") == [(START,)]
    with (
        pytest.raises(DataRefused, match="column at holds no times"),
        replacing_shard(predictions_url, SHARD) as writer,
    ):
        writer.write(pa.record_batch({"id": [1], "at": [1]}), np.array([0.5]))


def test_names_are_quoted(database):
    table = PredictionTable(schema='out"put', model="Flight delay; DROP", key="select")
    ensure_tables(database, table, key_type="text")
    with replacing_shard(database, replace(SHARD, table=table, batch="it's")) as writer:
        writer.write(keys(["k"], name="select"), np.array([0.5]))
    publish_batch(
        database, table, batch="it's", model_version=1, window_start=START,
        window_end=START + DAY, rows=1, over_others=True,
    )  # fmt: skip
    found = read(database, 'SELECT "select", batch FROM "out""put"."Flight delay; DROP"')
    assert found == [("k", "it's")]
    assert read(database, scores_query(table, "it's")) == [(0.5,)]


def test_keys_that_cannot_be(database):
    with pytest.raises(SpecError, match="cannot be named score"):
        ensure_tables(database, replace(TABLE, key="score"), key_type="bigint")
    with pytest.raises(QueryError, match=r"type that no predictions table.*found numeric"):
        ensure_tables(database, TABLE, key_type="numeric")
    with pytest.raises(SpecError, match="too long"):
        ensure_tables(database, replace(TABLE, model="m" * 50), key_type="bigint")
    ensure_tables(database, TABLE, key_type="bigint")
    with pytest.raises(QueryError, match="made for another key; found id bigint; expected id text"):
        ensure_tables(database, TABLE, key_type="text")
    with pytest.raises(QueryError, match="expected number bigint"):
        ensure_tables(database, replace(TABLE, key="number"), key_type="bigint")


def test_tables_that_are_not_there(database):
    with pytest.raises(QueryError, match=r"shard 0 of batch b1 cannot be written.*does not exist"):
        write(database, [1], [0.5])
    with pytest.raises(QueryError, match=r"b1 cannot be published.*does not exist"):
        publish(database, rows=1)


def test_a_connection_that_breaks_while_writing(predictions_url):
    with (
        pytest.raises(WarehouseUnreachable, match=r"written to .*server closed the connection"),
        replacing_shard(predictions_url, SHARD) as writer,
    ):
        read(
            predictions_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()",
        )
        for _ in range(200):
            writer.write(keys(list(range(10_000))), np.zeros(10_000))
    assert read(predictions_url, "SELECT count(*) FROM ml.delay_predictions") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE OR REPLACE VIEW ml.delay AS SELECT id, event_time, 1::float8 AS score, decision,"
         " model_version, batch, window_start, window_end, published_at FROM ml.delay_predictions"
         " JOIN ml.delay_batches USING (batch, model_version)", "its query is"),
        ("ALTER VIEW ml.delay SET (security_invoker = on)", "its options are"),
        ("DROP VIEW ml.delay; CREATE TABLE ml.delay AS SELECT 1 AS id", "its kind is r"),
        ("DROP VIEW ml.delay", "no view"),
    ],
)  # fmt: skip
def test_a_view_that_was_changed_shows(predictions_url, statement, found):
    assert view_difference(predictions_url, TABLE) == ""
    with psycopg.connect(predictions_url) as connection:
        connection.execute(statement)
    assert view_difference(predictions_url, TABLE).startswith(found)
    views = "SELECT count(*) FROM pg_class WHERE relname LIKE 'mlops_compare%'"
    assert read(predictions_url, views) == [(0,)]
