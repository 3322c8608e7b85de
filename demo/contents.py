"""What the databases of the demo hold before any model lives in them."""

from __future__ import annotations

import time

from demo import flights
from demo.environment import API_ROLE, TASK_ROLE, WAREHOUSE_DATABASE, Urls
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


def make_store(places: Urls, postgres: EmbeddedPostgres, say: Say) -> None:
    """Make or upgrade our own tables in the warehouse's database, as its administrator.

    The API server gets a role of its own and a key, with which it signs approvals.

    :raises DemoError: when the library cannot be imported.
    """
    try:
        from mlops.approvals.secret_file import write_secret_file  # noqa: PLC0415
        from mlops.store.migrate import upgrade  # noqa: PLC0415 - the rest works without it
    except ImportError as error:
        raise DemoError(
            "the library mlops",
            found=str(error),
            expected="it to be installed in the Python that runs the demo",
            action="run `make install`, then the demo with that Python",
        ) from error
    url = postgres.url(WAREHOUSE_DATABASE)
    revision = upgrade(url, task_role=TASK_ROLE, api_role=API_ROLE)
    say(f"Our own tables are at revision {revision}")
    _make_key(places, url, say)
    places.api_store_url.unlink(missing_ok=True)  # the server's port may be another one
    api_url = postgres.url(WAREHOUSE_DATABASE, user=API_ROLE)
    write_secret_file(places.api_store_url, api_url.encode())


def _make_key(places: Urls, url: str, say: Say) -> None:
    """Make the key that signs approvals, and let the ledger know it, unless it does."""
    from mlops.approvals.key_register import read_key_register, register_key  # noqa: PLC0415
    from mlops.approvals.secret_file import create_key_file, load_key_file  # noqa: PLC0415
    from mlops.store.connect import Store  # noqa: PLC0415

    path = places.approval_key
    key = load_key_file(path) if path.exists() else create_key_file(path)
    with Store(url).transaction() as transaction:
        if key.fingerprint not in read_key_register(transaction).keys:
            register_key(transaction, key, actor="demo")
    say(f"Approvals are signed with key {key.fingerprint[:12]}…")
