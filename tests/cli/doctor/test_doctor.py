"""``doctor``: every finding, over real configurations, a real Postgres and a server for Marquez."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from demo.postgres import EmbeddedPostgres
from mlops.cli.doctor import command, emission_policy
from mlops.cli.doctor.findings import Finding, Passed, place
from mlops.cli.main import main
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.relay import deliver
from mlops.registry import extensions_for
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from tests.fixtures.approval_key import KEY, write_key
from tests.fixtures.life import PROJECT, TASK_ROLE
from tests.fixtures.small import migrate, write_include
from tests.lineage.faulty import FaultyServer, Mode
from tests.lineage.marquez.test_relay import fact
from tests.operators.conftest import forget_settings

if TYPE_CHECKING:
    from tests.fixtures.postgres import MakeDatabase

SECRET = "a-secret-that-nobody-sees"
GOOD_HTTP = {"type": "http", "url": "http://127.0.0.1:1", "timeout": 2, "retry": {"total": 0}}
LOSES, UNSAFE, ADVICE = "loses lineage", "unsafe", "advice"


def settings(**values: Any) -> dict[str, str]:
    """``openlineage__namespace="x"`` as the variable that Airflow reads."""
    return {
        f"AIRFLOW__{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


@pytest.fixture(scope="module")
def store_url(postgres: EmbeddedPostgres, make_database: MakeDatabase) -> Iterator[tuple[str, str]]:
    """A migrated store: as its owner, and as the tasks."""
    owner = make_database()
    migrate(postgres, owner)
    postgres.ensure_role("mlops_api")
    upgrade(owner, task_role=TASK_ROLE, api_role="mlops_api")
    name = owner.rpartition("/")[2]
    yield owner, postgres.url(name, user=TASK_ROLE)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def small_include() -> Iterator[Path]:
    """The include folder of the small model."""
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as folder:
        yield write_include(Path(folder) / "include")


@pytest.fixture
def faulty_marquez() -> Iterator[FaultyServer]:
    """A server that answers as Marquez does."""
    with FaultyServer() as server:
        server.answer = b"{}"
        yield server


@pytest.fixture
def healthy(
    store_url: tuple[str, str], small_include: Path, faulty_marquez: FaultyServer, tmp_path: Path
) -> dict[str, str]:
    """The variables of a platform that has nothing to be said of."""
    tasks = store_url[1].replace("postgresql:", "postgres:")
    return {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW_CONN_MLOPS_STORE": tasks,
        "AIRFLOW_CONN_WAREHOUSE": tasks,
        **settings(
            core__load_examples="False",
            core__plugins_folder=str(PROJECT / "plugins"),
            core__executor="LocalExecutor",
            database__sql_alchemy_conn=f"postgresql+psycopg2://airflow:{SECRET}@db:5432/airflow",
            api__base_url="https://airflow.example.com",
            mlops__approval_keys=KEY.fingerprint,
            mlops__include_folder=str(small_include),
            mlops__artifact_root="s3://models/mlops",
            mlops__marquez_url=faulty_marquez.url,
            openlineage__namespace="airflow-prod",
            openlineage__execute_in_thread="True",
            openlineage__transport=GOOD_HTTP,
        ),
    }


class Examined:
    """A platform whose checks are run in this process, one by one."""

    def __init__(self, patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
        self._patch = patch
        for name in list(os.environ):
            if name.startswith(("AIRFLOW_CONN_", "AIRFLOW__", "OPENLINEAGE")):
                patch.delenv(name)
        self.set({name: value for name, value in variables.items() if name != "AIRFLOW_HOME"})

    def set(self, variables: Mapping[str, str], *, without: tuple[str, ...] = ()) -> None:
        for name, value in variables.items():
            self._patch.setenv(name, value)
        for name in without:
            self._patch.delenv(name)
        forget_settings()

    def said(self, check: str) -> list[Finding | Passed]:
        """By the check of this name among those that the command runs."""
        (found,) = [one for one in command.CHECKS if one.__name__ == check]
        with command._quiet():
            return command._tried(found)

    def findings(self, check: str) -> list[Finding]:
        found = [one for one in self.said(check) if isinstance(one, Finding)]
        for one in found:
            assert one.what and one.found and one.expected and one.action
            assert SECRET not in repr(one)
        return found

    def one(self, check: str, severity: str) -> Finding:
        (found,) = self.findings(check)
        assert found.severity == severity, found
        return found


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, healthy: dict[str, str]) -> Iterator[Examined]:
    yield Examined(monkeypatch, healthy)
    monkeypatch.undo()
    forget_settings()


def run(variables: Mapping[str, str], *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "OPENLINEAGE"))
    }
    return subprocess.run(
        [sys.executable, "-m", "mlops", "doctor", *flags],
        env={**kept, "PYTHONPATH": str(PROJECT / "plugins"), **variables},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# As a shell runs it.


def test_a_healthy_platform_has_no_finding(healthy: dict[str, str], tmp_path: Path) -> None:
    done = run(healthy, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert [line for line in lines[:-1] if not line.startswith("ok  ")] == [], done.stdout
    assert lines[-1] == "0 unsafe, 0 loses lineage, 0 advice"
    assert len(lines) > 15
    assert "ok  the plugin mlops is loaded" in lines
    assert done.returncode == 0


def test_a_platform_without_the_plugin_in_json(healthy: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    variables = {
        **healthy,
        **settings(core__plugins_folder=str(tmp_path / "plugins")),
        **settings(mlops__marquez_api_key=SECRET),
        **settings(openlineage__transport={**GOOD_HTTP, "auth": {"apiKey": SECRET}}),
    }
    done = run(variables, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    (finding,) = told["findings"]
    assert (finding["severity"], finding["check"]) == (UNSAFE, "plugin")
    assert "airflow plugins" in finding["action"]
    assert len(told["ok"]) > 15
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr


def test_an_airflow_as_it_comes(tmp_path: Path) -> None:
    """Nothing is configured: all is said, and nothing is raised."""
    variables = {"AIRFLOW_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = run(variables, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    for said in ("SQLite", "connection 'mlops_store'", "OpenLineage has no transport", "plugin"):
        assert said in done.stdout
    order = [
        line.partition(":")[0]
        for line in done.stdout.splitlines()
        if not re.match(r"[ o0-9]", line)
    ]
    assert order == sorted(order, key=["unsafe", "loses lineage", "advice"].index)


def test_advice_alone_is_no_failure(
    examined: Examined, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examined.set({}, without=("AIRFLOW__API__BASE_URL",))
    checks = [one for one in command.CHECKS if one.__name__ in ("base_url", "reducing")]
    monkeypatch.setattr(command, "CHECKS", tuple(checks))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "advice: [api] base_url is not set"
    assert lines[2].startswith("    what to do: set it")
    assert lines[-1] == "0 unsafe, 0 loses lineage, 1 advice"


def test_a_check_that_cannot_run_says_so(examined: Examined) -> None:
    examined.set(settings(openlineage__transport=f'["{SECRET}"'))
    found = examined.one("transport", UNSAFE)
    assert found.what == "the check 'transport' could not run"


# Airflow.


def test_everybody_is_an_administrator(examined: Examined) -> None:
    assert examined.findings("everybody_admin") == []
    examined.set(settings(core__simple_auth_manager_all_admins="True"))
    assert "all_admins" in examined.one("everybody_admin", UNSAFE).what
    fab = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    examined.set(settings(core__auth_manager=fab))
    assert examined.findings("everybody_admin") == [], "the option is of another manager"


def test_a_sqlite_metadata_database(examined: Examined) -> None:
    assert examined.findings("metadata_database") == []
    examined.set(settings(database__sql_alchemy_conn="sqlite:////tmp/airflow.db"))
    assert "SQLite" in examined.one("metadata_database", UNSAFE).found


def test_no_base_url(examined: Examined) -> None:
    assert examined.findings("base_url") == []
    examined.set({}, without=("AIRFLOW__API__BASE_URL",))
    examined.one("base_url", ADVICE)


@pytest.mark.parametrize(
    ("root", "executor", "elsewhere"),
    [
        ("file:///srv/artifacts", "CeleryExecutor", "CeleryExecutor"),
        ("file:///srv/artifacts", "LocalExecutor,KubernetesExecutor", "KubernetesExecutor"),
        ("/srv/artifacts", "LocalExecutor;team_a=CeleryExecutor", "CeleryExecutor"),
        ("file:///srv/artifacts", "my.company.EdgeExecutor:edge", "EdgeExecutor"),
        ("file:///srv/artifacts", "LocalExecutor", None),
        ("file:///srv/artifacts", "mlops.preload.local.PreloadedLocalExecutor", None),
        ("s3://models/mlops", "CeleryExecutor", None),
    ],
)
def test_artifacts_in_a_folder_of_one_of_many_machines(
    examined: Examined, root: str, executor: str, elsewhere: str | None
) -> None:
    examined.set(settings(mlops__artifact_root=root, core__executor=executor))
    if elsewhere is None:
        assert examined.findings("artifacts") == []
    else:
        assert examined.one("artifacts", UNSAFE).found == f"a local folder with {elsewhere}"


# The store.


def test_a_store_of_the_tasks_role_is_well(examined: Examined) -> None:
    assert examined.findings("store") == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "the connection 'mlops_store'"),
        (f"postgres://somebody:{SECRET}@127.0.0.1:1/nothing", "cannot be reached"),
    ],
)
def test_a_store_that_is_not_there(examined: Examined, url: str | None, said: str) -> None:
    if url is None:
        examined.set({}, without=("AIRFLOW_CONN_MLOPS_STORE",))
    else:
        examined.set({"AIRFLOW_CONN_MLOPS_STORE": url})
    assert said in examined.one("store", UNSAFE).what
    assert examined.findings("marquez") == [], "one finding for one fault"


def test_a_store_that_is_not_migrated(examined: Examined, database: str) -> None:
    examined.set({"AIRFLOW_CONN_MLOPS_STORE": database.replace("postgresql:", "postgres:")})
    assert "python -m mlops db upgrade" in examined.one("store", UNSAFE).action


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        ("ALTER ROLE {role} SUPERUSER", "a superuser"),
        ("GRANT UPDATE ON mlops.ledger TO {role}", "UPDATE ledger"),
        ("GRANT UPDATE (payload) ON mlops.ledger TO {role}", "UPDATE ledger"),
        ("GRANT DELETE ON mlops.decision TO {role}", "DELETE decision"),
        ("GRANT TRUNCATE ON mlops.deployment TO {role}", "TRUNCATE deployment"),
        ("GRANT TRIGGER ON mlops.ledger TO {role}", "TRIGGER ledger"),
        ("GRANT pg_write_all_data TO {role}", "UPDATE alembic_version"),
        ("ALTER TABLE mlops.ledger OWNER TO {role}", "ledger"),
        ("GRANT doctor_owner TO {role}", "schema mlops"),
    ],
)
def test_a_role_that_may_rewrite_the_past(
    examined: Examined,
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    grants: str,
    said: str,
) -> None:
    url = make_database()
    name = url.rpartition("/")[2]
    role = f"doctor_{name}"
    postgres.ensure_role(role)
    postgres.ensure_role("doctor_owner")
    migrate(postgres, url)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SCHEMA mlops OWNER TO doctor_owner")
            connection.execute(f"GRANT USAGE ON SCHEMA mlops TO {role}".encode())
            connection.execute(
                f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA mlops TO {role}".encode()
            )
            examined.set(
                {
                    "AIRFLOW_CONN_MLOPS_STORE": postgres.url(name, user=role).replace(
                        "postgresql:", "postgres:"
                    )
                }
            )
            assert examined.findings("store") == []
            connection.execute(grants.format(role=role).encode())
        found = examined.one("store", UNSAFE)
        assert said in found.found
        assert "--task-role" in found.action
    finally:
        postgres.drop_database(name)
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP ROLE {role}".encode())


def test_a_store_within_airflow_s_database(examined: Examined, store_url: tuple[str, str]) -> None:
    with psycopg.connect(store_url[0], autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE dag_run (); CREATE TABLE task_instance (); CREATE TABLE serialized_dag ()"
        )
        try:
            assert "metadata" in examined.one("store", ADVICE).what
        finally:
            connection.execute("DROP TABLE dag_run, task_instance, serialized_dag")


# The governed lineage.


def test_no_marquez(examined: Examined) -> None:
    examined.set({}, without=("AIRFLOW__MLOPS__MARQUEZ_URL",))
    assert "not set" in examined.one("marquez", ADVICE).what


def test_a_marquez_that_is_away(examined: Examined, faulty_marquez: FaultyServer) -> None:
    faulty_marquez.refuse()
    assert "no answer" in examined.one("marquez", LOSES).what


def test_a_marquez_that_hangs(examined: Examined, faulty_marquez: FaultyServer) -> None:
    faulty_marquez.mode = Mode.HANG
    assert "nothing whole in 2 s" in examined.one("marquez", LOSES).found


@pytest.mark.parametrize(
    "url", [f"http://ann:{SECRET}@marquez:5000", f"http://marquez:5000?key={SECRET}"]
)
def test_an_address_with_a_secret(examined: Examined, url: str) -> None:
    examined.set(settings(mlops__marquez_url=url))
    assert "http://marquez:5000" in examined.one("marquez", UNSAFE).found


def test_an_address_that_is_none(examined: Examined) -> None:
    examined.set(settings(mlops__marquez_url="marquez:5000"))
    examined.one("marquez", LOSES)


@pytest.fixture
def facts(
    examined: Examined, postgres: EmbeddedPostgres, make_database: MakeDatabase
) -> Iterator[Store]:
    """A store of its own, to which the platform's connection leads."""
    url = make_database()
    name = url.rpartition("/")[2]
    migrate(postgres, url)
    tasks = postgres.url(name, user=TASK_ROLE).replace("postgresql:", "postgres:")
    examined.set({"AIRFLOW_CONN_MLOPS_STORE": tasks})
    yield Store(url)
    postgres.drop_database(name)


