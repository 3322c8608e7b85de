"""Tests of predictions: shards are replaced whole, and batches are shown whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
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
from mlops.testing.warehouse.rows import read
from mlops.testing.warehouse.setting import START, Setting
from mlops.warehouse.port import Capability, Warehouse
from mlops.warehouse.records import Column, PredictionTable, PublishedBatch, ShardTarget

SCHEMA = "ml"
DAY = timedelta(days=1)
VIEW = (
    *("id", "event_time", "score", "flagged", "rank", "total", "half", "grade"),
    *("model_version", "batch"),
    *("window_start", "window_end", "published_at"),
)


# A column of each type that predictions may have.
COLUMNS = (
    Column("flagged", "boolean"),
    Column("rank", "integer"),
    Column("total", "bigint"),
    Column("half", "double precision"),
    Column("grade", "text"),
)


def values(scores: np.ndarray) -> dict[str, np.ndarray]:
    """What a target makes of scores."""
    return {
        "flagged": scores >= 0.5,
        "rank": np.round(scores * 10).astype(np.int32),
        "total": np.round(scores * 10).astype(np.int64) + 2**40,
        "half": scores / 2,
        "grade": np.where(scores >= 0.5, "grün", "r"),
    }


def keys(numbers: Sequence[int | None]) -> pa.RecordBatch:
    """Key and time of some rows."""
    times = pa.array([START] * len(numbers), pa.timestamp("us", "UTC"))
    return pa.record_batch([pa.array(numbers, pa.int64()), times], names=["id", "at"])


def _other_grades(scores: np.ndarray) -> dict[str, np.ndarray]:
    return {**values(scores), "grade": np.full(len(scores), "other")}


def write(warehouse: Warehouse, target: ShardTarget, scores: dict[int, float]) -> None:
    """Write one shard."""
    with warehouse.write_scores(target) as writer:
        writer.write(keys(list(scores)), np.array(list(scores.values()), np.float64))
    assert writer.rows == len(scores)


def publish(
    warehouse: Warehouse,
    target: ShardTarget,
    rows: int,
    *,
    day: int = 0,
    over_others: bool = True,
    replaces: Sequence[str] = (),
) -> PublishedBatch:
    """Publish a target's batch for one day."""
    return warehouse.publish_batch(
        target.table,
        batch=target.batch,
        model_version=target.version,
        window_start=START + day * DAY,
        window_end=START + (day + 1) * DAY,
        rows=rows,
        over_others=over_others,
        replaces=replaces,
    )


def shown(warehouse: Warehouse, target: ShardTarget) -> list[tuple[Any, ...]]:
    """What applications read: key, score and batch."""
    quoted = warehouse.dialect.quoted
    view = f"{quoted(target.table.schema)}.{quoted(target.table.model)}"
    found = read(warehouse, f"SELECT id, score, batch FROM {view} ORDER BY id")
    return [tuple(row.values()) for row in found.to_pylist()]


