"""A real Airflow over a real Postgres, with small models, for everything that people try at gates.

Versions are made by the steps of :mod:`mlops.flow` in the test's own process, as a release makes
them; what is tried at gates, and every deployment, happens in Airflow.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg

from demo.client import AirflowClient
from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE, Urls
from demo.platform import Platform
from demo.ports import free_port
from demo.postgres import EmbeddedPostgres
from demo.rest import AirflowRefused
from demo.tasks import HumanRequest, TaskRef
from mlops.approvals.eligibility import Person
from mlops.store.migrate import upgrade
from tests.fixtures.approval_key import KEY, register, write_key
from tests.fixtures.life import PROJECT, Life, Release
from tests.fixtures.parking import wait_until_parked
from tests.fixtures.visits import MODELS, fill, sign, visits_life, write_include

ROLES = {
    "admin": "admin",
    "dora": "op",
    **dict.fromkeys(["sam", "bea", "ben", "lin", "lea", "lou", "eve"], "user"),
    "amy": "viewer",
}
SEATS = {"late": "owner", "late_two": "risk", "late_soon": "owner"}
DAG_FILE = """
from pathlib import Path

from airflow.sdk import DAG, Param, TaskGroup
from mlops.lifecycle import build_dags, governance_dag
from mlops.operators.release import DeployOperator
from mlops.sensors.approval import ApprovalSensor

# Of a copy: a policy that a test breaks is broken for who runs, and not for who reads DAGs.
build_dags(Path({include!r}))
governance_dag()

for model, seat in {seats!r}.items():
    version = "{{{{ params.version }}}}"
    with DAG(
        f"{{model}}_sign",
        schedule=None,
        params={{"version": Param("", type="string")}},
        tags={{"mlops"}},
    ):
        with TaskGroup("sign_off") as gates:
            ApprovalSensor(task_id=seat, model=model, version=version, seat=seat)
        gates >> DeployOperator(task_id="deploy", model=model, version=version)
"""


class GovernedPlatform(Platform):
    """The demo's Airflow with other people, a quicker clock and a mail server.

    :param include: the folder of specs and policies.
    :param smtp_port: of the mail server on the loopback interface.
    """

    def __init__(
        self, places: Urls, postgres: EmbeddedPostgres, *, include: Path, smtp_port: int
    ) -> None:
        super().__init__(places, postgres, port=free_port())
        self._include = include
        self._smtp_port = smtp_port

    def environment(self) -> dict[str, str]:
        """The demo's, with what differs here."""
        return {
            **super().environment(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{user}:{role}" for user, role in ROLES.items()
            ),
            "AIRFLOW__MLOPS__APPROVAL_KEYS": KEY.fingerprint,
            "AIRFLOW__MLOPS__APPROVAL_KEY_FILE": str(self.places.approval_key),
            "AIRFLOW__MLOPS__INCLUDE_FOLDER": str(self._include),
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(
                {
                    "conn_type": "smtp",
                    "host": "127.0.0.1",
                    "port": self._smtp_port,
                    "extra": {"disable_ssl": True, "disable_tls": True, "timeout": 5},
                }
            ),
        }

    def make_people(self) -> dict[str, str]:
        """See to it that everybody has an account; gives ids by name, where they differ."""
        return {}

    def _make_folders(self) -> None:
        super()._make_folders()
        self.places.passwords.write_text(json.dumps({user: user for user in ROLES}))


