"""The flights of 2013 in the warehouse, compared with the source file."""

from __future__ import annotations

import csv
import io
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from demo import flights
from demo.errors import DemoError

CARIBBEAN = {"BQN", "PSE", "SJU", "STT"}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def source() -> list[dict[str, str]]:
    with zipfile.ZipFile(flights.data_folder() / "flights.csv.zip") as archive:
        text = io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8")
        return list(csv.DictReader(text))


def clock(moment: datetime, zone: str) -> int:
    local = moment.astimezone(ZoneInfo(zone))
    return local.hour * 100 + local.minute


def test_every_row_is_there_and_a_second_load_changes_nothing(flights_url: str) -> None:
    before = rows(flights_url, "SELECT max(xmin::text::bigint), count(*) FROM flights")
    assert flights.is_loaded(flights_url)
    assert flights.load(flights_url) == dict(flights.ROWS)
    assert rows(flights_url, "SELECT max(xmin::text::bigint), count(*) FROM flights") == before
    for table, count in flights.ROWS.items():
        assert rows(flights_url, f"SELECT count(*) FROM {table}") == [(count,)]


def test_all_clocks_agree_with_the_source(flights_url: str) -> None:
    """Departure and arrival, scheduled and actual, of each of the 336,776 flights."""
    stored = rows(
        flights_url,
        "SELECT f.flight_id, f.scheduled_departure, f.scheduled_arrival, f.actual_departure,"
        " f.actual_arrival, f.dest, f.tailnum, f.dep_delay, f.air_time, a.tzone"
        " FROM flights f LEFT JOIN airports a ON a.faa = f.dest ORDER BY flight_id",
    )
    lines = source()
    assert len(stored) == len(lines)
    odd = []
    for number, (line, row) in enumerate(zip(lines, stored, strict=True), start=1):
        flight_id, departure, arrival, left, landed, dest, tailnum, delay, air_time, zone = row
        zone = zone or "America/Puerto_Rico"
        there = departure.astimezone(ZoneInfo("America/New_York"))
        assert flight_id == number
        assert (there.month, there.day) == (int(line["month"]), int(line["day"]))
        assert clock(departure, "America/New_York") == int(line["sched_dep_time"])
        assert clock(arrival, zone) == int(line["sched_arr_time"])
        assert 0.8 * 3600 < (arrival - departure).total_seconds() < 12 * 3600
        assert dest == line["dest"]
        assert (tailnum or "NA") == line["tailnum"]
        assert (delay is None) == (line["dep_delay"] == "NA") == (left is None)
        assert (landed is None) == (line["arr_delay"] == "NA") == (air_time is None)
        if left is not None:
            assert clock(left, "America/New_York") == int(line["dep_time"]) % 2400
        if landed is not None:
            assert 0 < (landed - left).total_seconds() / 60 - air_time < 240
            if clock(landed, zone) != int(line["arr_time"]) % 2400:
                odd.append(number)
    # The source writes down 2:03 for a night in which the clocks went from 2:00 to 3:00.
    assert odd == [144_508]


def test_airports_without_an_entry_are_those_we_know(flights_url: str) -> None:
    missing = rows(
        flights_url,
        "SELECT DISTINCT dest FROM flights f WHERE NOT EXISTS"
        " (SELECT FROM airports a WHERE a.faa = f.dest AND a.tzone IS NOT NULL)",
    )
    assert {row[0] for row in missing} == CARIBBEAN


def test_weather_is_keyed_by_airport_and_hour(flights_url: str) -> None:
    assert rows(
        flights_url,
        "SELECT count(*), count(DISTINCT (origin, observed_at)), min(observed_at)::text"
        " FROM weather",
    ) == [(26_115, 26_115, "2013-01-01 06:00:00+00")]
    assert rows(
        flights_url,
        "SELECT temp_f, wind_speed_mph, wind_gust_mph, precip_in, visib_miles, pressure_mb, humid,"
        " dewp FROM weather WHERE origin = 'EWR' AND observed_at = '2013-01-01 06:00Z'",
    ) == [(39.02, 10.357019999999999, None, 0.0, 10.0, 1012.0, 59.37, 26.06)]


def test_every_table_and_column_says_what_it_means(flights_url: str) -> None:
    silent = rows(
        flights_url,
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)",
    )
    assert silent == []


def test_two_loads_at_once_load_once(database: str) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(flights.load, [database, database]))
    assert results == [dict(flights.ROWS)] * 2
    assert rows(database, "SELECT count(*) FROM flights") == [(flights.ROWS["flights"],)]
    assert time.monotonic() - begin < 60


def test_other_rows_are_refused_and_left_alone(flights_copy: str) -> None:
    with psycopg.connect(flights_copy) as connection:
        connection.execute("DELETE FROM weather WHERE origin = 'JFK'")
    with pytest.raises(DemoError, match=r"public.weather .* found 17,409 rows; expected the 26"):
        flights.load(flights_copy)
    with psycopg.connect(flights_copy) as connection:
        connection.execute("DROP TABLE weather")
    with pytest.raises(DemoError, match="found no such table"):
        flights.is_loaded(flights_copy)


def test_a_load_that_breaks_leaves_nothing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "ROWS", {**flights.ROWS, "planes": 1})
    with pytest.raises(DemoError, match="planes"):
        flights.load(database)
    assert rows(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_the_package_is_never_imported(database: str) -> None:
    assert flights.data_folder().is_dir()
    assert flights.PACKAGE not in sys.modules
