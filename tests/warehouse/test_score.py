"""Rows through a model and back, each once, or none."""

from __future__ import annotations

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from mlops.core.encode import Feature, FeatureEncoder
from mlops.core.targets.binary.target import BINARY
from mlops.errors import DataRefused, MlopsError, PredictionError, QueryError
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.records import ShardTarget
from mlops.warehouse.score import score_shard
from tests.warehouse.conftest import TABLE, decisions

ROWS = 10_000
SQL = (
    "SELECT n::bigint AS id, timestamptz '2013-01-01+00' + n * interval '1 minute' AS at, "
    "n::float8 AS x, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END AS carrier "
    f"FROM generate_series(1, {ROWS}) n ORDER BY n"
)


@pytest.fixture
def encoder() -> FeatureEncoder:
    rows = pa.table({"x": [0.5], "carrier": ["a"]})
    return FeatureEncoder.fit([Feature("x", "numeric"), Feature("carrier", "categorical")], rows)


def predict(matrix: np.ndarray) -> np.ndarray:
    return matrix[:, 0] / (2 * ROWS)


def score(url, encoder, *, sql=SQL, predict=predict, shard=0):
    target = ShardTarget(table=TABLE, batch="b1", shard=shard, version=4, values=decisions(0.25))
    warehouse = PostgresWarehouse(url)
    with warehouse.stream(sql) as batches:
        return score_shard(
            warehouse,
            batches,
            target,
            time="at",
            encoder=encoder,
            predict=predict,
            require_scores=BINARY.require_scores,
        )


def stored(url) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT id, score, decision FROM ml.delay_predictions ORDER BY id"
        ).fetchall()


def test_every_row_is_scored_once(predictions_url, encoder):
    assert score(predictions_url, encoder) == ROWS
    expected = [(n, n / (2 * ROWS), n >= ROWS / 2) for n in range(1, ROWS + 1)]
    assert stored(predictions_url) == expected
    assert score(predictions_url, encoder) == ROWS
    assert stored(predictions_url) == expected


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, -0.01, 1.01])
def test_a_score_that_is_no_probability_is_named_and_nothing_is_written(
    predictions_url, encoder, wrong
):
    def broken(matrix):
        scores = predict(matrix)
        scores[matrix[:, 0] > 7_776] = wrong
        return scores

    score(predictions_url, encoder, sql=SQL.replace("ORDER BY", "WHERE n < 3 ORDER BY"))
    before = stored(predictions_url)
    with pytest.raises(PredictionError, match="where id is 7777") as caught:
        score(predictions_url, encoder, predict=broken)
    assert "shard 0 of batch b1" in str(caught.value)
    assert "2,224 such scores among 10,000 rows" in str(caught.value)
    assert stored(predictions_url) == before
    assert len(before) == 2


@pytest.mark.parametrize(
    "broken", [lambda m: m, lambda m: m[1:, 0], lambda m: np.column_stack([m[:, 0], m[:, 0]])]
)
def test_not_one_score_for_each_row_is_refused(predictions_url, encoder, broken):
    with pytest.raises(PredictionError, match="one score for each row is needed"):
        score(predictions_url, encoder, predict=broken)
    assert stored(predictions_url) == []


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (SQL.replace("AS x", "AS y"), DataRefused, "x"),
        (SQL.replace("n::float8", "1/(n - 9000)"), QueryError, "division by zero"),
        (SQL.replace("n::bigint", "(n / 2)::bigint"), QueryError, "already exists"),
        (SQL.replace("n::bigint", "nullif(n, 50)::bigint"), DataRefused, "id must have a value"),
        (SQL.replace("n::bigint", "n::text"), QueryError, "cannot hold the values"),
    ],
)
def test_rows_that_cannot_be_scored_leave_nothing(predictions_url, encoder, sql, error, message):
    with pytest.raises(error, match=message) as caught:
        score(predictions_url, encoder, sql=sql)
    assert isinstance(caught.value, MlopsError)
    assert stored(predictions_url) == []


def test_no_rows(predictions_url, encoder):
    score(predictions_url, encoder)
    assert score(predictions_url, encoder, sql=SQL.replace("ORDER BY", "WHERE false ORDER BY")) == 0
    assert stored(predictions_url) == []


def test_shards_are_written_side_by_side(predictions_url, encoder):
    for shard in range(3):
        score(
            predictions_url,
            encoder,
            sql=SQL.replace("ORDER", f"WHERE n % 3 = {shard} ORDER"),
            shard=shard,
        )
    assert [row[0] for row in stored(predictions_url)] == list(range(1, ROWS + 1))
