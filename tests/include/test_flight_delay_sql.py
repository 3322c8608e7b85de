"""The queries of flight_delay on the real flights of 2013: nothing leaks, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from mlops.core.checks import check_contract
from mlops.core.encode import FeatureEncoder
from mlops.core.estimator import build
from mlops.core.summary import Summariser
from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.scores import predict_scores
from mlops.core.targets.binary.target import BINARY
from mlops.spec.load import Include
from mlops.warehouse.postgres.describe import describe
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.stream import stream

SPEC = Include(Path(__file__).parents[2] / "demo" / "include").spec("flight_delay")
DEVELOP = SPEC.content.develop
FEATURES = SPEC.sql[DEVELOP.features_sql]
OUTCOMES = SPEC.sql[DEVELOP.outcomes_sql]
KPI = SPEC.sql[SPEC.content.manage.kpi.sql]
ROWS_OF_2013 = 336_776
NUMBERS = {"integer", "bigint", "double precision", "boolean"}
WEATHER = {"temp_f", "wind_speed_mph", "precip_in", "visib_miles", "humid", "pressure_mb"}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def month(number: int) -> datetime:
    return utc(2013, number, 1)


@pytest.fixture(scope="module")
def half_year(flights_url: str) -> pa.Table:
    """January to June, features and label, read as a snapshot is."""
    window = {"window_start": month(1), "window_end": month(7), "as_of": month(8)}
    query = POSTGRES.joined(
        POSTGRES.render(FEATURES, window),
        POSTGRES.render(OUTCOMES, window),
        key=DEVELOP.key,
        features=(DEVELOP.time, *DEVELOP.features),
        outcomes=(DEVELOP.label,),
    )
    with stream(flights_url, query) as rows:
        return pa.Table.from_batches(list(rows), rows.schema).combine_chunks()


@pytest.fixture(scope="module")
def storm(flights: Any) -> Any:
    """A flight of a stormy evening whose aircraft has come back late from its flight before."""
    (found,) = flights.connection.execute(
        """
        SELECT f.flight_id
        FROM flights AS f
        JOIN flights AS before
            ON before.tailnum = f.tailnum
            AND before.actual_departure > f.scheduled_departure - INTERVAL '12 hours'
            AND before.actual_arrival < f.scheduled_departure - INTERVAL '2 hours'
            AND before.arr_delay > 30
        WHERE f.scheduled_departure >= '2013-07-08 22:30Z' AND f.origin = 'JFK'
        ORDER BY f.scheduled_departure, f.flight_id
        LIMIT 1
        """
    ).fetchone()
    return flights.flight(found, hours_before=1)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(flight_id=st.integers(1, ROWS_OF_2013), minutes=st.integers(1, 1_200))
def test_no_feature_tells_what_came_after_the_cut_off(
    flights: Any, flight_id: int, minutes: int
) -> None:
    flight = flights.flight(flight_id, hours_before=1)
    assert flights.leaks(FEATURES, flight, minutes=minutes) == set()


@pytest.mark.parametrize("minutes", [1, 45, 600])
def test_in_a_storm_neither(flights: Any, storm: Any, minutes: int) -> None:
    assert flights.leaks(FEATURES, storm, minutes=minutes) == set()


# What a query would look like that leaks, and the columns in which it shows.
LEAKS = {
    "the cut-off is an hour late": (
        "scheduled_departure - INTERVAL '1 hour' AS known_at",
        "scheduled_departure AS known_at",
        {"origin_delay_3h", "carrier_delay_3h", "origin_waiting", "temp_f"},
    ),
    "a delay is known at the scheduled departure": (
        "carrier, actual_departure AS at",
        "carrier, scheduled_departure AS at",
        {"origin_delay_3h", "origin_late_share_3h", "carrier_delay_3h"},
    ),
    "the weather is known at the beginning of its hour": (
        "weather.observed_at <= a.known_at - INTERVAL '1 hour'",
        "weather.observed_at <= a.known_at",
        {"temp_f", "wind_speed_mph", "humid", "pressure_mb"},
    ),
    "cancelled flights do not wait": (
        "WHERE actual_departure IS NULL OR actual_departure > scheduled_departure",
        "WHERE actual_departure > scheduled_departure",
        {"origin_waiting"},
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_query_that_leaks_is_caught(flights: Any, storm: Any, leak: str) -> None:
    honest, leaking, columns = LEAKS[leak]
    assert honest in FEATURES
    assert flights.leaks(FEATURES.replace(honest, leaking), storm, minutes=90) >= columns


# Changes of what could be read at the cut-off, and the columns in which they must show.
KNOWN = {
    "departures": (
        "UPDATE flights SET dep_delay = dep_delay + 60 "
        "WHERE actual_departure BETWEEN %(known_at)s - INTERVAL '2 hours' AND %(known_at)s",
        {"origin_delay_3h", "origin_late_share_3h", "carrier_delay_3h"},
    ),
    "overdue flights that had left after all": (
        "UPDATE flights SET actual_departure = scheduled_departure "
        "WHERE scheduled_departure <= %(known_at)s AND actual_departure > %(known_at)s",
        {"origin_waiting", "origin_delay_3h", "origin_late_share_3h", "carrier_delay_3h"},
    ),
    "the aircraft's arrival": (
        "UPDATE flights SET arr_delay = arr_delay + 7 WHERE tailnum = %(tailnum)s "
        "AND actual_arrival BETWEEN %(known_at)s - INTERVAL '24 hours' AND %(known_at)s",
        {"aircraft_delay"},
    ),
    "the weather": (
        "UPDATE weather SET temp_f = 1, wind_speed_mph = 1, precip_in = 1, visib_miles = 1, "
        "humid = 1, pressure_mb = 1 WHERE observed_at + INTERVAL '1 hour' <= %(known_at)s",
        WEATHER,
    ),
    "the fleet": ("UPDATE planes SET year = 1930, seats = 5", {"plane_age", "seats"}),
    "the schedule": (
        "INSERT INTO flights SELECT -1, carrier, flight, NULL, origin, dest, distance, "
        "scheduled_departure, scheduled_arrival FROM flights WHERE flight_id = %(flight_id)s",
        {"flights_same_hour"},
    ),
}


@pytest.mark.parametrize("fact", KNOWN)
def test_what_was_known_counts(flights: Any, storm: Any, fact: str) -> None:
    change, columns = KNOWN[fact]
    assert flights.effect(FEATURES, storm, change) == columns


def test_a_missing_tail_number_reads_like_an_aircraft_in_time(flights: Any, storm: Any) -> None:
    """Only cancelled flights lack it: nothing may single out the flights that do."""
    struck = "UPDATE flights SET tailnum = NULL WHERE flight_id = %(flight_id)s"
    assert flights.effect(FEATURES, storm, struck) == {"aircraft_delay"}
    rows = flights.rows(FEATURES, utc(2013, 7, 8), utc(2013, 7, 9))
    unknown = {
        key
        for (key,) in flights.connection.execute(
            "SELECT flight_id FROM flights WHERE tailnum IS NULL"
        )
    }
    delays = [row["aircraft_delay"] for row in rows if row["flight_id"] in unknown]
    assert len(delays) > 10
    assert set(delays) == {0}


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param((month(7), utc(2013, 7, 16), month(8)), id="half months"),
        pytest.param(
            (
                utc(2013, 3, 8), utc(2013, 3, 10, 6, 37), utc(2013, 3, 10, 7),
                utc(2013, 3, 11, 11, 59), utc(2013, 3, 12),
            ),
            id="within hours, over the start of daylight saving",
        ),
        pytest.param((utc(2013, 11, 3), utc(2013, 11, 3, 13, 30), utc(2013, 11, 5)), id="its end"),
    ],
)  # fmt: skip
def test_a_row_does_not_depend_on_where_the_window_is_cut(
    flights: Any, cuts: tuple[datetime, ...]
) -> None:
    whole = _by_key(flights.rows(FEATURES, cuts[0], cuts[-1]))
    shards = [row for start, end in pairwise(cuts) for row in flights.rows(FEATURES, start, end)]
    assert len(whole) > 1_000
    assert _by_key(shards) == whole


def test_a_row_does_not_depend_on_the_time_zone_of_the_session(flights: Any) -> None:
    window = (utc(2013, 3, 9), utc(2013, 3, 11))
    there = _by_key(flights.rows(FEATURES, *window))
    with flights.undone():
        flights.connection.execute("SET LOCAL TIME ZONE 'Asia/Kathmandu'")
        assert _by_key(flights.rows(FEATURES, *window)) == there


def test_one_row_for_each_flight_of_the_window(flights: Any, half_year: pa.Table) -> None:
    scheduled = flights.connection.execute(
        "SELECT flight_id FROM flights WHERE scheduled_departure >= %s "
        "AND scheduled_departure < %s ORDER BY 1",
        [month(1), month(7)],
    ).fetchall()
    assert sorted(half_year["flight_id"].to_pylist()) == [key for (key,) in scheduled]


def test_the_window_is_half_open(flights: Any, storm: Any) -> None:
    moment, hour = storm.scheduled_departure, timedelta(hours=1)
    assert storm.flight_id in _by_key(flights.rows(FEATURES, moment, moment + hour))
    assert storm.flight_id not in _by_key(flights.rows(FEATURES, moment - hour, moment))


def test_columns_are_those_of_the_spec(flights_url: str) -> None:
    types = _types(flights_url, FEATURES)
    assert list(types) == [DEVELOP.key, DEVELOP.time, *DEVELOP.features]
    assert types[DEVELOP.key] == "bigint"
    assert types[DEVELOP.time] == "timestamp with time zone"
    assert {types[name] for name in DEVELOP.categorical} == {"text"}
    assert {types[name] for name in DEVELOP.numeric} <= NUMBERS
    assert _types(flights_url, OUTCOMES) == {
        DEVELOP.key: "bigint",
        DEVELOP.label: "boolean",
        "known_at": "timestamp with time zone",
    }


@pytest.mark.parametrize("number", range(1, 7))
def test_each_half_month_keeps_the_contract(half_year: pa.Table, number: int) -> None:
    """A month is scored in two halves, and the rows of each are checked."""
    for start, end in pairwise([month(number), utc(2013, number, 16), month(number + 1)]):
        rows = _between(half_year, start, end)
        summariser = Summariser(DEVELOP)
        for batch in rows.to_batches():
            summariser.update(batch)
        checks = check_contract(
            summariser.result(),
            features=DEVELOP.features,
            contract=DEVELOP.contract,
            window_end=end,
            target=BINARY,
        )
        assert [check for check in checks if not check.passed] == []


HAND_MADE = """
CREATE TABLE flights (
    flight_id bigint, scheduled_departure timestamptz, scheduled_arrival timestamptz,
    actual_arrival timestamptz
);
INSERT INTO flights VALUES
    (1, '2013-05-31 20:00Z', '2013-05-31 23:00Z', '2013-05-31 22:40Z'),  -- early
    (2, '2013-05-31 20:00Z', '2013-05-31 23:00Z', '2013-05-31 23:29Z'),  -- 29 minutes late
    (3, '2013-05-31 20:00Z', '2013-05-31 23:00Z', '2013-05-31 23:30Z'),  -- 30 minutes late
    (4, '2013-05-31 20:00Z', '2013-05-31 23:00Z', '2013-06-01 04:00Z'),  -- five hours late
    (5, '2013-05-31 20:00Z', '2013-05-31 23:00Z', NULL),  -- diverted, or cancelled
    (6, '2013-06-01 00:00Z', '2013-06-01 01:00Z', '2013-06-01 01:00Z'),  -- of the next month
    (7, '2013-04-30 23:59Z', '2013-05-01 01:00Z', NULL);  -- of the month before
