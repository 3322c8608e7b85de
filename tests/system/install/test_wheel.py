"""The wheel in a fresh environment that has Airflow: pip alone, no folder of this project.

Follows docs/install/index.md: from the first command to a signed, live and scored model, on a
table that is not the demo's; then removal, which leaves an Airflow that works and a readable store.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

import demo.platform
from demo.client import AirflowClient
from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE
from tests.system.install.environment import (
    PINS,
    Environment,
    InstalledPlatform,
    company,
    make_environment,
)

pytestmark = pytest.mark.system

MODEL = "credit"
DAGS = [f"{MODEL}_{phase}" for phase in ("release", "score", "monitor", "control")]
# The goal is 15 minutes, with what a person reads and types; alone, the machine takes about three.
MOST_SECONDS = 900

TABLE = """
CREATE TABLE loans AS
SELECT
    n AS loan_id,
    timestamptz '2025-01-01 UTC' + n * interval '20 minutes' AS opened_at,
    (n * 7919) % 100 < 20 + 50 * (n % 2) AS defaulted,
    n % 2 AS has_arrears,
    (n * 31) % 5000 + 100 AS amount,
    (ARRAY['north', 'south', 'west'])[1 + n % 3] AS region
FROM generate_series(1, 26000) AS n
"""


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """First Airflow alone, as it is at a company; then the wheel with pip's own rules."""
    found = make_environment(tmp_path_factory.mktemp("environment"))
    airflow = next(
        line for line in PINS.read_text().splitlines() if line.startswith("apache-airflow==")
    )
    found.install(airflow)
    found.install(wheel)
    return found


@pytest.fixture(scope="module")
def platform(environment: Environment) -> Iterator[InstalledPlatform]:
    """A Postgres with a table of loans; Airflow is not started yet."""
    with company(environment) as made:
        url = made.postgres.url(WAREHOUSE_DATABASE, user=WAREHOUSE_DATABASE)
        with psycopg.connect(url) as connection:
            connection.execute(TABLE)
        yield made


def test_pip_finds_nothing_wrong(environment: Environment) -> None:
    checked = environment.run("python", "-m", "pip", "check")
    assert "No broken requirements" in checked.stdout
    shown = environment.run("python", "-c", "import mlops; print(mlops.__file__)")
    assert Path(shown.stdout.strip()).is_relative_to(environment.folder)
    listed = environment.run("python", "-m", "pip", "list", "--format=freeze").stdout
    assert "openlineage" not in listed, "what is optional is not installed"


@pytest.mark.timeout(1500)
def test_from_the_first_command_to_a_live_model_and_away_again(
    environment: Environment, platform: InstalledPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = time.monotonic()
    monkeypatch.setattr(demo.platform, "AIRFLOW", (str(environment.python), "-m", "airflow"))
    variables = platform.environment()
    assert not any("plugins" in variables.get(name, "") for name in ("PYTHONPATH",))
    owner = platform.postgres.url(WAREHOUSE_DATABASE)
    project = platform.places.project

    def mlops(*arguments: str | Path, check: bool = True) -> str:
        return environment.run("mlops", *arguments, variables=variables, check=check).stdout

    assert "revision" in mlops("db", "upgrade", "--url", owner, "--task-role", TASK_ROLE)
    assert "[mlops] approval_keys" in mlops(
        "keys", "create", platform.places.approval_key, "--url", owner
    )
    mlops(
        "init", project, "--model", MODEL, "--table", "public.loans",
        "--key", "loan_id", "--time", "opened_at", "--label", "defaulted",
    )  # fmt: skip
    for file in [*project.glob("include/*/*.yml")]:
        text = file.read_text()
        for mark, user in {"1": "bea", "2": "lin", "3": "max", "4": "sam"}.items():
            text = text.replace(f"replace-me-{mark}", user)
        file.write_text(text.replace("Replace this by", "As decided,"))
    mlops("check")
    platform.start()
    with AirflowClient(platform.url) as client:
        client.wait_dags([*DAGS, "mlops_governance"])
        assert client.import_errors() == {}
        assert page(client, "/mlops/")
        for dag_id in DAGS:
            client.unpause(dag_id)
        release(client)
        assert MODEL in page(client, "/mlops/")
        assert re.search(r"version +1 \(deploy", mlops("status", MODEL))
        moment = datetime(2025, 9, 1, tzinfo=UTC)
        client.trigger(f"{MODEL}_score", "first", logical_date=moment)
        assert client.wait_run(f"{MODEL}_score", "first") == "success"
        client.trigger(f"{MODEL}_monitor", "first", logical_date=moment)
        assert client.wait_run(f"{MODEL}_monitor", "first") == "success"
        assert "version 1" in page(client, f"/mlops/models/{MODEL}").lower()
    with psycopg.connect(owner) as connection:
        (scored,) = connection.execute("SELECT count(*) FROM ml.credit").fetchone() or (0,)
    assert scored > 2000
    assert len(list(platform.places.artifacts.glob("reports/**/*.html"))) == 2
    mlops("ledger", "verify")
    assert time.monotonic() - begin < MOST_SECONDS
    remove(environment, platform, owner)


def release(client: AirflowClient) -> None:
    """Train, have it signed by the two people whom the policy names, deploy."""
    client.trigger(f"{MODEL}_release", "first", logical_date=datetime(2025, 9, 1, tzinfo=UTC))
    for request in client.wait_hitl(f"{MODEL}_release", "first", count=2):
        (user,) = request.assigned
        client.respond(user, request.task, "Approve", {"reason": "as the report states"})
    assert client.wait_run(f"{MODEL}_release", "first") == "success"


def page(client: AirflowClient, path: str) -> str:
    """A page of the plugin, as a logged-in person gets it; nobody else gets it."""
    import httpx

    assert httpx.get(f"{client.base_url}{path}", trust_env=False).status_code in (401, 403)
    token = {"Authorization": f"Bearer {client.token('bea')}"}
    answer = httpx.get(f"{client.base_url}{path}", headers=token, trust_env=False, timeout=60)
    assert answer.status_code == 200
    return answer.text


def remove(environment: Environment, platform: InstalledPlatform, owner: str) -> None:
    """As docs/install/index.md removes it: DAG files away, uninstall, restart."""
    platform.stop_airflow()
    shutil.rmtree(platform.places.dags)
    platform.places.dags.mkdir()
    environment.run("python", "-m", "pip", "uninstall", "--yes", "airflow-mlops")
    platform.start()
    with AirflowClient(platform.url) as client:
        assert client.import_errors() == {}
    plugins = environment.run("airflow", "plugins", variables=platform.environment())
    assert "mlops" not in plugins.stdout
    with psycopg.connect(owner) as connection:
        entries = connection.execute("SELECT count(*) FROM mlops.ledger").fetchone()
        live = connection.execute("SELECT count(*) FROM mlops.deployment").fetchone()
    assert entries is not None
    assert entries[0] > 10
    assert live == (1,)
