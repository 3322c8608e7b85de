"""A real Postgres for the whole test session, and databases on it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.flights import load
from demo.postgres import EmbeddedPostgres

FAST = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
NEEDED_BYTES = 10**9

MakeDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The session's database server; it ends, and its folder goes, with the session."""
    # Not pytest's own temporary folder: root's is closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "data", settings=FAST, needed_bytes=NEEDED_BYTES)
    try:
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def make_database(postgres: EmbeddedPostgres) -> MakeDatabase:
    """Make a database of a new name, as a copy of ``template`` if one is named; gives its URL.

    Nobody may be connected to the template while it is copied.
    """
    numbers = itertools.count(1)

    def make(template: str | None = None) -> str:
        name = f"test_{next(numbers)}"
        postgres.ensure_database(name, template=template)
        return postgres.url(name)

    return make


def _dropped_after(postgres: EmbeddedPostgres, url: str) -> Iterator[str]:
    yield url
    postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture
def database(postgres: EmbeddedPostgres, make_database: MakeDatabase) -> Iterator[str]:
    """The URL of an empty database for one test."""
    yield from _dropped_after(postgres, make_database())


@pytest.fixture(scope="module")
def module_database(postgres: EmbeddedPostgres, make_database: MakeDatabase) -> Iterator[str]:
    """The URL of a database that the tests of one module share; empty at first."""
    yield from _dropped_after(postgres, make_database())


@pytest.fixture(scope="session")
def flights_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the flights of 2013; for ``make_database(template=...)`` only."""
    postgres.ensure_database("flights_template")
    load(postgres.url("flights_template"))
    return "flights_template"


@pytest.fixture(scope="session")
def flights_url(make_database: MakeDatabase, flights_template: str) -> str:
    """The URL of a database with the flights of 2013, to be read and never written to."""
    return make_database(template=flights_template)


@pytest.fixture
def flights_copy(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[str]:
    """The URL of a database with the flights of 2013 for one test, which may write to it."""
    yield from _dropped_after(postgres, make_database(template=flights_template))