CREATE SCHEMA ml;
CREATE TABLE ml.flight_delay (
    flight_id bigint, event_time timestamptz, score double precision, decision boolean,
    model_version integer, batch text
);
"""
LATE_FROM = utc(2013, 5, 31, 23, 30)
SECOND = timedelta(seconds=1)


@pytest.fixture
def hand_made(database: str, flights: Any) -> Iterator[Any]:
    """Flights whose outcomes are plain to see."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HAND_MADE)
        yield flights.on(connection)


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        (LATE_FROM - timedelta(hours=1), {}),
        (LATE_FROM - timedelta(minutes=30), {1: False}),
        (LATE_FROM, {1: False, 2: False}),
        (LATE_FROM + SECOND, {1: False, 2: False, 3: True, 4: True, 5: True}),
    ],
)
def test_outcomes_as_they_become_known(
    hand_made: Any, as_of: datetime, known: dict[int, bool]
) -> None:
    found = hand_made.rows(OUTCOMES, month(5), month(6), as_of)
    assert {row["flight_id"]: row["late"] for row in found} == known
    assert all(row["known_at"] < as_of for row in found)


def test_outcomes_agree_with_the_recorded_delays(flights: Any) -> None:
    found = flights.rows(OUTCOMES, month(6), month(7), month(8))
    recorded = flights.connection.execute(
        "SELECT flight_id, coalesce(arr_delay >= 30, true) FROM flights "
        "WHERE scheduled_departure >= %s AND scheduled_departure < %s",
        [month(6), month(7)],
    )
    assert {row["flight_id"]: row["late"] for row in found} == dict(recorded)