def test_events_that_wait(examined: Examined, facts: Store, faulty_marquez: FaultyServer) -> None:
    fact(facts, "one")
    fact(facts, "two")
    found = examined.one("marquez", ADVICE)
    assert (found.check, found.found) == ("marquez_waiting", "4 that have not arrived")
    deliver(facts, Marquez(faulty_marquez.url))
    assert examined.findings("marquez") == []


def test_events_that_were_refused(
    examined: Examined, facts: Store, faulty_marquez: FaultyServer
) -> None:
    fact(facts, "one")
    faulty_marquez.first(Mode.BAD_REQUEST)
    deliver(facts, Marquez(faulty_marquez.url))
    refused, waits = examined.findings("marquez")
    assert (refused.check, refused.severity) == ("marquez_refused", LOSES)
    assert refused.found == "1 refused, the first churn.one.0 (entry 2)"
    assert waits.check == "marquez_waiting"
    deliver(facts, Marquez(faulty_marquez.url))
    assert examined.findings("marquez") == [], "it has arrived since then"


def test_a_marquez_that_was_emptied(
    examined: Examined, facts: Store, faulty_marquez: FaultyServer
) -> None:
    fact(facts, "one")
    deliver(facts, Marquez(faulty_marquez.url))
    faulty_marquez.status = 404
    found = examined.one("marquez", LOSES)
    assert found.check == "marquez_emptied"


