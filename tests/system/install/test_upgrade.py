"""From the copied folders of version 0.1.0 to the wheel, on a real Airflow, and away again.

Follows docs/install/index.md. The company has what people of 0.1.0 had: its folders in the plugins
and DAGs folders, a store with a live model, and a release that waits for people during the upgrade.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest

import demo.platform
from demo.client import AirflowClient
from demo.environment import TASK_ROLE
from mlops.store.connect import head_revision
from tests.compat.earlier import EXPECTED, FILES, FRESH, LIVE, MODEL, OWNER
from tests.fixtures.parking import wait_until_parked
from tests.system.install.environment import (
    GUIDE,
    PINS,
    Environment,
    InstalledPlatform,
    company,
    make_environment,
)

pytestmark = pytest.mark.system

DATABASE = EXPECTED["database"]
PEOPLE = {
    "admin": "admin",
    "dora": "op",
    **dict.fromkeys(("sam", "bea", "lin", "lea", "max"), "user"),
}
DAGS = [f"{MODEL}_{phase}" for phase in ("release", "score", "monitor", "control")]
LIVE_PACKAGE = EXPECTED["versions"][str(LIVE)]["package"]
PATIENCE = 900.0  # seconds that a busy machine may take for a run
OWN_DAG = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("own", schedule=None):
    EmptyOperator(task_id="nothing")
"""


