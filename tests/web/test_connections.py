"""Where the API server finds the store, and what the pages say when it does not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE
from demo.ports import free_port
from tests.web.conftest import Site

pytestmark = pytest.mark.system

CONNECTION = "AIRFLOW_CONN_MLOPS_STORE"


@pytest.fixture(scope="module")
def second_server(pages_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second API server of the same Airflow, that has no connection in its environment."""
    port, log = free_port(), tmp_path_factory.mktemp("logs") / "second.log"
    variables = pages_site.platform.environment()
    del variables[CONNECTION]
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server", "--port", str(port)],
            env=variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, server, log)
        yield url
    finally:
        # It holds nothing that it would have to put away, and takes its time to do so.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/mlops/", timeout=10, trust_env=False).status_code == 401:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(log.read_text()[-2000:])


def told(site: Site, url: str, *, html: bool = True) -> tuple[int, str]:
    """The status of the list, and what it says in one line."""
    answer = httpx.get(
        f"{url}/mlops/",
        headers={
            "Accept": "text/html" if html else "application/json",
            "Authorization": f"Bearer {site.client.token('bea')}",
        },
        timeout=60,
        trust_env=False,
    )
    text = answer.text[answer.text.index("<main>") :] if html else answer.json()["detail"]
    return answer.status_code, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def connect(site: Site, url: str, *, known: bool) -> None:
    """Write the connection into Airflow's own database, as an administrator would."""
    parts = urlsplit(url)
    body = {
        "connection_id": "mlops_store",
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.lstrip("/"),
    }
    path = "/api/v2/connections"
    if known:
        site.client.request("PATCH", f"{path}/mlops_store", user="admin", json=body)
    else:
        site.client.request("POST", path, user="admin", json=body)


def test_the_environments_connection_is_found(pages_site: Site) -> None:
    assert CONNECTION in pages_site.platform.environment()
    assert pages_site.get("/mlops/", user="bea", html=True).status_code == 200


def test_each_state_of_the_connection_is_told_and_mending_it_is_enough(
    pages_site: Site, second_server: str
) -> None:
    status, text = told(pages_site, second_server)
    assert status == 503
    assert "The store of models cannot be read" in text
    assert "Airflow&#39;s connection &#39;mlops_store&#39;" in text
    assert "define it in Airflow under Admin, Connections" in text
    assert "AIRFLOW_CONN_MLOPS_STORE" in text

    postgres = pages_site.platform.postgres
    connect(pages_site, postgres.url("postgres"), known=False)
    status, text = told(pages_site, second_server)
    assert status == 503
    assert "no tables of mlops" in text
    assert "run: python -m mlops db upgrade" in text

    good = postgres.url(WAREHOUSE_DATABASE, user=TASK_ROLE)
    connect(pages_site, good.replace(f":{postgres.port}/", f":{free_port()}/"), known=True)
    for html in (True, False):
        status, text = told(pages_site, second_server, html=html)
        assert status == 503
        assert "cannot be reached" in text
        assert "check the connection and the server" in text
        assert postgres.password not in text

    connect(pages_site, good, known=True)
    status, text = told(pages_site, second_server)
    assert status == 200
    assert "flight_delay" in text


def test_pages_cannot_write(pages_site: Site) -> None:
    code = (
        "from sqlalchemy import text\n"
        "from mlops.web.read_only import read_only_transaction\n"
        "with read_only_transaction() as transaction:\n"
        '    transaction.session.execute(text("DELETE FROM mlops.spec"))\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=pages_site.platform.environment()
        | {"PYTHONPATH": str(pages_site.platform.places.plugins)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot execute DELETE in a read-only transaction" in done.stderr


def test_every_process_but_the_api_server_loads_a_light_plugin(pages_site: Site) -> None:
    code = (
        "import sys, mlops.plugin\n"
        "heavy = ('fastapi', 'mlops.web', 'mlops.flow', 'mlops.store', 'numpy', 'pandas')\n"
        "print('loaded:', *[name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=pages_site.platform.environment()
        | {"PYTHONPATH": str(pages_site.platform.places.plugins)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == "loaded:"