# Airflow's own lineage.


def test_openlineage_without_a_transport(examined: Examined) -> None:
    assert examined.findings("on") == []
    examined.set({}, without=("AIRFLOW__OPENLINEAGE__TRANSPORT",))
    assert "no transport" in examined.one("on", LOSES).what
    for check in (
        "transport",
        "reducing",
        "namespace",
        "emission_policy",
        "timing",
        "maskable_passwords",
    ):
        assert examined.said(check) == [], "nothing is said of what is not there"


@pytest.mark.parametrize(
    "variables", [settings(openlineage__disabled="True"), {"OPENLINEAGE_DISABLED": "true"}]
)
def test_openlineage_that_is_switched_off(examined: Examined, variables: dict[str, str]) -> None:
    examined.set(variables)
    assert "switched off" in examined.one("on", LOSES).what
    assert examined.said("transport") == []


BACKGROUND = {"type": "async_http", "url": "http://127.0.0.1:1"}
DATADOG = {"type": "datadog", "apiKey": SECRET, "timeout": 1, "retry": {"total": 0}}
KAFKA = {"type": "kafka", "topic": "lineage", "config": {"bootstrap.servers": "kafka:9092"}}
TRANSFORM = {
    "type": "transform",
    "transformer_class": "openlineage.client.transport.transform.JobNamespaceReplaceTransformer",
}


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        (BACKGROUND, "sends in the background"),
        (
            {**BACKGROUND, "type": "openlineage.client.transport.async_http.AsyncHttpTransport"},
            "sends in the background",
        ),
        ({**DATADOG, "async_transport_rules": {"*": {"*": True}}}, "sends in the background"),
        ({**DATADOG, "async_transport_rules": {"airflow": {"TASK": True}}}, "in the background"),
        ({**TRANSFORM, "transport": BACKGROUND}, "sends in the background"),
        ({**KAFKA, "flush": False}, "does not flush"),
        ({"type": "console"}, "'console'"),
        ({"type": "noop"}, "'noop'"),
        ({"type": "no.such.Transport"}, "'no.such.Transport'"),
        ({"type": "http", "auth": {"apiKey": SECRET}}, "'http'"),
        ({"type": "composite", "transports": []}, "'composite'"),
    ],
)
def test_a_transport_that_loses_events(examined: Examined, transport: Any, said: str) -> None:
    examined.set(settings(openlineage__transport=transport))
    assert said in examined.one("transport", LOSES).what


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ({"type": "http", "url": "http://127.0.0.1:1"}, "timeout 5 s and 5 retries"),
        ({**GOOD_HTTP, "timeout": 3}, "timeout 3 s and 0 retries"),
        ({**GOOD_HTTP, "retry": {"backoff_factor": 1}}, "timeout 2 s and 5 retries"),
        ({"type": "datadog", "apiKey": SECRET}, "timeout 5 s and 5 retries"),
        (KAFKA, "message.timeout.ms"),
    ],
)
def test_a_transport_that_makes_tasks_slow(examined: Examined, transport: Any, said: str) -> None:
    examined.set(settings(openlineage__transport=transport))
    assert said in examined.one("transport", ADVICE).found


