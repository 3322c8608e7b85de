"""What the databases of the demo hold before any model lives in them."""

from __future__ import annotations

import time

from demo import flights
from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE
from demo.errors import DemoError
from demo.platform import Say
from demo.postgres import EmbeddedPostgres


def load_flights(postgres: EmbeddedPostgres, say: Say) -> None:
    """Load the flights of 2013 into the warehouse, unless they are there."""
    url = postgres.url(WAREHOUSE_DATABASE, user=WAREHOUSE_DATABASE)
    begin = time.monotonic()
    before = flights.is_loaded(url)
    rows = flights.load(url)
    counts = ", ".join(f"{table} {count:,}" for table, count in rows.items())
    how = "were there already" if before else f"loaded in {time.monotonic() - begin:.1f} s"
    say(f"The warehouse's rows {how}: {counts}")


def make_store(postgres: EmbeddedPostgres, say: Say) -> None:
    """Make or upgrade our own tables in the warehouse's database, as its administrator.

    :raises DemoError: when the library cannot be imported.
    """
    try:
        from mlops.store.migrate import upgrade  # noqa: PLC0415 - the rest works without it
    except ImportError as error:
        raise DemoError(
            "the library mlops",
            found=str(error),
            expected="it to be installed in the Python that runs the demo",
            action="run `make install`, then the demo with that Python",
        ) from error
    revision = upgrade(postgres.url(WAREHOUSE_DATABASE), task_role=TASK_ROLE)
    say(f"Our own tables are at revision {revision}")
