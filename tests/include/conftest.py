"""The flights of 2013 as the queries of a model see them, and a future that went otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from mlops.warehouse.postgres.dialect import POSTGRES

Row = Mapping[str, Any]

# The look back of every query here is far shorter.
HISTORY = timedelta(days=30)

# Whatever could not be read at the cut-off is changed, and stays something that could not be
# read at the cut-off: flights of even number leave and arrive later, the others never do.
ANOTHER_FUTURE = """
CREATE TEMPORARY TABLE flights ON COMMIT DROP AS
    SELECT * FROM public.flights
    WHERE scheduled_departure BETWEEN {oldest} AND {newest};
CREATE TEMPORARY TABLE weather ON COMMIT DROP AS
    SELECT * FROM public.weather WHERE observed_at BETWEEN {oldest} AND {newest};

UPDATE flights SET
    tailnum = CASE WHEN flight_id % 3 = 0 THEN {tailnum} END
WHERE flight_id <> {flight_id} AND (actual_departure IS NULL OR actual_departure > {known_at});

UPDATE flights SET
    actual_departure =
        CASE WHEN flight_id % 2 = 0 THEN greatest({known_at}, scheduled_departure) + {later} END,
    dep_delay = CASE WHEN flight_id % 2 = 0 THEN {minutes} END
WHERE actual_departure IS NULL OR actual_departure > {known_at};

UPDATE flights SET
    actual_arrival =
        CASE WHEN flight_id % 2 = 0 THEN greatest({known_at}, scheduled_arrival) + {later} END,
    arr_delay = CASE WHEN flight_id % 2 = 0 THEN {minutes} END,
    air_time = NULL
WHERE actual_arrival IS NULL OR actual_arrival > {known_at};

DELETE FROM weather
WHERE observed_at + INTERVAL '1 hour' > {known_at}
  AND CAST(extract(hour FROM observed_at) AS int) % 3 = 0;
UPDATE weather SET
    temp_f = -30, dewp = -40, humid = 1, wind_speed_mph = 140, wind_gust_mph = 149, precip_in = 9,
    pressure_mb = 901, visib_miles = 0
WHERE observed_at + INTERVAL '1 hour' > {known_at};

ANALYZE flights, weather;
"""

SAME_TABLES = """
CREATE TEMPORARY TABLE flights ON COMMIT DROP AS TABLE public.flights;
CREATE TEMPORARY TABLE weather ON COMMIT DROP AS TABLE public.weather;
CREATE TEMPORARY TABLE planes ON COMMIT DROP AS TABLE public.planes;
CREATE INDEX ON flights (scheduled_departure);
CREATE INDEX ON weather (origin, observed_at);
"""


@dataclass(frozen=True)
class Flight:
    """A flight of the table, and when a model is asked about it."""

    flight_id: int
    scheduled_departure: datetime
    known_at: datetime
    tailnum: str | None


@dataclass(frozen=True)
class Flights:
    """A connection to the flights, and questions about a features query."""

    connection: psycopg.Connection[Any]

    def on(self, connection: psycopg.Connection[Any]) -> Flights:
        """The same questions to another database."""
        return replace(self, connection=connection)

    def rows(
        self, query: str, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> list[Row]:
        """The rows that a query of a model gives for a window."""
        times = {"window_start": start, "window_end": end, "as_of": as_of or end}
        cursor = self.connection.execute(POSTGRES.render(query, times).encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def flight(self, flight_id: int, *, hours_before: int) -> Flight:
        """One flight of the table."""
        found = self.connection.execute(
            "SELECT scheduled_departure, tailnum FROM public.flights WHERE flight_id = %s",
            [flight_id],
        ).fetchone()
        assert found is not None
        return Flight(
            flight_id=flight_id,
            scheduled_departure=found[0],
            known_at=found[0] - timedelta(hours=hours_before),
            tailnum=found[1],
        )

    def row(self, query: str, flight: Flight) -> Row:
        """The one row that a features query gives for a flight."""
        start = flight.scheduled_departure
        found = self.rows(query, start, start + timedelta(seconds=1))
        (row,) = [row for row in found if row["flight_id"] == flight.flight_id]
        return row

    def leaks(self, query: str, flight: Flight, *, minutes: int) -> set[str]:
        """The columns of a flight's row that tell something of what came after the cut-off.

        :param minutes: by how much flights are late in the other future.
        """
        before = self.row(query, flight)
        names = {
            "oldest": flight.scheduled_departure - HISTORY,
            "newest": flight.scheduled_departure + timedelta(days=2),
            "later": timedelta(minutes=minutes),
            "minutes": minutes,
            **vars(flight),
        }
        script = sql.SQL(ANOTHER_FUTURE).format(
            **{name: sql.Literal(value) for name, value in names.items()}
        )
        with self.undone():
            self.connection.execute(script)
            return changed(before, self.row(query, flight))

    def effect(self, query: str, flight: Flight, change: str) -> set[str]:
        """The columns of a flight's row that a change of the tables changes."""
        before = self.row(query, flight)
        with self.undone():
            self.connection.execute(SAME_TABLES)
            parameters = {key: value for key, value in vars(flight).items() if key in change}
            done = self.connection.execute(change.encode(), parameters)
            assert done.rowcount, "the change found no row"
            self.connection.execute("ANALYZE flights, weather, planes")
            return changed(before, self.row(query, flight))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens inside has not happened outside."""
        with self.connection.transaction(force_rollback=True):
            yield


def changed(before: Row, after: Row) -> set[str]:
    """Columns whose values are not exactly the same."""
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@pytest.fixture(scope="session")
def flights(flights_url: str) -> Iterator[Flights]:
    """The real flights; nothing that a test does to them outlives it."""
    with psycopg.connect(
        flights_url,
        autocommit=True,
        # A plan that was kept would go on reading the real tables beside a temporary one.
        prepare_threshold=None,
        options="-c timezone=UTC -c jit=off",
    ) as connection:
        yield Flights(connection)