@pytest.mark.parametrize(
    "transport",
    [
        GOOD_HTTP,
        {**GOOD_HTTP, "auth": {"type": "api_key", "apiKey": SECRET}},
        {"type": "file", "log_file_path": "/tmp/events.json", "append": True},
        {**TRANSFORM, "transport": GOOD_HTTP},
        {**KAFKA, "config": {"bootstrap.servers": "kafka:9092", "message.timeout.ms": "2000"}},
        DATADOG,
    ],
)
def test_a_transport_that_delivers(examined: Examined, transport: Any) -> None:
    examined.set(settings(openlineage__transport=transport))
    assert examined.findings("transport") == []
    assert len(examined.said("transport")) == 1


@pytest.mark.parametrize("children", [[GOOD_HTTP, BACKGROUND], {"a": BACKGROUND, "b": GOOD_HTTP}])
@pytest.mark.parametrize("stops", [False, True])
def test_a_composite_is_no_second_chance(examined: Examined, children: Any, stops: bool) -> None:
    whole = {"type": "composite", "transports": children, "continue_on_failure": not stops}
    examined.set(settings(openlineage__transport=whole))
    composite, background = examined.findings("transport")
    assert (composite.severity, background.severity) == (ADVICE, LOSES)
    words = "the first that fails" if stops else "does not try a lost event again"
    assert words in composite.what