@dataclass(frozen=True)
class Company:
    """An Airflow that ran 0.1.0 from copied folders.

    :ivar database: URL of the warehouse and the store, as their owner.
    """

    environment: Environment
    platform: InstalledPlatform
    database: str

    def command(self, *arguments: str) -> str:
        """``mlops`` in the environment of the tasks; what it prints."""
        variables = self.platform.environment()
        return self.environment.run("mlops", *arguments, variables=variables).stdout

    def copied_command(self, *arguments: str) -> str:
        """The same, as 0.1.0 had it: with the plugins folder in ``PYTHONPATH``."""
        variables = self.platform.environment()
        assert variables["PYTHONPATH"] == str(self.platform.places.plugins)
        done = self.environment.run("python", "-m", "mlops", *arguments, variables=variables)
        return done.stdout

    def airflow(self, *arguments: str) -> str:
        """``airflow`` in the environment of its processes; what it prints."""
        variables = self.platform.environment()
        return self.environment.run("airflow", *arguments, variables=variables).stdout

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query gives, with SQL alone."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    @contextmanager
    def running(self) -> Iterator[AirflowClient]:
        """Airflow as it starts now; it is stopped afterwards."""
        self.platform.start()
        try:
            with AirflowClient(self.platform.url) as client:
                yield client
        finally:
            self.platform.stop_airflow()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What the guide of 0.1.0 asked for: its requirements, and no distribution of ours."""
    found = make_environment(tmp_path_factory.mktemp("environment"))
    found.install("-r", PINS)
    return found


@pytest.fixture(scope="module")
def copied(environment: Environment) -> Iterator[Company]:
    """Folders, store, artifacts and tables of 0.1.0."""
    with company(environment) as platform:
        project, postgres = platform.places.project, platform.postgres
        with tarfile.open(FILES / "folders.tar.xz") as archive:
            archive.extractall(project, filter="data")
        # A DAG of the demo of then.
        (project / "dags" / "flight_delay_rehearsal.py").unlink()
        (project / "dags" / "own.py").write_text(OWN_DAG)
        shutil.copytree(FILES / "include", project / "include")
        shutil.copytree(FILES / "artifacts", platform.places.artifacts)
        postgres.ensure_role(OWNER)
        postgres.ensure_database(DATABASE, owner=OWNER)
        database = postgres.url(DATABASE, user=OWNER)
        for name in ("store.sql", "warehouse.sql"):
            with psycopg.connect(database) as connection:
                connection.execute((FILES / name).read_bytes())
        platform.changes = {
            **{
                f"AIRFLOW_CONN_{name}": postgres.url(DATABASE, user=role)
                for name, role in {"WAREHOUSE": OWNER, "MLOPS_STORE": TASK_ROLE}.items()
            },
            "AIRFLOW__MLOPS__LINEAGE_HOSTS": json.dumps(
                {f"127.0.0.1:{postgres.port}": EXPECTED["address"]}
            ),
            # No file changes while Airflow runs; parsing it over and over would only cost time.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            "PYTHONPATH": str(project / "plugins"),
        }
        platform.people = PEOPLE
        platform.places.airflow_home.mkdir(parents=True)
        made = Company(environment, platform, database)
        # A dump holds no grants; the command of then gives the tasks' role what it had.
        made.copied_command("db", "upgrade", "--url", database)
        yield made


def score(copied: Company, client: AirflowClient, window: str, run_id: str) -> None:
    """A run of the score DAG for a window."""
    client.trigger(f"{MODEL}_score", run_id, conf={"window": window})
    state = client.wait_run(f"{MODEL}_score", run_id, timeout_seconds=PATIENCE)
    logs = copied.platform.places.logs / "tasks" / f"dag_id={MODEL}_score" / f"run_id={run_id}"
    errors = [
        detail["exc_value"]
        for log in logs.rglob("*.log")
        for line in log.read_text().splitlines()
        if '"error_detail"' in line
        for detail in json.loads(line)["error_detail"]
    ]
    assert state == "success", errors


def revision(copied: Company) -> str:
    """The revision that the store is at."""
    ((found,),) = copied.rows("SELECT version_num FROM mlops.alembic_version")
    return str(found)


def live(copied: Company) -> tuple[int, str]:
    """Version and package digest that ``status`` shows."""
    shown = copied.command("status", MODEL)
    found = re.search(r"version +(\d+) .*\n +package +sha256 ([0-9a-f]{64})", shown)
    assert found is not None, shown
    return int(found[1]), found[2]


def plugins(copied: Company) -> set[str]:
    """Names of the plugins that Airflow loads."""
    shown = copied.airflow("plugins", "--output", "json")
    begin = shown.find("[{")
    return set() if begin < 0 else {row["name"] for row in json.loads(shown[begin:])}


# Six minutes of processor time; what else a busy machine does comes on top.
@pytest.mark.timeout(2400)
def test_from_copied_folders_to_the_wheel_and_away_again(
    copied: Company, wheel: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = str(copied.environment.python)
    monkeypatch.setattr(demo.platform, "AIRFLOW", (python, "-m", "airflow"))
    run_0_1_0(copied)
    upgrade(copied, str(wheel))
    run_the_wheel(copied)
    remove(copied)


def run_0_1_0(copied: Company) -> None:
    """Its code runs: a window is scored once more, and a release waits for people."""
    assert revision(copied) == EXPECTED["revision"] == "0002"
    with copied.running() as client:
        client.wait_dags([*DAGS, "own"])
        for dag_id in (f"{MODEL}_release", f"{MODEL}_score", "own"):
            client.unpause(dag_id)
        score(copied, client, "2013-07-04", "by-0-1-0")
        client.trigger(f"{MODEL}_release", "waiting", conf={"as_of": "2013-07-05"})
        asked = client.wait_hitl(f"{MODEL}_release", "waiting", count=3, timeout_seconds=PATIENCE)
        for request in asked:
            wait_until_parked(client, request.task, copied.platform.places.folder)


def upgrade(copied: Company, wheel: str) -> None:
    """The words of the guide: folders away, the wheel in, the store migrated, files cleaned."""
    project = copied.platform.places.project
    shutil.rmtree(project / "plugins" / "mlops")
    del copied.platform.changes["PYTHONPATH"]
    copied.environment.install(wheel)
    assert "No broken" in copied.environment.run("python", "-m", "pip", "check").stdout
    before = live_before_migration(copied)
    done = copied.command("db", "upgrade", "--url", copied.database)
    assert head_revision() in done
    assert revision(copied) == head_revision() > "0002"
    key_file = str(copied.platform.places.approval_key)
    assert "[mlops] approval_keys" in copied.command(
        "keys", "create", key_file, "--url", copied.database
    )
    for policy in (project / "include" / "policies").glob("*.yml"):
        policy.write_text(policy.read_text() + "\nunsigned_accepted_until: 2999-12-31\n")
    shutil.rmtree(project / "include" / "reports")  # unchanged copies
    assert before == (LIVE, LIVE_PACKAGE)
    assert live(copied) == before


def live_before_migration(copied: Company) -> tuple[int, str]:
    """What is live, as SQL alone finds it."""
    ((version, package),) = copied.rows(
        f"SELECT version, package_digest FROM mlops.deployment WHERE model = '{MODEL}'"
        " ORDER BY id DESC LIMIT 1"
    )
    return int(str(version)), str(package)


def run_the_wheel(copied: Company) -> None:
    """The same version scores the next window, and the release that waited is signed."""
    with copied.running() as client:
        client.wait_dags([*DAGS, "own"])
        assert client.import_errors() == {}
        score(copied, client, FRESH["plan"]["window"], "by-the-wheel")
        ((rows, low, high),) = copied.rows(
            "SELECT count(*), min(model_version), max(model_version) FROM ml.late"
            f" WHERE batch = '{FRESH['plan']['batch']}'"
        )
        assert (rows, low, high) == (FRESH["plan"]["rows"], LIVE, LIVE)
        ((package,),) = copied.rows(
            f"SELECT package_digest FROM mlops.scoring_batch WHERE id = '{FRESH['plan']['batch']}'"
        )
        assert package == LIVE_PACKAGE
        sign(client)
        ended = client.wait_run(f"{MODEL}_release", "waiting", timeout_seconds=PATIENCE)
        assert ended == "success"
    signed, package = live(copied)
    assert signed > LIVE
    assert package != LIVE_PACKAGE
    assert "the ledger is whole" in copied.command("ledger", "verify")


def sign(client: AirflowClient) -> None:
    """The people whom 0.1.0 asked; a seat that needs two is asked again after the first."""
    left = {
        "sign_off.business_owner": ["bea"],
        "sign_off.lead_data_scientist": ["lea", "lin"],
        "sign_off.model_risk": ["max"],
    }
    deadline = time.monotonic() + PATIENCE
    while any(left.values()):
        assert time.monotonic() < deadline, left
        for request in client.hitl_waiting(f"{MODEL}_release", "waiting"):
            if users := left[request.task.task_id]:
                approval = {"reason": "as the report states"}
                client.respond(users.pop(), request.task, "Approve", approval)
        time.sleep(1)


def remove(copied: Company) -> None:
    """Airflow works on without it, and SQL reads what it left."""
    for name in ("models", "broken_specs", "governance"):
        (copied.platform.places.dags / f"{name}.py").unlink()
    copied.environment.run("python", "-m", "pip", "uninstall", "--yes", "airflow-mlops")
    with copied.running() as client:
        assert client.import_errors() == {}
        client.trigger("own", "after")
        assert client.wait_run("own", "after", timeout_seconds=PATIENCE) == "success"
        assert "own" in copied.airflow("dags", "list")
        assert "mlops" not in plugins(copied)
    read_with_sql(copied)


def read_with_sql(copied: Company) -> None:
    """The queries that the guide shows, for this model and for one of its batches."""
    removal = GUIDE.read_text().partition("## Remove")[2]
    found = re.findall(r"```sql\n(.*?)```", removal, re.S)
    queries = [query for block in found for query in block.split(";") if query.strip()]
    names = {"credit": MODEL}
    answers = [
        copied.rows(re.sub(r"\bcredit\b", lambda name: names[name[0]], query)) for query in queries
    ]
    deployed, signed, scored = answers
    assert [row[1:3] for row in deployed[:1]] == [(LIVE, "deploy")]
    assert len(signed) > 4
    assert len(scored) > 5
