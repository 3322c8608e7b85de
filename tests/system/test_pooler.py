"""Store and warehouse behind Debian's PgBouncer, in session and in transaction mode."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from mlops.postgres_url import postgres_url
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.warehouse.postgres.catalog import read_query
from mlops.warehouse.postgres.outcomes import kpi_value
from mlops.warehouse.postgres.stream import stream

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed"),
]

ROUNDS = 8


@pytest.fixture(params=["session", "transaction"])
def pooled(request: pytest.FixtureRequest, database: str) -> Iterator[str]:
    """The URL of a database behind a pooler of few sessions, which refuses start-up options."""
    assert PROGRAM is not None
    parts = conninfo_to_dict(database)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="mlops-pooler-"))
    folder.chmod(0o755)
    (folder / "users").write_text(f'"{parts["user"]}" "{parts["password"]}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{parts['dbname']} = host=127.0.0.1 port={parts['port']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder}/users\npool_mode = {request.param}\n"
        "default_pool_size = 3\n"
    )
    lesser_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [PROGRAM, *lesser_user, str(folder / "pgbouncer.ini")], stdout=log, stderr=log
        )
    url = postgres_url({**parts, "port": port, "options": "-c statement_timeout=77s"})
    try:
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(postgres_url({**parts, "port": port})).close()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder)


def test_store_and_warehouse_work_behind_a_pooler(pooled: str) -> None:
    upgrade(pooled)
    shown = "SELECT current_setting('TimeZone') || current_setting('statement_timeout') AS a"
    for _ in range(ROUNDS):
        with Store(pooled).transaction() as transaction:
            assert transaction.session.execute(text(shown)).scalar_one() == "UTC77s"
        with stream(pooled, shown) as rows:
            assert [batch.to_pylist() for batch in rows] == [[{"a": "UTC77s"}]]
        assert kpi_value(pooled, "SELECT 2.5 AS value", name="half") == 2.5
    assert read_query(pooled, "SELECT 1 AS a").referee == ""
    with Store(pooled).try_lock("one") as first, Store(pooled).try_lock("one") as second:
        assert (first, second) == (True, False)
    with Store(pooled).try_lock("one") as again:
        assert again is True