# Where the client reads its configuration.


def test_the_transport_of_a_file(examined: Examined, tmp_path: Path) -> None:
    file = tmp_path / "openlineage.yml"
    file.write_text(
        "transport: {type: async_http, url: 'http://127.0.0.1:1'}\n"
        "dataset: {reducing_enabled: true}\n"
    )
    examined.set(
        settings(openlineage__config_path=str(file)), without=("AIRFLOW__OPENLINEAGE__TRANSPORT",)
    )
    assert "background" in examined.one("transport", LOSES).what
    assert "reducing_enabled" in examined.one("reducing", LOSES).found


def test_a_file_that_the_client_finds_by_itself(
    examined: Examined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is merged below Airflow's transport, which has no word for datasets."""
    (tmp_path / "openlineage.yml").write_text("dataset: {reducing_enabled: true}\n")
    assert examined.findings("reducing") == []
    monkeypatch.chdir(tmp_path)
    examined.one("reducing", LOSES)
    assert examined.findings("transport") == []


def test_a_transport_of_variables(examined: Examined) -> None:
    examined.set(
        {
            "OPENLINEAGE__TRANSPORT__TYPE": "async_http",
            "OPENLINEAGE__TRANSPORT__URL": "http://127.0.0.1:1",
            "OPENLINEAGE__DATASET__REDUCING_ENABLED": "true",
        },
        without=("AIRFLOW__OPENLINEAGE__TRANSPORT",),
    )
    assert "background" in examined.one("transport", LOSES).what
    examined.one("reducing", LOSES)


def test_a_transport_of_one_variable(examined: Examined) -> None:
    examined.set(
        {"OPENLINEAGE_URL": "http://127.0.0.1:1", "OPENLINEAGE_API_KEY": SECRET},
        without=("AIRFLOW__OPENLINEAGE__TRANSPORT",),
    )
    before = dict(os.environ)
    assert "5 retries" in examined.one("transport", ADVICE).found
    assert dict(os.environ) == before, "the client leaves nothing behind"


def test_a_transport_of_a_connection(examined: Examined) -> None:
    extra = {"transport": {**BACKGROUND, "auth": {"apiKey": SECRET}}}
    examined.set(
        {
            "AIRFLOW_CONN_LINEAGE": json.dumps({"conn_type": "generic", "extra": extra}),
            **settings(openlineage__config_conn_id="lineage"),
        }
    )
    assert "background" in examined.one("transport", LOSES).what


# Names, rules, time and passwords.


def test_no_namespace(examined: Examined) -> None:
    assert examined.findings("namespace") == []
    examined.set({}, without=("AIRFLOW__OPENLINEAGE__NAMESPACE",))
    assert "'default'" in examined.one("namespace", LOSES).found
    examined.set({"OPENLINEAGE_NAMESPACE": "airflow-prod"})
    assert examined.findings("namespace") == []


TRAIN = "mlops.operators.release.TrainOperator"


def rule(scope: dict[str, str], mode: str = "exact", **controls: bool) -> dict[str, Any]:
    """A rule of the emission policy."""
    return {"scope": scope, "match_mode": mode, "controls": controls}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (settings(openlineage__disabled_for_operators=f"x.Y; {TRAIN}"), "TrainOperator"),
        (settings(openlineage__selective_enable="True"), "and "),
        (settings(openlineage__emission_policy=[rule({}, emit=False)]), "IntakeOperator"),
        (
            settings(openlineage__emission_policy=[rule({"operator": TRAIN}, emit=False)]),
            "TrainOperator",
        ),
        (
            settings(
                openlineage__emission_policy=[
                    rule({"operator": r"mlops\.sensors\..*"}, "regex", emit_task_events=False)
                ]
            ),
            "ApprovalSensor",
        ),
        (
            settings(openlineage__emission_policy=[rule({"dag_id": "late_score"}, emit=False)]),
            "in late_score",
        ),
        (
            settings(
                openlineage__emission_policy=[
                    rule({"dag_id": ".*_release", "task_id": "tr.*"}, "regex", emit=False)
                ]
            ),
            "in late_release",
        ),
        (
            settings(
                openlineage__emission_policy=[
                    rule({"dag_id": "late_release", "task_id": "sign_off.model_risk"}, emit=False)
                ]
            ),
            "in late_release",
        ),
        (
            settings(openlineage__emission_policy=[rule({}, extract_operator_metadata=False)]),
            "extract_operator_metadata",
        ),
    ],
)
def test_rules_that_silence_our_operators(
    examined: Examined, variables: dict[str, str], said: str
) -> None:
    assert examined.findings("emission_policy") == []
    examined.set(variables)
    assert said in examined.one("emission_policy", LOSES).found


