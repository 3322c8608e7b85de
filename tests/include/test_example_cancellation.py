"""The second model of the walk-through: accepted as it stands, honest, and of some use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from mlops.core.encode import FeatureEncoder
from mlops.core.estimator import build
from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.scores import predict_scores
from mlops.core.targets.binary.target import BINARY
from mlops.spec.load import Include, tier_of
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.stream import stream

ROOT = Path(__file__).parents[2]
EXAMPLE = Include(ROOT / "docs" / "example")
SPEC = EXAMPLE.spec("cancellation")
DEVELOP = SPEC.content.develop
FEATURES = SPEC.sql[DEVELOP.features_sql]
OUTCOMES = SPEC.sql[DEVELOP.outcomes_sql]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_the_spec_is_accepted_and_asks_for_fewer_signatures() -> None:
    policy = Include(ROOT / "demo" / "include").policy(SPEC.content.deploy.policy)
    assert tier_of(SPEC.content, policy).name == "low"
    columns = {
        "features.sql": (DEVELOP.key, DEVELOP.time, *DEVELOP.features),
        "outcomes.sql": (DEVELOP.key, DEVELOP.label),
    }
    for name, needed in columns.items():
        POSTGRES.check(SPEC.sql[name], needed, Path(name))


def test_the_walk_through_needs_one_yaml_and_two_sql_files() -> None:
    files = [file for file in EXAMPLE.root.rglob("*") if file.is_file()]
    assert sorted(file.suffix for file in files) == [".sql", ".sql", ".yml"]
    found = {file.suffix for file in files}
    assert found <= {".yml", ".sql", ".md"}


@settings(derandomize=True, max_examples=20, deadline=None)
@given(flight_id=st.integers(1, 336_776), minutes=st.integers(1, 1_200))
def test_no_feature_tells_what_came_after_the_cut_off(
    flights: Any, flight_id: int, minutes: int
) -> None:
    flight = flights.flight(flight_id, hours_before=3)
    assert flights.leaks(FEATURES, flight, minutes=minutes) == set()


def test_asked_an_hour_too_late_the_query_is_caught(flights: Any) -> None:
    late = FEATURES.replace("INTERVAL '3 hours' AS known_at", "INTERVAL '2 hours' AS known_at")
    assert late != FEATURES
    (storm,) = flights.connection.execute(
        "SELECT min(flight_id) FROM flights WHERE scheduled_departure = '2013-07-08 23:00Z'"
    ).fetchone()
    leaks = flights.leaks(late, flights.flight(storm, hours_before=3), minutes=90)
    assert {"airport_not_left", "visib_miles"} <= leaks


def test_a_row_does_not_depend_on_where_the_window_is_cut(flights: Any) -> None:
    cuts = [utc(2013, 3, 8), utc(2013, 3, 10, 6, 37), utc(2013, 3, 12)]
    shards = [row for start, end in pairwise(cuts) for row in flights.rows(FEATURES, start, end)]
    whole = flights.rows(FEATURES, cuts[0], cuts[-1])
    key = DEVELOP.key
    assert len(shards) == len(whole) > 1_000
    assert {row[key]: row for row in shards} == {row[key]: row for row in whole}


HAND_MADE = """
CREATE TABLE flights (
    flight_id bigint, scheduled_departure timestamptz, actual_departure timestamptz
);
INSERT INTO flights VALUES
    (1, '2013-05-30 20:00Z', '2013-05-30 20:05Z'),
    (2, '2013-05-30 20:00Z', '2013-05-31 19:59Z'),
    (3, '2013-05-30 20:00Z', '2013-05-31 20:00Z'),  -- a day late is cancelled
    (4, '2013-05-30 20:00Z', NULL);
"""


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        (utc(2013, 5, 30, 20, 6), {1: False}),
        (utc(2013, 5, 31, 20), {1: False, 2: False}),
        (utc(2013, 5, 31, 20, 1), {1: False, 2: False, 3: True, 4: True}),
    ],
)
def test_outcomes_as_they_become_known(
    flights: Any, database: str, as_of: datetime, known: dict[int, bool]
) -> None:
    window = (utc(2013, 5, 1), utc(2013, 6, 1), as_of)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HAND_MADE)
        hand_made = flights.on(connection)
        found = hand_made.rows(OUTCOMES, *window)
        assert {row["flight_id"]: row["cancelled"] for row in found} == known


def test_auc_of_june_learnt_from_january_to_may(flights_url: str) -> None:
    before = _rows(flights_url, utc(2013, 1, 1), utc(2013, 6, 1))
    after = _rows(flights_url, utc(2013, 6, 1), utc(2013, 7, 1))
    encoder = FeatureEncoder.fit(DEVELOP.features, before)
    model = build(DEVELOP.candidates[0], encoder.features, seed=DEVELOP.seed, target=BINARY)
    with threadpool_limits(limits=1):  # threads that spin cost more than they gain here
        model.fit(encoder.encode_table(before), before[DEVELOP.label].to_numpy())
    scores = predict_scores(model, encoder.encode_table(after))
    found = measure(after[DEVELOP.label].to_numpy(), scores)
    assert found["auc"] is not None
    assert 0.80 <= found["auc"] <= 0.86
    assert found["calibration_error"] < 0.02


def _rows(url: str, start: datetime, end: datetime) -> pa.Table:
    window = {"window_start": start, "window_end": end, "as_of": end + timedelta(days=30)}
    query = POSTGRES.joined(
        POSTGRES.render(FEATURES, window),
        POSTGRES.render(OUTCOMES, window),
        key=DEVELOP.key,
        features=(DEVELOP.time, *DEVELOP.features),
        outcomes=(DEVELOP.label,),
    )
    with stream(url, query) as rows:
        return pa.Table.from_batches(list(rows), rows.schema)
