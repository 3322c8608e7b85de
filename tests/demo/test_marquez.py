"""The demo's Marquez: what it needs, how it is started and ended, and how Airflow finds it.

Programs of our own stand in the place of ``java`` and ``mvn``, so that nothing is downloaded; the
last test takes the real ones, where they and the jars can be had.
"""

from __future__ import annotations

import json
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from demo.__main__ import _start_marquez, main
from demo.environment import Urls, environment
from demo.errors import DemoError
from demo.marquez import EmbeddedMarquez, is_wanted, url_from_environment
from demo.marquez_parts import (
    JAR,
    fetch_jars,
    have_jars,
    java,
    major_release,
    write_configuration,
)
from demo.platform import Platform, silent
from demo.ports import LOOPBACK
from demo.postgres import EmbeddedPostgres
from mlops.lineage.marquez.client import Marquez
from tests.lineage.real import real_marquez

# Answers where Marquez would, or ends with a stack trace when it finds a file "fail".
JAVA = f"""#!{sys.executable}
import http.server, json, pathlib, sys, threading
if "-version" in sys.argv:
    print('openjdk version "21.0.2" 2024-01-16', file=sys.stderr)
    raise SystemExit
assert sys.argv[1:3] == ["-Xmx512m", "-Duser.timezone=UTC"], sys.argv
assert sys.argv[-3:-1] == ["marquez.MarquezApp", "server"], sys.argv
if pathlib.Path("fail").exists():
    print("java.lang.IllegalStateException: no tables\\n\\tat marquez.Main(Main.java:1)")
    raise SystemExit(1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        here = {{"/healthcheck": "admin", "/api/v1/namespaces": "application"}}.get(self.path)
        self.send_response(200 if here == self.server.kind else 404)
        self.end_headers()
for kind, connectors in json.loads(pathlib.Path(sys.argv[-1]).read_text())["server"].items():
    if not kind.endswith("Connectors"):
        continue
    at = (connectors[0]["bindHost"], connectors[0]["port"])
    server = http.server.ThreadingHTTPServer(at, Handler)
    server.kind = kind.removesuffix("Connectors")
    threading.Thread(target=server.serve_forever).start()
"""

# Copies one file at once, notes that it was called, and breaks off when it finds a file "fail".
MAVEN = f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path(__file__).parent
calls = here / "calls"
calls.write_text((calls.read_text() if calls.exists() else "") + "x")
(target,) = [a.partition("=")[2] for a in sys.argv if a.startswith("-DoutputDirectory=")]
(pathlib.Path(target) / "half.jar").write_text("")
if (here / "fail").exists():
    print("[INFO] Downloading\\n[ERROR] Could not resolve dependencies\\n[ERROR] see above")
    raise SystemExit(1)
(pathlib.Path(target) / "{JAR}").write_text("")
"""


def program(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Java and Maven are ours; gives the folder of its programs."""
    folder = tmp_path / "machine" / "bin"
    program(folder / "java", JAVA)
    program(folder / "mvn", MAVEN)
    monkeypatch.setenv("JAVA_HOME", str(folder.parent))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("MLOPS_DEMO_MARQUEZ", raising=False)
    return folder


@pytest.fixture
def embedded_marquez(tmp_path: Path, postgres: EmbeddedPostgres) -> Iterator[EmbeddedMarquez]:
    made = EmbeddedMarquez(tmp_path / "marquez", postgres, None, database="marquez_test")
    yield made
    made.stop()
    postgres.drop_database("marquez_test")


def places(folder: Path) -> Urls:
    return Urls(folder=folder, project=folder, dags=folder / "dags", plugins=folder / "plugins")


def lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/namespaces", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_292"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ("sh: java: not found", 0),
        ("", 0),
    ],
)
def test_the_release_of_java_is_read(text: str, release: int) -> None:
    assert major_release(text) == release


