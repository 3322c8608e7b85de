"""A real Airflow on the loopback interface, with a real Postgres below it.

Its parts are separate processes with a log each: they start side by side, and each can be looked
after and ended by itself. It needs no triggerer: a task that waits for a person is parked in the
database, and the scheduler minds its time limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import httpx
import psycopg
from psycopg import sql

from demo import processes
from demo.environment import AIRFLOW_DATABASE, API_ROLE, DATABASES, TASK_ROLE, Urls, environment
from demo.errors import DemoError
from demo.marquez import EmbeddedMarquez, is_wanted, url_from_environment
from demo.ports import LOOPBACK, require_free
from demo.postgres import EmbeddedPostgres
from demo.processes import Leader, Record
from demo.users import USERS

PORT_VARIABLE = "MLOPS_DEMO_PORT"
DEFAULT_PORT = 8080
# The Airflow of the Python that runs this, not the one on the PATH.
AIRFLOW = (sys.executable, "-m", "airflow")
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
HEALTHY_PARTS = ("metadatabase", "scheduler", "dag_processor")
HEALTH_SECONDS = 180.0
MIGRATION_SECONDS = 300.0
GRACE_SECONDS = 8.0
SHOWN_LOG_LINES = 6

Say = Callable[[str], None]


def silent(_: str) -> None:
    """Say nothing."""


class Platform:
    """Airflow and Postgres, started and stopped together; each method may be called again.

    :param places: the folders, see :class:`demo.environment.Urls`.
    :param postgres: the server that holds Airflow's, the warehouse's and our own database.
    :param port: of Airflow's API server and pages.
    :param marquez: is started by itself, before Airflow, which then sends it its lineage.
    """

    def __init__(
        self,
        places: Urls,
        postgres: EmbeddedPostgres,
        *,
        port: int,
        marquez: EmbeddedMarquez | None = None,
    ) -> None:
        self.places = places
        self.postgres = postgres
        self.marquez = marquez
        self._wanted_port = port

    @property
    def port(self) -> int:
        """The port of the running Airflow, or the one that it will be started on."""
        record = processes.load(self._file)
        return record.port if record else self._wanted_port

    @property
    def url(self) -> str:
        """Where Airflow's pages and its API are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether all parts of Airflow are alive."""
        return all(self.alive().values())

    def alive(self) -> dict[str, bool]:
        """For each part of Airflow, whether its process is alive."""
        found = {leader.name: processes.is_alive(leader) for leader in self._leaders()}
        return {name: found.get(name, False) for name in COMPONENTS}

    def environment(self) -> dict[str, str]:
        """The variables for a command that works with this Airflow; needs a running database."""
        return environment(self.places, self.postgres, self.port, marquez_url=self.marquez_url)

    @property
    def marquez_url(self) -> str | None:
        """The Marquez that lineage goes to; None when it goes to a file."""
        if self.marquez is None:
            return None
        own = self.marquez.url if is_wanted() and self.marquez.running else None
        return url_from_environment() or own

    def start(self, say: Say = silent) -> None:
        """Start what is not running, and return when Airflow is healthy.

        :param say: is called with a line for each step.
        :raises DemoError: port taken, disk full, or a part that does not come up.
        """
        self.start_postgres(say)
        if not self.running:
            self.stop_airflow()
            require_free(self._wanted_port, user="Airflow", variable=PORT_VARIABLE)
            self._make_folders()
            self._migrate(say)
            self._launch()
        begin = time.monotonic()
        self._wait_healthy()
        say(f"Airflow is healthy at {self.url} ({time.monotonic() - begin:.1f} s)")

    def start_postgres(self, say: Say = silent) -> None:
        """Start the database server, and make the roles and databases."""
        begin = time.monotonic()
        new = not self.postgres.running
        self.postgres.start()
        for role in (*DATABASES, TASK_ROLE, API_ROLE):
            self.postgres.ensure_role(role)
        for name in DATABASES:
            self.postgres.ensure_database(name, owner=name)
        if new:
            took = time.monotonic() - begin
            say(f"Postgres is ready on port {self.postgres.port} ({took:.1f} s)")

    def stop(self) -> None:
        """End all that runs, also what another process started, and wait until it has ended."""
        self.stop_airflow()
        if self.marquez is not None:
            self.marquez.stop()
        self.postgres.stop()

    def stop_airflow(self) -> None:
        """End Airflow alone: its parts, their workers and the tasks that run."""
        processes.end(self._leaders(), grace_seconds=GRACE_SECONDS)
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.places.folder / "processes.json"

    def _leaders(self) -> tuple[Leader, ...]:
        record = processes.load(self._file)
        return record.leaders if record else ()

    def _make_folders(self) -> None:
        places = self.places
        for folder in (places.airflow_home, places.logs, places.lineage.parent, places.artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        places.passwords.touch(mode=0o600)
        places.passwords.write_text(json.dumps({user.name: user.password for user in USERS}))

    def _migrate(self, say: Say) -> None:
        """Make Airflow's tables, once for each version of Airflow."""
        done = f"migrated to Airflow {version('apache-airflow-core')}"
        url = self.postgres.url(AIRFLOW_DATABASE, user=AIRFLOW_DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            noted = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
                " WHERE datname = current_database()"
            ).fetchone()
            if noted and noted[0] == done:
                return
            begin = time.monotonic()
            self._run_migration()
            # The note is in the database itself, so that it is removed with the database.
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(AIRFLOW_DATABASE), sql.Literal(done)
                )
            )
        say(f"Airflow's tables are made ({time.monotonic() - begin:.1f} s)")

    def _run_migration(self) -> None:
        log = self.places.logs / "migrate.log"
        with log.open("ab") as file:
            code = subprocess.run(
                [*AIRFLOW, "db", "migrate"],
                cwd=self.places.project,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=MIGRATION_SECONDS,
                check=False,
            ).returncode
        if code != 0:
            raise DemoError(
                f"airflow db migrate ended with code {code}; the last lines of {log} are",
                found=_last_lines(log),
            )

    def _launch(self) -> None:
        """Start the parts of Airflow side by side; each is recorded as soon as it runs."""
        variables = self.environment()
        port = self._wanted_port
        leaders: list[Leader] = []
        for name, arguments in COMPONENTS.items():
            leaders.append(
                processes.start(
                    name,
                    [*AIRFLOW, *arguments],
                    environment=variables,
                    folder=self.places.project,
                    log=self._log(name),
                )
            )
            processes.save(self._file, Record(port=port, leaders=tuple(leaders)))

    def _wait_healthy(self) -> None:
        """Wait until the API answers and the other parts have sent a sign of life to it."""
        leaders = self._leaders()
        since = min(leader.started for leader in leaders)
        deadline = time.monotonic() + HEALTH_SECONDS
        missing: tuple[str, ...] = HEALTHY_PARTS
        while missing:
            for leader in leaders:
                if not processes.is_alive(leader):
                    self._give_up(f"Airflow's {leader.name} has ended", self._log(leader.name))
            if time.monotonic() > deadline:
                self._give_up(
                    f"Airflow is not healthy after {HEALTH_SECONDS:.0f} s, for want of "
                    f"{', '.join(missing)}",
                    self._log("api-server"),
                )
            time.sleep(0.2)
            missing = _unhealthy(self.url, since)

    def _give_up(self, what: str, log: Path) -> NoReturn:
        lines = _last_lines(log)
        self.stop_airflow()
        raise DemoError(f"{what}; the last lines of {log} are", found=lines)

    def _log(self, component: str) -> Path:
        return self.places.logs / f"{component}.log"


def _unhealthy(url: str, since: float) -> tuple[str, ...]:
    """The parts of Airflow that have given no sign of life since a time (seconds since 1970).

    The sign of a part that was killed a moment ago still counts as healthy for Airflow.
    """
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=10, trust_env=False)
        parts = answer.json() if answer.status_code == HTTPStatus.OK else {}
    except (httpx.HTTPError, ValueError):
        parts = {}
    missing = []
    for part in HEALTHY_PARTS:
        state = parts.get(part) or {}
        seen = state.get(f"latest_{part}_heartbeat")
        fresh = part == "metadatabase" or (
            seen is not None and datetime.fromisoformat(seen).timestamp() >= since
        )
        if state.get("status") != "healthy" or not fresh:
            missing.append(part)
    return tuple(missing)


def _last_lines(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-SHOWN_LOG_LINES:]) or "nothing"