@dataclass
class Site:
    """The running Airflow and its store.

    :ivar database: URL of warehouse and store as their superuser.
    :ivar folder: with ``include`` and ``artifacts``.
    :ivar ids: ids of people by name, where they differ.
    """

    platform: GovernedPlatform
    client: AirflowClient
    database: str
    store_url: str
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)
    _days: Iterator[int] = field(default_factory=lambda: itertools.count(5))
    _runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def life(self, model: str) -> Life:
        """The steps of a model's life, in this process."""
        return visits_life(model, self.database, folder=self.folder, store_url=self.store_url)

    def release(self, model: str) -> Release:
        """A version that nobody has signed yet, on data of another day than any before."""
        as_of = date(2026, 1, 1) + timedelta(days=next(self._days))
        return self.life(model).release(as_of.isoformat())

    def version(self, model: str) -> int:
        """The number of a version that nobody has signed yet."""
        return self.release(model).packaged.version

    def ask(self, model: str, version: int, *, user: str = "dora") -> TaskRef:
        """Start a run that asks for a version's signatures; gives the gate, once it waits."""
        gate = self.start(model, version, user=user)
        self.asked(gate)
        return gate

    def asked(self, gate: TaskRef) -> HumanRequest:
        """The request of a gate, once it may be answered."""
        (request,) = self.client.wait_hitl(gate.dag_id, gate.run_id)
        wait_until_parked(self.client, gate, self.platform.places.folder)
        return request

    def start(self, model: str, version: int, *, user: str = "dora") -> TaskRef:
        """Start a run that asks for a version's signatures; gives its gate."""
        dag_id, run_id = f"{model}_sign", f"sign-{version}-{next(self._runs)}"
        self.client.trigger(dag_id, run_id, conf={"version": str(version)}, user=user)
        return TaskRef(dag_id, run_id, f"sign_off.{SEATS[model]}")

    def sign(self, gate: TaskRef, user: str, reason: str = "it is fit for use") -> None:
        """Approve as a user."""
        self.client.respond(user, gate, "Approve", {"reason": reason})

    def asked_again(self, gate: TaskRef) -> HumanRequest:
        """The request of a gate's next try, once it waits."""

        def newer() -> bool:
            now = self.client.request("GET", gate.instance_path)
            return now["state"] == "awaiting_input" and now["try_number"] > 1

        self.wait(newer)
        return self.asked(gate)

    def deployed(self, gate: TaskRef) -> str:
        """The state that a run's deploy task ends in."""
        return self.client.wait_task(deploy_of(gate), ["success", "failed", "skipped"])

    def deploy_again(self, gate: TaskRef) -> str:
        """Clear a run's deploy task once the run has ended; gives the state it ends in."""
        self.client.wait_run(gate.dag_id, gate.run_id)
        self.client.clear(gate.dag_id, gate.run_id, ["deploy"])
        return self.deployed(gate)

    def go_live(self, model: str, version: int | None = None) -> int:
        """A version that was signed and deployed, in this process; for what comes after it."""
        number = self.version(model) if version is None else version
        life = self.life(model)
        people = {"late_two": ["lin", "lea"]}.get(model, ["bea"])
        for user in people:
            sign(life, number, SEATS[model], Person(self.ids.get(user, user), user))
        life.deploy(number)
        return number

    def control(self, model: str, user: str, **conf: str) -> str:
        """Run a model's control DAG as a user; gives the state it ends in."""
        run = f"control-{next(self._runs)}"
        self.client.trigger(f"{model}_control", run, conf=conf, user=user)
        return self.client.wait_run(f"{model}_control", run)

    def score(self, model: str, window: str) -> tuple[str, str]:
        """Score a day; gives the run and the state it ends in."""
        run = f"score-{window}-{next(self._runs)}"
        self.client.trigger(f"{model}_score", run, conf={"window": window})
        return run, self.client.wait_run(f"{model}_score", run)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query gives, as the superuser sees it."""
        with psycopg.connect(self.database, options="-c timezone=UTC") as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def run_sql(self, *statements: str) -> None:
        """Change something as the superuser."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def entries(self, subject: str, *actions: str) -> list[tuple[str, str, dict[str, Any]]]:
        """The ledger's entries about a subject, in order: actor, action, payload."""
        found = self.rows(
            "SELECT actor, action, payload FROM mlops.ledger WHERE subject = %s ORDER BY seq",
            subject,
        )
        return [
            (actor, action, json.loads(payload))
            for actor, action, payload in found
            if not actions or action in actions
        ]

    def live(self, model: str) -> int | None:
        """The number of the version that is live."""
        found = self.rows(
            "SELECT version FROM mlops.deployment WHERE model = %s ORDER BY id DESC LIMIT 1", model
        )
        return int(found[0][0]) if found else None

    def wait(self, done: Callable[[], bool], *, seconds: float = 120) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
            time.sleep(0.3)

    def at_once(self, *acts: Callable[[], object]) -> list[int]:
        """Do several things at the same time; gives the status of each refusal, and 0 for none."""
        barrier = threading.Barrier(len(acts))

        def do(act: Callable[[], object]) -> int:
            barrier.wait()
            try:
                act()
            except AirflowRefused as refusal:
                return refusal.status
            return 0

        with ThreadPoolExecutor(len(acts)) as pool:
            return list(pool.map(do, acts))

    def log(self, task: TaskRef) -> str:
        """The log of a task's newest try."""
        newest = self.client.request("GET", task.instance_path)["try_number"]
        return self.client.log(task, try_number=newest)


def deploy_of(gate: TaskRef) -> TaskRef:
    """The deploy task of a gate's run."""
    return TaskRef(gate.dag_id, gate.run_id, "deploy")


@contextmanager
def running(
    smtp_port: int, platform_class: type[GovernedPlatform] = GovernedPlatform
) -> Iterator[Site]:
    """Start everything, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    folder.chmod(0o711)
    site = make(folder, smtp_port, platform_class)
    try:
        start(site)
        with site.client:
            yield site
    finally:
        site.platform.stop()
        site.platform.postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def make(
    folder: Path, smtp_port: int, platform_class: type[GovernedPlatform] = GovernedPlatform
) -> Site:
    """The site below ``folder``, with its database server running, and Airflow not yet."""
    places = Urls(
        folder=folder / "demo",
        project=PROJECT,
        dags=folder / "dags",
        plugins=PROJECT / "plugins",
    )
    places.folder.mkdir(exist_ok=True)
    places.folder.chmod(0o711)
    postgres = EmbeddedPostgres(
        places.folder / "postgres", settings={"fsync": "off"}, needed_bytes=0
    )
    platform = platform_class(places, postgres, include=folder / "include", smtp_port=smtp_port)
    platform.start_postgres()
    (folder / "artifacts").mkdir(exist_ok=True)
    if not places.artifacts.exists():
        places.artifacts.symlink_to(folder / "artifacts")
    return Site(
        platform=platform,
        client=AirflowClient(platform.url, passwords={user: user for user in ROLES}),
        database=postgres.url(WAREHOUSE_DATABASE),
        store_url=postgres.url(WAREHOUSE_DATABASE, user=TASK_ROLE),
        folder=folder,
    )


def start(site: Site) -> None:
    """Write the models, fill the warehouse and start Airflow."""
    site.ids = site.platform.make_people()
    for name in ("include", "parsed"):
        write_include(site.folder / name, site.ids)
    dags = site.platform.places.dags
    dags.mkdir()
    (dags / "all.py").write_text(DAG_FILE.format(seats=SEATS, include=str(site.folder / "parsed")))
    write_key(site.platform.places.approval_key)
    fill(site.database, WAREHOUSE_DATABASE)
    upgrade(site.database, task_role=TASK_ROLE)
    register(site.database)
    site.platform.start()
    wanted = [f"{model}_{phase}" for model in MODELS for phase in ("sign", "score", "control")]
    site.client.wait_dags([*wanted, "mlops_governance"])
    for dag_id in wanted:
        site.client.unpause(dag_id)