def test_when_a_month_ends_its_last_flights_are_still_open(flights: Any) -> None:
    known = _by_key(flights.rows(OUTCOMES, month(6), month(7), month(7)))
    later = _by_key(flights.rows(OUTCOMES, month(6), month(7), month(8)))
    assert 0 < len(later) - len(known) < 300
    assert known.items() <= later.items()


def test_kpi_is_the_share_of_late_flights_that_were_flagged(hand_made: Any) -> None:
    hand_made.connection.execute(
        "INSERT INTO ml.flight_delay (flight_id, score, decision) VALUES "
        "(1, 0.5, true), (2, 0.1, false), (3, 0.8, true), (4, 0.2, false), (6, 0.9, true)"
    )
    (row,) = hand_made.rows(KPI, month(5), month(6), LATE_FROM + SECOND)
    assert row["value"] == pytest.approx(100 / 3)  # of 3, 4 and 5, which was not scored
    assert row["estimate"] == pytest.approx(100 * (0.5 + 0.8) / (0.5 + 0.1 + 0.8 + 0.2))
    assert {type(value) for value in row.values()} == {float}
    (row,) = hand_made.rows(KPI, month(5), month(6), LATE_FROM)
    assert row["value"] is None


def test_auc_of_june_learnt_from_january_to_may(half_year: pa.Table) -> None:
    before = _between(half_year, month(1), month(6))
    after = _between(half_year, month(6), month(7))
    encoder = FeatureEncoder.fit(DEVELOP.features, before)
    model = build(DEVELOP.candidates[0], encoder.features, seed=DEVELOP.seed, target=BINARY)
    with threadpool_limits(limits=1):  # threads that spin cost more than they gain here
        model.fit(encoder.encode_table(before), before["late"].to_numpy())
    found = measure(after["late"].to_numpy(), predict_scores(model, encoder.encode_table(after)))
    # A good deal more would mean that something was known too early.
    assert found["auc"] is not None
    assert 0.79 <= found["auc"] <= 0.83
    assert found["calibration_error"] < 0.04


def _by_key(found: list[Any]) -> dict[int, Any]:
    keyed = {row["flight_id"]: row for row in found}
    assert len(keyed) == len(found), "a key comes twice"
    return keyed


def _between(rows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    time = rows[DEVELOP.time]
    start_at, end_at = (pa.scalar(moment, type=time.type) for moment in (start, end))
    return rows.filter(pc.and_(pc.greater_equal(time, start_at), pc.less(time, end_at)))


def _types(url: str, query: str) -> dict[str, str]:
    window = {"window_start": month(6), "window_end": month(7), "as_of": month(8)}
    return {column.name: column.type for column in describe(url, POSTGRES.render(query, window))}
