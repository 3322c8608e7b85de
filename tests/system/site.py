"""A real Airflow over real flights, with the project's own DAG files and two models in small."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

from demo.client import AirflowClient
from demo.contents import load_flights, make_store
from demo.environment import AIRFLOW_DATABASE, WAREHOUSE_DATABASE, Urls
from demo.platform import Platform, silent
from demo.ports import free_port
from demo.postgres import EmbeddedPostgres
from demo.tasks import HumanRequest
from tests.fixtures.life import PROJECT, Content, content, moment, reduced_flight_delay
from tests.fixtures.parking import wait_until_parked
from tests.lineage.stand_in import StandInServer

DAGS = [
    f"{model}_{phase}"
    for model in ("flight_delay", "cancellation")
    for phase in ("release", "score", "monitor")
] + ["flight_delay_rehearsal"]


class SmallPlatform(Platform):
    """The demo's Airflow, whose models lie in another folder."""

    lineage_server = ""

    @property
    def include(self) -> Path:
        """The folder of what people wrote."""
        return self.places.folder / "include"

    def environment(self) -> dict[str, str]:
        """The demo's variables, but for the folder."""
        return {
            **super().environment(),
            "AIRFLOW__MLOPS__INCLUDE_FOLDER": str(self.include),
            "AIRFLOW__MLOPS__MARQUEZ_URL": self.lineage_server,
            # Nobody edits DAG files here; parsing them over and over would only cost time.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        }


@dataclass(frozen=True)
class Site:
    """The running Airflow, and what it leaves."""

    platform: SmallPlatform
    client: AirflowClient
    lineage: StandInServer

    @property
    def database(self) -> str:
        """URL of the flights, the predictions and our own tables, as their superuser."""
        return self.platform.postgres.url(WAREHOUSE_DATABASE)

    @property
    def airflow_database(self) -> str:
        """URL of Airflow's own database."""
        return self.platform.postgres.url(AIRFLOW_DATABASE)

    def trigger(self, dag_id: str, run_id: str, date: str) -> str:
        """Start a run for a date, as the data engineer; gives its id."""
        run = self.client.trigger(dag_id, run_id, logical_date=moment(date))
        return str(run["dag_run_id"])

    def finish(self, dag_id: str, run_id: str, state: str = "success") -> None:
        """Wait for the end of a run, which is ``state``."""
        found = self.client.wait_run(dag_id, run_id)
        states = self.client.task_states(dag_id, run_id)
        assert found == state, f"{dag_id} {run_id}: {found}, {states}"

    def gates(self, dag_id: str, run_id: str, count: int) -> dict[str, HumanRequest]:
        """The requests that wait for people, by seat."""
        waiting = self.client.wait_hitl(dag_id, run_id, count=count)
        for request in waiting:
            wait_until_parked(self.client, request.task, self.platform.places.folder)
        return {request.task.task_id.rpartition(".")[2]: request for request in waiting}

    def approve(self, request: HumanRequest) -> None:
        """The person who is asked signs."""
        (user,) = request.assigned
        self.client.respond(user, request.task, "Approve", {"reason": "as the report says"})

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with psycopg.connect(self.database, options="-c timezone=UTC") as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def content(self) -> Content:
        """Count and digest of the rows of every table of ours and of the predictions."""
        return content(self.database)

    def events(self) -> list[dict[str, Any]]:
        """The OpenLineage events so far, in the order in which they were written."""
        lines = self.platform.places.lineage.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def wait(self, done: Callable[[], bool], *, seconds: float = 60) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
            time.sleep(0.3)

    def mlops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``python -m mlops`` in the environment of the tasks."""
        return subprocess.run(
            [sys.executable, "-m", "mlops", *arguments],
            env={**self.platform.environment(), "PYTHONPATH": str(PROJECT / "plugins")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@contextmanager
def running() -> Iterator[Site]:
    """Start everything, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    folder.chmod(0o711)
    places = Urls(
        folder=folder / "demo",
        project=PROJECT,
        dags=PROJECT / "demo" / "dags",
        plugins=PROJECT / "plugins",
    )
    postgres = EmbeddedPostgres(
        places.folder / "postgres", settings={"fsync": "off"}, needed_bytes=0
    )
    platform = SmallPlatform(places, postgres, port=free_port())
    try:
        platform.start_postgres()
        load_flights(postgres, silent)
        make_store(places, postgres, silent)
        two_models(platform.include)
        with StandInServer() as lineage:
            platform.lineage_server = lineage.url
            platform.start()
            with AirflowClient(platform.url) as client:
                client.wait_dags(DAGS)
                for dag_id in DAGS:
                    client.unpause(dag_id)
                yield Site(platform, client, lineage)
    finally:
        platform.stop()
        postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def two_models(target: Path) -> None:
    """flight_delay in small, and the second model that the README adds, in small as well."""
    reduced_flight_delay(target)
    shutil.copytree(PROJECT / "docs" / "example", target, dirs_exist_ok=True)
    file = target / "models" / "cancellation.yml"
    spec = yaml.safe_load(file.read_text())
    develop = spec["develop"]
    develop["split"] = {"unit": "week", "train": 2, "test": 1}
    develop["contract"]["min_rows"] = 1000
    develop["candidates"][0]["params"] = {"max_iter": 20, "max_leaf_nodes": 7}
    develop["gates"] = [{"metric": "auc", "at_least": 0.5}]
    file.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))
