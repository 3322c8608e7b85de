"""A real Marquez for tests, where one can be had."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from demo.environment import Urls
from demo.errors import DemoError
from demo.local import local_platform
from demo.marquez import EmbeddedMarquez, is_wanted, url_from_environment
from demo.platform import silent
from demo.postgres import EmbeddedPostgres

_NUMBERS = count(1)


@contextmanager
def real_marquez(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a Marquez; the test is skipped, with the reason, where none can be had.

    It is the one that ``MLOPS_DEMO_MARQUEZ`` names by its URL, or a new one with a database of its
    own on ``postgres``. The jars are those of the demo and are downloaded if they are not there.
    """
    given = url_from_environment()
    if given is not None:
        yield given
        return
    if not is_wanted():
        pytest.skip("MLOPS_DEMO_MARQUEZ=off")
    library = _library(local_platform().places)
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    database = f"marquez_{next(_NUMBERS)}"
    server = EmbeddedMarquez(folder, postgres, None, database=database, library=library)
    try:
        try:
            server.start(silent)
        except DemoError as error:
            pytest.skip(f"no real Marquez here: {error}")
        yield server.url
    finally:
        server.stop()
        postgres.drop_database(database)
        shutil.rmtree(folder, ignore_errors=True)


def _library(places: Urls) -> Path:
    return places.folder / "marquez" / "lib"