@pytest.mark.parametrize(
    "rules",
    [
        [rule({"operator": "x.Y"}, emit=False)],
        [rule({"dag_id": "of_somebody_else"}, emit=False)],
        [rule({"dag_id": "late_score", "task_id": "train"}, emit=False)],
        [rule({}, emit=False), rule({"operator": r"mlops\..*"}, "regex", emit=True)],
        [rule({}, include_source_code=False)],
    ],
)
def test_rules_that_do_not(examined: Examined, rules: list[dict[str, Any]]) -> None:
    examined.set(settings(openlineage__emission_policy=rules))
    assert examined.findings("emission_policy") == []


@pytest.mark.parametrize(
    "variables",
    [
        settings(openlineage__include_full_task_info="True"),
        settings(openlineage__emission_policy=[rule({}, include_full_task_info=True)]),
    ],
)
def test_events_with_every_attribute(examined: Examined, variables: dict[str, str]) -> None:
    examined.set(variables)
    assert examined.one("emission_policy", UNSAFE).check == "full_task_info"


def test_rules_that_are_none(examined: Examined) -> None:
    examined.set(settings(openlineage__emission_policy={"scope": {}}))
    assert "JSON array" in examined.one("emission_policy", ADVICE).expected


def test_the_doctor_knows_all_operators_and_all_tasks(
    examined: Examined, small_include: Path
) -> None:
    from mlops.lifecycle import build_dags, governance_dag

    dags = [*build_dags(small_include), governance_dag()]
    for dag in dags:
        known = emission_policy.generated_tasks(dag.dag_id.rpartition("_")[2])
        found = {
            "sign_off.*" if task_id.startswith("sign_off.") else task_id: task.task_type
            for task_id, task in dag.task_dict.items()
        }
        # Not every model asks for a release on an alarm.
        names = {task_id: operator.__name__ for task_id, operator in known.items()}
        assert {task_id: name for task_id, name in names.items() if task_id != "alarm"} == found
        assert set(known.values()) <= set(emission_policy.operators())


