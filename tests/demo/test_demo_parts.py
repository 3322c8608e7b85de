"""The demo's small parts: ports, keys, environment, processes, command line."""

from __future__ import annotations

import base64
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from cryptography.fernet import Fernet

from demo import processes
from demo.__main__ import main
from demo.contents import load_flights, make_store
from demo.environment import Urls, environment
from demo.errors import DemoError
from demo.keys import derived_key
from demo.platform import Platform
from demo.ports import LOOPBACK, free_port, is_free, port_from_environment, require_free
from demo.postgres import EmbeddedPostgres
from demo.processes import Leader, Record
from demo.users import USERS

# A leader that moves its children into process groups of their own, as Airflow does, and waits.
# It alone says that it is up, when all are there: a child that said so would be believed while
# the next one was still to be made.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    os.setpgid(child, 0)
print("up", flush=True)
time.sleep(600)
"""


def places(folder: Path) -> Urls:
    return Urls(folder=folder, project=folder, dags=folder / "dags", plugins=folder / "plugins")


def session_of(pid: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def start(folder: Path, script: str) -> Leader:
    log = folder / "log"
    leader = processes.start(
        "part", [sys.executable, "-c", script], environment={}, folder=folder, log=log
    )
    deadline = time.monotonic() + 60
    while "up" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return leader


def test_an_error_is_one_line_that_says_what_to_do() -> None:
    error = DemoError("the thing.", found="x.", expected="y", action="do z.")
    assert str(error) == "the thing; found x; expected y; what to do: do z."


def test_a_taken_port_is_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(DemoError, match=rf"Airflow cannot listen .*:{port}; .*A_PORT=<port>"):
            require_free(port, user="Airflow", variable="A_PORT")
    assert is_free(port)
    assert is_free(free_port())


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80 80", "٨٠٨٠x"])
def test_a_variable_that_is_not_a_port_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_PORT", text)
    with pytest.raises(DemoError, match=r"A_PORT; found .*expected a port, 1 to 65535"):
        port_from_environment("A_PORT", 8080)


def test_a_port_comes_from_the_variable_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_PORT", raising=False)
    assert port_from_environment("A_PORT", 8080) == 8080
    monkeypatch.setenv("A_PORT", " 9090 ")
    assert port_from_environment("A_PORT", 8080) == 9090


def test_derived_keys_are_stable_distinct_and_fit_for_fernet() -> None:
    assert derived_key("s", "a") == derived_key("s", "a")
    assert len({derived_key("s", "a"), derived_key("s", "b"), derived_key("t", "a")}) == 3
    assert len(base64.urlsafe_b64decode(derived_key("s", "a"))) == 32
    fernet = Fernet(derived_key("s", "fernet"))
    assert fernet.decrypt(fernet.encrypt(b"x")) == b"x"


def test_the_people_of_the_demo() -> None:
    assert {user.name: user.role for user in USERS} == {
        "admin": "admin",
        "dora": "op",
        "sam": "user",
        "bea": "user",
        "lin": "user",
        "max": "user",
        "leo": "user",
        "amy": "viewer",
    }


def test_the_environment_holds_nothing_of_another_airflow(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "postgres://elsewhere/x")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/elsewhere/airflow.cfg")
    monkeypatch.setenv("OPENLINEAGE_URL", "http://elsewhere")
    monkeypatch.setenv("PGPASSWORD", "x")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.setenv("HARMLESS", "kept")
    found = environment(places(tmp_path), postgres, 1234)
    assert "elsewhere" not in " ".join(found.values())
    assert "PGPASSWORD" not in found
    assert found["HARMLESS"] == "kept"
    assert found["AIRFLOW__CORE__EXECUTOR"] == "mlops.preload.local.PreloadedLocalExecutor"
    assert found["AIRFLOW__API__HOST"] == LOOPBACK
    assert found["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:1234"
    assert found["AIRFLOW_CONN_WAREHOUSE"].startswith("postgres://warehouse:")
    assert found["AIRFLOW_CONN_WAREHOUSE"].endswith(f"@127.0.0.1:{postgres.port}/warehouse")
    assert found["AIRFLOW_CONN_MLOPS_STORE"].startswith("postgres://mlops_tasks:")
    assert found["AIRFLOW_CONN_MLOPS_STORE"].endswith(f"@127.0.0.1:{postgres.port}/warehouse")
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    # Lineage replaces every text that equals a connection's password: it must be no plain word.
    assert all(len(uri.split(":")[2].split("@")[0]) > 40 for uri in (
        found["AIRFLOW_CONN_WAREHOUSE"], found["AIRFLOW_CONN_MLOPS_STORE"]
    ))  # fmt: skip


def test_the_databases_are_filled_once_and_the_tasks_may_not_delete(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    said: list[str] = []
    platform = Platform(places(tmp_path), postgres, port=free_port())
    for _ in range(2):
        platform.start_postgres(said.append)
        load_flights(postgres, said.append)
        make_store(platform.places, postgres, said.append)
    assert len(said) == 6
    assert "loaded in" in said[0]
    assert "were there already" in said[3]
    assert said[1:3] == said[4:]
    with psycopg.connect(postgres.url("warehouse", user="mlops_tasks")) as connection:
        assert connection.execute("SELECT count(*) FROM mlops.ledger").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM mlops.ledger")
    for name in ("airflow", "warehouse"):
        postgres.drop_database(name)


def test_the_end_of_a_leader_is_the_end_of_its_session(tmp_path: Path) -> None:
    leader = start(tmp_path, STUBBORN)
    assert processes.is_alive(leader)
    assert len(session_of(leader.pid)) == 3
    processes.end([leader], grace_seconds=0.3)
    assert session_of(leader.pid) == []
    assert not processes.is_alive(leader)
    processes.end([leader], grace_seconds=0.3)


def test_what_a_killed_leader_leaves_is_found(tmp_path: Path) -> None:
    leader = start(tmp_path, STUBBORN)
    os.kill(leader.pid, signal.SIGKILL)
    os.waitpid(leader.pid, 0)
    assert not processes.is_alive(leader)
    assert len(session_of(leader.pid)) == 2
    processes.end([leader], grace_seconds=0.1)
    assert session_of(leader.pid) == []


def test_another_process_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    leader = start(tmp_path, STUBBORN)
    earlier = Leader(name=leader.name, pid=leader.pid, started=leader.started - 100)
    processes.end([earlier], grace_seconds=0.1)
    assert processes.is_alive(leader)
    processes.end([leader], grace_seconds=0.1)


def test_a_record_is_read_back_and_a_broken_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    assert processes.load(file) is None
    record = Record(port=1, leaders=(Leader(name="a", pid=2, started=3.5),))
    processes.save(file, record)
    assert processes.load(file) == record
    file.write_text("{")
    with pytest.raises(DemoError, match="expected the list of the demo's processes"):
        processes.load(file)


def test_the_command_line_before_anything_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_DEMO_FOLDER", str(tmp_path / "demo"))
    assert main(["status"]) == 3
    assert "scheduler      not running" in capsys.readouterr().out
    assert main(["mlops", "status", "flight_delay"]) == 3
    assert capsys.readouterr().err == "nothing is running: start it with make demo or make up\n"
    assert main(["down"]) == 0
    assert not (tmp_path / "demo").exists()
    monkeypatch.setenv("MLOPS_DEMO_PORT", "no")
    assert main(["up"]) == 1
    assert capsys.readouterr().err.startswith("error: environment variable MLOPS_DEMO_PORT")
