"""A real Airflow: started, used by several people, stopped by another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from demo import processes
from demo.client import AirflowClient
from demo.environment import Urls
from demo.errors import DemoError
from demo.platform import Platform
from demo.ports import free_port
from demo.postgres import EmbeddedPostgres
from demo.rest import AirflowRefused
from demo.tasks import HumanRequest, TaskRef
from demo.users import USERS
from tests.fixtures.parking import wait_until_parked

pytestmark = pytest.mark.system

PROJECT = Path(__file__).resolve().parents[2]
DAG = "tiny"
GATE = "gate"

DAG_FILE = """
from __future__ import annotations

import time

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task


@dag(schedule=None)
def tiny():
    @task
    def first():
        return {"answer": 42}

    @task
    def last(x):
        return x * 10

    gate = ApprovalOperator(
        task_id="gate",
        subject="Release?",
        assigned_users=[{"id": "bea", "name": "bea"}],
        params={"reason": Param("", type="string")},
    )
    first() >> gate >> last.expand(x=[1, 2])


@dag(schedule=None)
def endless():
    @task
    def sleep():
        time.sleep(600)

    sleep()


tiny()
endless()
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    folder.chmod(0o711)
    (folder / "dags").mkdir()
    (folder / "plugins").mkdir()
    (folder / "dags" / "tiny.py").write_text(DAG_FILE)
    places = Urls(
        folder=folder / "demo",
        project=PROJECT,
        dags=folder / "dags",
        plugins=folder / "plugins",
    )
    postgres = EmbeddedPostgres(
        places.folder / "postgres", settings={"fsync": "off"}, needed_bytes=0
    )
    made = Platform(places, postgres, port=free_port())
    try:
        made.start()
        yield made
    finally:
        made.stop()
        postgres.destroy()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def platform_client(platform: Platform) -> Iterator[AirflowClient]:
    with AirflowClient(platform.url) as made:
        made.wait_dags([DAG, "endless"])
        made.unpause(DAG)
        made.unpause("endless")
        yield made


def parked(client: AirflowClient, platform: Platform, run_id: str) -> HumanRequest:
    """The gate's request, once it may be answered."""
    (request,) = client.wait_hitl(DAG, run_id)
    wait_until_parked(client, request.task, platform.places.folder)
    return request


def refusal(status: int):
    return pytest.raises(AirflowRefused, match=f"found {status}: ")


def test_everybody_logs_in_with_the_known_password(platform_client: AirflowClient) -> None:
    for user in USERS:
        assert platform_client.dags(user=user.name) == ["endless", DAG]
    with AirflowClient(platform_client.base_url, passwords={"bea": "wrong"}) as other, refusal(401):
        other.dags(user="bea")
    with refusal(401):
        platform_client.dags(user="nobody")


def test_nothing_of_the_tests_listens_beyond_loopback(platform: Platform) -> None:
    record = processes.load(platform.places.folder / "processes.json")
    assert record is not None
    pids = {leader.pid for leader in record.leaders}
    for leader in record.leaders:
        pids |= {child.pid for child in psutil.Process(leader.pid).children(recursive=True)}
    addresses = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_only_the_person_who_is_asked_can_answer(
    platform_client: AirflowClient, platform: Platform
) -> None:
    run_id = "answers"
    platform_client.trigger(DAG, run_id, conf={"n": 1})
    request = parked(platform_client, platform, run_id)
    assert request.task == TaskRef(DAG, run_id, GATE)
    assert request.subject == "Release?"
    assert request.options == ("Approve", "Reject")
    assert request.assigned == ("bea",)
    for user in ("sam", "dora", "admin", "amy"):
        with refusal(403):
            platform_client.respond(user, request.task, "Approve")
    assert platform_client.task_states(DAG, run_id)[GATE] == "awaiting_input"
    answer = platform_client.respond("bea", request.task, "Approve", {"reason": "all is well"})
    assert answer["responded_by"] == {"id": "bea", "name": "bea"}
    with refusal(409):
        platform_client.respond("bea", request.task, "Reject")
    assert platform_client.wait_run(DAG, run_id) == "success"
    states = platform_client.task_states(DAG, run_id)
    assert states == dict.fromkeys(["first", GATE, "last[0]", "last[1]"], "success")
    assert platform_client.hitl_waiting(DAG, run_id) == []
    assert platform_client.xcom(request.task)["params_input"] == {"reason": "all is well"}
    assert platform_client.xcom(TaskRef(DAG, run_id, "first")) == {"answer": 42}
    assert platform_client.xcom(TaskRef(DAG, run_id, "last", 1)) == 20
    assert "Returned value was: 10" in platform_client.log(TaskRef(DAG, run_id, "last", 0))


def test_a_run_is_triggered_once(platform_client: AirflowClient) -> None:
    moment = datetime(2013, 5, 1, tzinfo=UTC)
    first = platform_client.trigger(DAG, "once", logical_date=moment, conf={"n": 1})
    assert first["triggering_user_name"] == "dora"
    again = platform_client.trigger(DAG, "once", conf={"n": 2})
    assert (again["dag_run_id"], again["conf"]) == ("once", {"n": 1})
    same_day = platform_client.trigger(DAG, "other-name", logical_date=moment)
    assert same_day["dag_run_id"] == "once"
    with refusal(404):
        platform_client.run(DAG, "other-name")
    with refusal(403):
        platform_client.trigger(DAG, "by-viewer", user="amy")
    with refusal(404):
        platform_client.trigger("no-such-dag", "once")