def test_an_operator_of_an_extension_is_examined(
    examined: Examined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_operators.py").write_text(
        "from mlops.operators.base import StepOperator\n"
        "from mlops.operators.registry import register_operator\n"
        "@register_operator\n"
        "class CatalogueOperator(StepOperator):\n"
        '    """Enters a version into a catalogue."""\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    scope = {"operator": "acme_operators.CatalogueOperator"}
    examined.set(settings(openlineage__emission_policy=[rule(scope, emit=False)]))
    with extensions_for("acme_operators"):
        found = examined.one("emission_policy", LOSES)
    assert found.found == "CatalogueOperator"


def test_extensions_that_cannot_be_loaded(
    examined: Examined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert examined.findings("extensions") == []
    (tmp_path / "acme_broken.py").write_text(f"raise ValueError('{SECRET}')")
    monkeypatch.syspath_prepend(str(tmp_path))
    examined.set({"AIRFLOW__MLOPS__EXTENSIONS": "acme_broken, acme_missing"})
    found = examined.findings("extensions")
    assert [(item.severity, item.found) for item in found] == [
        (UNSAFE, "ValueError"),
        (UNSAFE, "ModuleNotFoundError"),
    ]
    assert "acme_broken" in found[0].what
    # The operators of the library are examined all the same.
    assert examined.findings("emission_policy") == []


def test_time_to_send(examined: Examined) -> None:
    assert examined.findings("timing") == []
    examined.set(settings(openlineage__execute_in_thread="False"))
    assert "forked" in examined.one("timing", ADVICE).what
    examined.set(settings(openlineage__execute_in_thread="True"))
    for seconds in ("1", "30"):
        examined.set(settings(openlineage__execution_timeout=seconds))
        assert f"{seconds} s" in examined.one("timing", ADVICE).found
    examined.set(settings(core__task_success_overtime="40"))
    assert examined.findings("timing") == []


@pytest.mark.parametrize("password", ["postgres", "warehouse", "flights", "lage"])
def test_a_password_that_is_a_word_of_our_names(examined: Examined, password: str) -> None:
    assert examined.findings("maskable_passwords") == []
    url = f"postgres://loader:{password}@village.example.com/flights_warehouse"
    examined.set({"AIRFLOW_CONN_WAREHOUSE": url})
    if len(password) < 5:
        assert examined.findings("maskable_passwords") == [], "Airflow masks none that is so short"
    else:
        found = examined.one("maskable_passwords", LOSES)
        assert "'warehouse'" in found.what
        assert password not in found.found + found.expected + found.action


def test_what_is_shown_of_an_address() -> None:
    assert place(f"https://ann:{SECRET}@host:5000/x?y={SECRET}") == "https://host:5000"
    assert place("http://[half") == "something that is not a URL"


def test_approvals_need_a_key_that_is_pinned_and_registered(examined: Examined) -> None:
    assert examined.findings("approval_signatures") == []
    examined.set(settings(mlops__approval_keys="0" * 64))
    assert "neither replaced nor revoked" in examined.one("approval_signatures", UNSAFE).found
    examined.set({}, without=("AIRFLOW__MLOPS__APPROVAL_KEYS",))
    assert "no approval counts" in examined.one("approval_signatures", UNSAFE).found


def test_a_key_file_that_others_can_read_is_unsafe(examined: Examined, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "approvals.pem"
    write_key(path)
    examined.set(settings(mlops__approval_key_file=str(path)))
    assert "can be read here" in examined.one("approval_signatures", ADVICE).what
    path.chmod(0o644)
    assert examined.one("approval_signatures", UNSAFE).found == "mode 0644"
    path.unlink()
    assert "No such file" in examined.one("approval_signatures", UNSAFE).found