def test_a_missing_or_old_java_is_refused(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert java() == str(machine / "java")
    program(machine / "java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    with pytest.raises(DemoError, match=r'Java 17 or newer; found .*/java: openjdk version "11'):
        java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(DemoError, match=r"needs Java; found no program java; .*openjdk-17"):
        java()
    monkeypatch.delenv("JAVA_HOME")
    program(machine / "java", JAVA)
    assert java() == str(machine / "java")


def test_the_jars_are_downloaded_once(machine: Path, tmp_path: Path) -> None:
    library = tmp_path / "jars" / "lib"
    said: list[str] = []
    for _ in range(2):
        fetch_jars(library, said.append)
    assert have_jars(library)
    assert (machine / "calls").read_text() == "x"
    assert len(said) == 1


def test_a_download_that_breaks_off_is_not_taken_for_whole(machine: Path, tmp_path: Path) -> None:
    library = tmp_path / "jars" / "lib"
    (machine / "fail").touch()
    with pytest.raises(DemoError, match=r"found \[ERROR\] Could not resolve dependencies; what"):
        fetch_jars(library, silent)
    assert sorted(file.name for file in library.parent.iterdir()) == ["lib.lock", "maven.log"]
    (machine / "fail").unlink()
    fetch_jars(library, silent)
    assert have_jars(library)
    (machine / "mvn").unlink()
    fetch_jars(library, silent)
    with pytest.raises(DemoError, match="found no program mvn"):
        fetch_jars(tmp_path / "other" / "lib", silent)


def test_jars_of_another_version_are_replaced(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    (library / "marquez-api-0.1.0.jar").touch()
    fetch_jars(library, silent)
    assert sorted(file.name for file in library.glob("marquez*")) == [JAR]


def test_the_configuration_is_ours_alone_and_deletes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "marquez.yml"
    file.touch(mode=0o644)
    url = "postgresql://marquez:se-cr%C3%A9t@127.0.0.1:5439/marquez"
    write_configuration(file, database_url=url, port=1, admin_port=2)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = json.loads(file.read_text())
    assert "dbRetention" not in content
    assert content["db"]["url"] == (
        "jdbc:postgresql://127.0.0.1:5439/marquez?options=-c%20statement_timeout=120000"
    )
    assert content["db"]["password"] == "se-crét"
    connectors = [
        *content["server"]["applicationConnectors"],
        *content["server"]["adminConnectors"],
    ]
    assert [connector["bindHost"] for connector in connectors] == [LOOPBACK] * 2


def test_it_starts_once_and_ends_whoever_started_it(
    embedded_marquez: EmbeddedMarquez, postgres: EmbeddedPostgres
) -> None:
    said: list[str] = []
    embedded_marquez.stop()
    assert not embedded_marquez.running
    with pytest.raises(DemoError, match="is not running"):
        _ = embedded_marquez.url
    embedded_marquez.start(said.append)
    assert embedded_marquez.running
    assert lives(embedded_marquez.url)
    assert said[-1].startswith(f"Marquez is ready at {embedded_marquez.url} (")
    url, lines = embedded_marquez.url, len(said)
    embedded_marquez.start(said.append)
    assert (embedded_marquez.url, len(said)) == (url, lines)
    found = EmbeddedMarquez(embedded_marquez.folder, postgres, None, database="marquez_test")
    assert (found.running, found.url) == (True, url)
    found.stop()
    assert not embedded_marquez.running
    assert not lives(url)
    embedded_marquez.start(said.append)
    assert lives(embedded_marquez.url)


def test_it_owns_its_database_and_nothing_else(
    embedded_marquez: EmbeddedMarquez, postgres: EmbeddedPostgres
) -> None:
    embedded_marquez.start(silent)
    content = json.loads((embedded_marquez.folder / "marquez.yml").read_text())["db"]
    name = content["url"].rpartition("/")[2].partition("?")[0]
    url = postgres.url(name, user=content["user"], password=content["password"])
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_user, rolsuper OR rolcreatedb OR rolcreaterole, pg_get_userbyid(datdba)"
            " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = %s",
            [name],
        ).fetchone()
    assert row == ("marquez_test", False, "marquez_test")


def test_a_taken_port_is_refused_by_name(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        made = EmbeddedMarquez(tmp_path / "m", postgres, port, database="marquez_test")
        with pytest.raises(DemoError, match=rf"Marquez .*:{port}; .*MLOPS_DEMO_MARQUEZ_PORT=<port"):
            made.start(silent)
    assert not made.running
    postgres.drop_database("marquez_test")


def test_a_server_that_ends_says_its_last_line(embedded_marquez: EmbeddedMarquez) -> None:
    embedded_marquez.folder.mkdir()
    (embedded_marquez.folder / "fail").touch()
    with pytest.raises(DemoError, match=r"Marquez has ended; .*IllegalStateException: no tables"):
        embedded_marquez.start(silent)
    assert not embedded_marquez.running
    (embedded_marquez.folder / "fail").unlink()
    embedded_marquez.start(silent)
    assert embedded_marquez.running


def test_airflow_is_told_of_a_marquez_that_runs(
    embedded_marquez: EmbeddedMarquez, postgres: EmbeddedPostgres, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    platform = Platform(places(tmp_path), postgres, port=1, marquez=embedded_marquez)
    transport = "AIRFLOW__OPENLINEAGE__TRANSPORT"
    option = "AIRFLOW__MLOPS__MARQUEZ_URL"
    before = platform.environment()
    assert json.loads(before[transport])["type"] == "file"
    assert option not in before
    assert before == environment(platform.places, postgres, 1)
    embedded_marquez.start(silent)
    found = platform.environment()
    assert found[option] == embedded_marquez.url
    # Airflow's own events still go to a file: a Marquez that hangs would hold every task.
    assert found[transport] == before[transport]
    monkeypatch.setenv("MLOPS_DEMO_MARQUEZ", "off")
    assert platform.environment().get(option) is None
    monkeypatch.setenv("MLOPS_DEMO_MARQUEZ", "http://elsewhere:5000")
    assert platform.environment()[option] == "http://elsewhere:5000"


@pytest.mark.parametrize(
    ("said", "wanted", "url"),
    [
        ("", True, None),
        ("on", True, None),
        ("off", False, None),
        ("http://h:5000", False, "http://h:5000"),
    ],
)
def test_the_variable_chooses(
    said: str, wanted: bool, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DEMO_MARQUEZ", said)
    assert (is_wanted(), url_from_environment()) == (wanted, url)
    monkeypatch.setenv("MLOPS_DEMO_MARQUEZ", "maybe")
    with pytest.raises(DemoError, match=r"MLOPS_DEMO_MARQUEZ; found 'maybe'; expected on, off"):
        is_wanted()


def test_the_demo_goes_on_without_it_and_says_why_in_one_line(
    embedded_marquez: EmbeddedMarquez, postgres: EmbeddedPostgres, machine: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    platform = Platform(places(tmp_path), postgres, port=1, marquez=embedded_marquez)
    (machine / "mvn").unlink()
    _start_marquez(platform)
    told = capsys.readouterr().out
    assert told.startswith("Lineage is kept in the store")
    assert "not sent to a Marquez: Maven is needed once" in told
    assert told.count("\n") == 1
    program(machine / "mvn", MAVEN)
    (machine / "fail").touch()
    _start_marquez(platform)
    assert "not sent to a Marquez: Maven could not download" in capsys.readouterr().out
    (machine / "fail").unlink()
    _start_marquez(platform)
    assert "Marquez is ready at" in capsys.readouterr().out
    assert platform.marquez_url == embedded_marquez.url


def test_the_command_line_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_DEMO_FOLDER", str(tmp_path / "demo"))
    assert main(["status"]) == 3
    assert "marquez        not running" in capsys.readouterr().out
    monkeypatch.setenv("MLOPS_DEMO_MARQUEZ_PORT", "0")
    assert main(["marquez"]) == 1
    assert "environment variable MLOPS_DEMO_MARQUEZ_PORT" in capsys.readouterr().err


@pytest.mark.system
def test_a_real_one_takes_an_event(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    run_id = "0b8f33d6-8f6a-4a7c-9a3c-0e5a4b4d3f11"
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.org",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id},
        "job": {"namespace": "mlops", "name": "churn.v7.train"},
    }
    with real_marquez(postgres) as url:
        client = Marquez(url, timeout_s=10)
        assert client.run(run_id) is None
        assert client.post(json.dumps(event)).kind == "delivered"
        run = client.run(run_id)
        assert run is not None
        assert run["state"] == "COMPLETED"
        assert client.post("{").kind == "refused"