def test_tasks_are_marked_and_cleared(platform_client: AirflowClient, platform: Platform) -> None:
    run_id = f"marked-{time.time_ns()}"  # a second try of this test is another run
    platform_client.trigger(DAG, run_id)
    gate = parked(platform_client, platform, run_id).task
    with refusal(403):
        platform_client.mark("amy", gate, "success")
    platform_client.mark("sam", gate, "success", note="in a hurry")
    assert platform_client.wait_run(DAG, run_id) == "success"
    assert platform_client.clear(DAG, run_id, [GATE], downstream=True) == [GATE, "last"]
    again = parked(platform_client, platform, run_id)
    platform_client.respond("bea", again.task, "Reject", {"reason": "no"})
    assert platform_client.wait_run(DAG, run_id) == "success"
    # Rejecting leaves the gate green and skips what follows.
    states = platform_client.task_states(DAG, run_id)
    assert states[GATE] == "success"
    assert {state for name, state in states.items() if name.startswith("last")} == {"skipped"}
    assert platform_client.wait_task(TaskRef(DAG, run_id, "first"), ["success"]) == "success"
    with pytest.raises(DemoError, match="in a run that ended as success"):
        platform_client.wait_task(TaskRef(DAG, run_id, "first"), ["failed"], timeout_seconds=5)


def test_a_broken_dag_file_is_told(platform_client: AirflowClient, platform: Platform) -> None:
    broken = platform.places.dags / "broken.py"
    broken.write_text("from airflow.sdk import DAG\nraise ValueError('a broken file')\n")
    try:
        with pytest.raises(DemoError, match=r"broken.py; found ValueError: a broken file"):
            platform_client.wait_dags(["never"], timeout_seconds=60)
        assert list(platform_client.import_errors()) == ["broken.py"]
    finally:
        broken.unlink()


def test_lineage_is_written_to_a_file(platform_client: AirflowClient, platform: Platform) -> None:
    platform_client.trigger(DAG, "lineage")
    platform_client.wait_hitl(DAG, "lineage")
    events = [json.loads(line) for line in platform.places.lineage.read_text().splitlines()]
    assert {event["job"]["namespace"] for event in events} == {"mlops-demo"}
    assert f"{DAG}.first" in {event["job"]["name"] for event in events}


def test_a_second_start_changes_nothing(platform: Platform) -> None:
    before = processes.load(platform.places.folder / "processes.json")
    steps: list[str] = []
    platform.start(steps.append)
    assert processes.load(platform.places.folder / "processes.json") == before
    assert [step.split(" at ")[0] for step in steps] == ["Airflow is healthy"]


def test_another_process_stops_everything_and_it_starts_again(
    platform_client: AirflowClient, platform: Platform
) -> None:
    platform_client.trigger("endless", "cut")
    platform_client.wait_task(TaskRef("endless", "cut", "sleep"), ["running"])
    record = processes.load(platform.places.folder / "processes.json")
    assert record is not None
    everyone = {
        process.pid: process.create_time()
        for leader in record.leaders
        for process in [psutil.Process(leader.pid), *psutil.Process(leader.pid).children(True)]
    }
    assert len(everyone) > len(record.leaders)
    server = int((platform.postgres.data_dir / "postmaster.pid").read_text().split()[0])
    done = subprocess.run(
        [sys.executable, "-m", "demo", "down"],
        cwd=PROJECT,
        env={**os.environ, "MLOPS_DEMO_FOLDER": str(platform.places.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for pid, created in everyone.items():
        assert not same_process(pid, created), f"{pid} is alive"
    assert not psutil.pid_exists(server) or not platform.postgres.running
    assert platform.alive() == dict.fromkeys(platform.alive(), False)
    begin = time.monotonic()
    platform.start()
    assert time.monotonic() - begin < 120
    # The answer given before the stop is still there, and so is the user's login.
    assert platform_client.run(DAG, "answers")["state"] == "success"


def test_a_part_that_dies_is_told_and_nothing_is_left_running(platform: Platform) -> None:
    record = processes.load(platform.places.folder / "processes.json")
    assert record is not None
    scheduler = next(leader for leader in record.leaders if leader.name == "scheduler")
    processes.end([scheduler], grace_seconds=5)
    assert platform.alive() == {"api-server": True, "scheduler": False, "dag-processor": True}
    platform.start()
    assert platform.running
    platform.stop_airflow()
    broken = Platform(
        Urls(
            folder=platform.places.folder,
            project=PROJECT,
            dags=platform.places.dags,
            plugins=platform.places.plugins,
        ),
        platform.postgres,
        port=platform.postgres.port,
    )
    with pytest.raises(DemoError, match=r"Airflow cannot listen on .*MLOPS_DEMO_PORT=<port>"):
        broken.start()
    assert not broken.running


def same_process(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and abs(process.create_time() - created) < 1
    except psutil.NoSuchProcess:
        return False