class PredictionConformance(Setting):
    """``ensure_tables``, ``write_scores``, ``publish_batch`` and ``scores_query``."""

    @pytest.fixture
    def target(self, warehouse: Warehouse, name: str) -> ShardTarget:
        """The first shard of a batch, in tables that exist."""
        found = ShardTarget(
            table=PredictionTable(schema=SCHEMA, model=name, key="id", columns=COLUMNS),
            batch=f"{name}/2026-01-01/v7",
            shard=0,
            version=7,
            values=values,
        )
        warehouse.ensure_tables(found.table, key_type="bigint")
        return found

    def test_it_declares_that_it_holds_predictions(self, warehouse: Warehouse) -> None:
        assert Capability.PREDICTIONS in warehouse.capabilities

    def test_tables_are_made_once_for_each_type_of_key(
        self, warehouse: Warehouse, name: str
    ) -> None:
        assert "bigint" in warehouse.key_types
        for key_type in warehouse.key_types:
            table = PredictionTable(schema=SCHEMA, model=f"{name}_{key_type[:4]}", key="id")
            for _ in range(2):
                warehouse.ensure_tables(table, key_type=key_type)

    def test_a_batch_is_shown_when_it_is_published(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.1, 2: 0.5})
        write(warehouse, replace(target, shard=1), {3: 1.0})
        assert shown(warehouse, target) == []
        first = publish(warehouse, target, 3)
        batch = target.batch
        assert shown(warehouse, target) == [(1, 0.1, batch), (2, 0.5, batch), (3, 1.0, batch)]
        assert (first.batch, first.rows) == (batch, 3)
        assert publish(warehouse, target, 3) == first

    def test_the_view_has_what_applications_need(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.1, 2: 0.5})
        published = publish(warehouse, target, 2)
        quoted = warehouse.dialect.quoted
        view = f"{quoted(SCHEMA)}.{quoted(target.table.model)}"
        first, second = read(
            warehouse, f"SELECT {', '.join(VIEW)} FROM {view} ORDER BY id"
        ).to_pylist()
        own = [column.name for column in COLUMNS]
        assert [first[name] for name in own] == [False, 1, 2**40 + 1, 0.05, "r"]
        assert [second[name] for name in own] == [True, 5, 2**40 + 5, 0.25, "grün"]
        assert first["event_time"] == first["window_start"] == START
        assert first["window_end"] == START + DAY
        assert first["model_version"] == 7
        assert first["published_at"] == published.published_at

    def test_a_shard_is_replaced_whole(self, warehouse: Warehouse, target: ShardTarget) -> None:
        write(warehouse, target, {1: 0.1, 2: 0.2})
        write(warehouse, replace(target, shard=1), {3: 0.3})
        write(warehouse, target, {2: 0.9})
        publish(warehouse, target, 2)
        assert [row[:2] for row in shown(warehouse, target)] == [(2, 0.9), (3, 0.3)]

    def test_a_published_batch_is_never_written_again(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.1})
        publish(warehouse, target, 1)
        for shard in (0, 1):
            with pytest.raises(WarehouseError, match="published"):
                write(warehouse, replace(target, shard=shard), {1: 0.2})
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.1)]

    def test_a_later_generation_takes_the_place_of_the_one_before(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        later = replace(target, batch=f"{target.batch}#2")
        write(warehouse, target, {1: 0.1, 2: 0.2})
        publish(warehouse, target, 2)
        write(warehouse, later, {2: 0.3})
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.1), (2, 0.2)]
        for _ in range(2):
            publish(warehouse, later, 1, replaces=[target.batch])
            assert shown(warehouse, target) == [(2, 0.3, later.batch)]
        (stored,) = warehouse.stored_batches(target.table)
        assert (stored.batch, stored.rows, stored.shown) == (later.batch, 1, True)

    def test_what_is_stored_of_batches_is_reported(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        rival = replace(target, batch=f"{target.batch}/v8", version=8)
        write(warehouse, target, {1: 0.1, 2: 0.2})
        (aside,) = warehouse.stored_batches(target.table)
        assert (aside.batch, aside.rows) == (target.batch, 2)
        assert not (aside.published or aside.shown)
        published = publish(warehouse, target, 2)
        write(warehouse, rival, {3: 0.3})
        publish(warehouse, rival, 1)
        first, second = warehouse.stored_batches(target.table)
        assert (first.batch, first.content) == (target.batch, published.content)
        assert first.published and not first.shown
        assert (second.batch, second.published, second.shown) == (rival.batch, True, True)
        assert warehouse.stored_batches(target.table, batches=[rival.batch]) == (second,)
        assert warehouse.stored_batches(target.table, batches=["another"]) == ()

    def test_an_error_leaves_the_rows_that_were_there(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.1})
        with pytest.raises(KeyError), warehouse.write_scores(target) as writer:
            writer.write(keys([8, 9]), np.array([0.8, 0.9]))
            raise KeyError("the model")
        with pytest.raises(DataRefused, match="id"), warehouse.write_scores(target) as writer:
            writer.write(keys([8, None]), np.array([0.8, 0.9]))
        publish(warehouse, target, 1)
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.1)]

    def test_a_key_belongs_to_one_shard(self, warehouse: Warehouse, target: ShardTarget) -> None:
        write(warehouse, target, {1: 0.1, 2: 0.2})
        other = replace(target, shard=1)
        with pytest.raises(DuplicateKey):
            write(warehouse, other, {2: 0.9, 3: 0.3})
        publish(warehouse, target, 2)
        assert [row[1] for row in shown(warehouse, target)] == [0.1, 0.2]

    def test_only_a_complete_batch_is_published(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.1, 2: 0.2})
        for wrong, rows in ((target, 3), (target, 1), (replace(target, version=8), 2)):
            with pytest.raises(WarehouseError, match="not complete"):
                publish(warehouse, wrong, rows)
        assert shown(warehouse, target) == []

    def test_the_digest_of_a_batch_is_of_its_rows_alone(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        other = replace(target, shard=1)
        found = []
        for left, right in (
            ({1: 0.1, 2: 0.2}, {3: 0.3}),
            ({2: 0.2}, {3: 0.3, 1: 0.1}),
            ({2: 0.20000000000000004}, {3: 0.3, 1: 0.1}),
        ):
            for one in (target, other):
                write(warehouse, one, {})
            write(warehouse, target, left)
            write(warehouse, other, right)
            found += [batch.content for batch in warehouse.stored_batches(target.table)]
        assert found[0] == found[1], "other shards, in another order"
        assert found[0] != found[2], "one bit of one score"
        write(warehouse, replace(target, values=_other_grades), {2: 0.20000000000000004})
        (last,) = warehouse.stored_batches(target.table)
        assert last.content != found[2], "another value of one column"
        assert publish(warehouse, target, 3).content == last.content

    def test_the_latest_window_and_the_last_choice_are_shown(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        later = replace(target, batch=f"{target.batch}/later")
        rival = replace(target, batch=f"{target.batch}/v8", version=8)
        write(warehouse, later, {1: 0.9})
        write(warehouse, target, {1: 0.1, 2: 0.2})
        write(warehouse, rival, {2: 0.8})
        publish(warehouse, later, 1, day=1)
        publish(warehouse, target, 2)
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.9), (2, 0.2)]
        publish(warehouse, rival, 1, over_others=False)
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.9), (2, 0.2)]
        publish(warehouse, rival, 1)
        assert [row[:2] for row in shown(warehouse, target)] == [(1, 0.9), (2, 0.8)]

    def test_the_scores_of_a_batch_can_be_queried(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        write(warehouse, target, {1: 0.25, 2: 0.75})
        write(warehouse, replace(target, batch="it's another \\ one"), {1: 0.5})
        found = read(warehouse, warehouse.scores_query(target.table, target.batch))
        assert sorted(found["score"].to_pylist()) == [0.25, 0.75]
        other = read(warehouse, warehouse.scores_query(target.table, "it's another \\ one"))
        assert other["score"].to_pylist() == [0.5]

    def test_the_view_is_as_it_was_made(self, warehouse: Warehouse, target: ShardTarget) -> None:
        for _ in range(2):
            assert warehouse.view_difference(target.table) == ""
        nowhere = replace(target.table, model=f"{target.table.model}_no")
        assert warehouse.view_difference(nowhere) == "no view"

    def test_tables_of_another_key_are_refused(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        with pytest.raises(QueryError, match="another key"):
            warehouse.ensure_tables(replace(target.table, key="number"), key_type="bigint")
        with pytest.raises(QueryError, match="type"):
            warehouse.ensure_tables(target.table, key_type="interval")
        with pytest.raises(SpecError, match="score"):
            warehouse.ensure_tables(replace(target.table, key="score"), key_type="bigint")
        with pytest.raises(SpecError, match="grade"):
            warehouse.ensure_tables(replace(target.table, key="grade"), key_type="text")

    def test_columns_that_a_table_cannot_have_are_refused(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        for column in (Column("batch", "text"), Column("share", "text; DROP"), COLUMNS[0]):
            table = replace(target.table, columns=(*COLUMNS, column))
            with pytest.raises(SpecError, match=column.name):
                warehouse.ensure_tables(table, key_type="bigint")

    def test_a_table_without_columns_of_its_own_has_scores(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        table = replace(target.table, model=f"{target.table.model}_alone", columns=())
        alone = ShardTarget(table, target.batch, shard=0, version=7)
        warehouse.ensure_tables(table, key_type="bigint")
        write(warehouse, alone, {1: 0.25})
        publish(warehouse, alone, 1)
        assert [row[:2] for row in shown(warehouse, alone)] == [(1, 0.25)]

    def test_tables_that_do_not_exist_are_named(
        self, warehouse: Warehouse, target: ShardTarget
    ) -> None:
        nowhere = replace(target, table=replace(target.table, model=f"{target.table.model}_no"))
        with pytest.raises(QueryError, match=target.batch):
            write(warehouse, nowhere, {1: 0.1})
        with pytest.raises(QueryError, match=target.batch):
            publish(warehouse, nowhere, 1)

    def test_a_server_that_does_not_answer_takes_nothing(
        self, unreachable: Warehouse, target: ShardTarget
    ) -> None:
        for verb in (
            lambda: unreachable.ensure_tables(target.table, key_type="bigint"),
            lambda: write(unreachable, target, {1: 0.1}),
            lambda: publish(unreachable, target, 1),
            lambda: unreachable.stored_batches(target.table),
            lambda: unreachable.view_difference(target.table),
        ):
            with pytest.raises(WarehouseUnreachable):
                verb()
