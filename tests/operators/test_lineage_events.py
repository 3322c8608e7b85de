"""The events that Airflow's own lineage gets of our operators, as they stand in its file.

One story through Airflow's real task runner (``dag.test()``), with the file transport: a model
without a live version is not scored, is released, signed and scored, and some tasks fail. One of
its columns is named ``token_count``, and the password of the store is ``postgres``: two things
that Airflow's redaction would like to hide.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.postgres import EmbeddedPostgres
from mlops.lineage.events.datasets import Dataset, DatasetNames
from mlops.lineage.events.operational import operational
from mlops.lineage.safe_names import safe_name
from mlops.operators.lineage import known_inputs, operator_lineage
from mlops.operators.release import DeployOperator
from mlops.store.migrate import upgrade
from mlops.warehouse.records import Address
from tests.fixtures.approval_key import KEY, register, write_key
from tests.fixtures.life import PROJECT
from tests.fixtures.small import keep_two_weeks, write_include
from tests.lineage.node_ids import dataset_id, original_name
from tests.lineage.openlineage_schema import faults

if TYPE_CHECKING:
    from tests.fixtures.postgres import MakeDatabase

ROLE = "lineage_tasks"
PASSWORD = "postgres"
KEY_FILE = "approvals.pem"
NAMESPACE = "airflow-tests"

FAULTS = '''
"""Tasks that fail, or fail once."""

import os
from datetime import timedelta

from airflow.sdk import DAG, ObjectStoragePath

from mlops.errors import NoDecision, WarehouseUnreachable
from mlops.operators.release import SnapshotOperator
from mlops.operators.release import TrainOperator


class TornOperator(SnapshotOperator):
    """Fails, or is skipped, when all is written; to a bucket, whose files Airflow looks at."""

    def step(self, workspace, context):
        super().step(workspace, context)
        half = ObjectStoragePath(os.environ["AIRFLOW__MLOPS__ARTIFACT_ROOT"] + "/half")
        with half.open("wb") as file:
            file.write(b"half")
        raise (NoDecision if self.task_id == "stopped" else WarehouseUnreachable)("it is so")


def mend(context):
    os.environ["AIRFLOW_CONN_FLAKY"] = os.environ["AIRFLOW_CONN_MLOPS_STORE"]


with DAG("late_faults", schedule=None, doc_md="It reads from postgres."):
    SnapshotOperator(task_id="no_spec", model="late", spec_digest="0" * 64)
    for task_id in ("torn", "stopped"):
        TornOperator(
            task_id=task_id,
            model="late",
            spec_digest=os.environ.get("SPEC_DIGEST", ""),
            as_of="2013-07-01",
        )
    TrainOperator(task_id="no_snapshot", model="late", snapshot_id="0" * 64)
    TrainOperator(
        task_id="flaky",
        model="late",
        snapshot_id=os.environ.get("SNAPSHOT_ID", ""),
        store_conn_id="flaky",
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=mend,
    )
'''

STORY = '''
"""The story, in the process of an Airflow whose metadata database is new."""

import os

from airflow.sdk.log import mask_secret

# As in a process that has looked up the connection before: the listener takes over what is masked.
mask_secret("postgres")

import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import psycopg
from sqlalchemy import select

from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.dag_processing.dagbag import DagBag
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session

from mlops.api_server.recorder import record_answer
from mlops.api_server.request import ApiActor
from mlops.flow.control import control
from mlops.approvals.eligibility import Person
from mlops.workspace.workspace import RunIdentity
from mlops.connections import server_workspace

create_auth_manager()


def dags():
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert not bag.import_errors, bag.import_errors
    return bag.dags


def answer():
    """Each person who is asked approves."""
    while True:
        time.sleep(0.5)
        with create_session() as session:
            for asked in session.scalars(
                select(HITLDetail).where(HITLDetail.responded_at.is_(None))
            ).all():
                task = session.get(TaskInstance, asked.ti_id)
                if task is None or task.state != "awaiting_input":
                    continue
                name = asked.assigned_users[0]["id"]
                reply = update_hitl_detail(
                    task.dag_id,
                    task.run_id,
                    task.task_id,
                    UpdateHITLDetailPayload(
                        chosen_options=["Approve"], params_input={"reason": "as the report says"}
                    ),
                    SimpleNamespace(get_id=lambda: name, get_name=lambda: name),
                    session,
                )
                # As the API server does before it sends the reply.
                record_answer(
                    ApiActor(user_id=name, user_name=name),
                    {"dag": task.dag_id, "run": task.run_id, "task": task.task_id},
                    reply.model_dump(mode="json"),
                )


threading.Thread(target=answer, daemon=True).start()
found = dags()


def run(dag_id, date):
    print(dag_id, found[dag_id].test(logical_date=datetime(2013, *date, tzinfo=UTC)).state)


run("late_score", (7, 2))
run("late_release", (7, 1))
run("late_score", (7, 3))
with psycopg.connect(os.environ["OWNER_URL"]) as connection:
    os.environ["SNAPSHOT_ID"], os.environ["SPEC_DIGEST"] = connection.execute(
        "SELECT id, spec_digest FROM mlops.snapshot"
    ).fetchone()
found = dags()
run("late_faults", (7, 4))
control(
    server_workspace(
        RunIdentity("late_control", "by-hand", "control", 1, -1, triggered_by="bea")
    ),
    model="late",
    action="stop",
    person=Person("bea", "bea"),
    reason="a strike",
)
run("late_score", (7, 5))
'''


@dataclass(frozen=True)
class Story:
    """What was told.

    :ivar log: of the tasks.
    """

    events: list[dict[str, Any]]
    log: str
    warehouse: str

    def tasks(self, date: str = "2013-07") -> list[dict[str, Any]]:
        """The events of tasks in runs of a date, in order."""
        return [
            event
            for event in self.events
            if "." in event["job"]["name"]
            and event["run"]["facets"]["nominalTime"]["nominalStartTime"].startswith(date)
        ]

    def of(self, job: str, date: str = "2013-07") -> list[dict[str, Any]]:
        """Those of one task."""
        return [event for event in self.tasks(date) if event["job"]["name"] == job]


@pytest.fixture(scope="module")
def events_story(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[Story]:
    """Run the story once."""
    database, metadata = make_database(template=flights_template), make_database()
    keep_two_weeks(database)
    postgres.ensure_role(ROLE, PASSWORD)
    upgrade(database, task_role=ROLE)
    register(database)
    place = database.rpartition("@")[2]
    folder = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    try:
        write_include(folder / "include")
        rename_a_column(folder / "include")
        write_key(folder / KEY_FILE)
        (folder / "dags").mkdir()
        shutil.copy(PROJECT / "demo" / "dags" / "models.py", folder / "dags" / "models.py")
        (folder / "dags" / "faults.py").write_text(FAULTS)
        (folder / "story.py").write_text(STORY)
        log = played(folder, database, metadata, place)
        lines = (folder / "events.jsonl").read_text().splitlines()
        yield Story(
            events=[json.loads(line) for line in lines],
            log=log,
            warehouse=f"postgres://{place.partition('/')[0]}",
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for url in (database, metadata):
            postgres.drop_database(url.rpartition("/")[2])


def rename_a_column(include: Path) -> None:
    for file in (include / "models" / "late.yml", include / "sql" / "late" / "features.sql"):
        text = file.read_text().replace("AS distance", "AS token_count")
        file.write_text(text.replace("distance: {}", "token_count: {}"))


def played(folder: Path, database: str, metadata: str, place: str) -> str:
    """Play the story in a process of its own; gives what it printed."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AIRFLOW", "OPENLINEAGE"))}
    options = {
        "CORE__DAGS_FOLDER": str(folder / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "DATABASE__SQL_ALCHEMY_CONN": metadata.replace("postgresql", "postgresql+psycopg2"),
        "MLOPS__APPROVAL_KEYS": KEY.fingerprint,
        "MLOPS__APPROVAL_KEY_FILE": str(folder / KEY_FILE),
        "MLOPS__INCLUDE_FOLDER": str(folder / "include"),
        "MLOPS__ARTIFACT_ROOT": (folder / "artifacts").as_uri(),
        "OPENLINEAGE__NAMESPACE": NAMESPACE,
        "OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(folder / "events.jsonl"), "append": True}
        ),
        # Two processors that others share: an event may take its time.
        "OPENLINEAGE__EXECUTION_TIMEOUT": "60",
    }
    variables = {
        **kept,
        **{f"AIRFLOW__{name}": value for name, value in options.items()},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "AIRFLOW_CONN_MLOPS_STORE": f"postgres://{ROLE}:{PASSWORD}@{place}",
        "AIRFLOW_CONN_FLAKY": f"postgres://{ROLE}:{PASSWORD}@127.0.0.1:1/nothing",
        "AIRFLOW_CONN_WAREHOUSE": database.replace("postgresql:", "postgres:"),
        "OWNER_URL": database,
    }
    printed = ""
    for command in (["-m", "airflow", "db", "migrate"], [str(folder / "story.py")]):
        done = subprocess.run(
            [sys.executable, *command],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout[-5000:]
        printed += done.stdout
    return printed


def names(event: dict[str, Any], side: str) -> list[str]:
    """The datasets of a side, without what is another in each story: digests, places, dates."""
    found = []
    for dataset in event[side]:
        name = re.sub(r"/[0-9a-f]{12}$", "/<id>", dataset["name"])
        name = re.sub(r"^/.*/mlops-tests-\w+", "", name)
        found.append(re.sub(r"-[0-9a-f]{8}\.html$", "-<id>.html", re.sub(r"^test_\d+\.", "", name)))
    return found


MODEL = "airflow/models/late/versions/1"
SNAPSHOT, TRAINING = "airflow/snapshots/late/<id>", "airflow/trainings/late/<id>"
VALIDATION, APPROVAL = "airflow/validations/late/<id>", "airflow/approvals/late/1"
SEATS = ("business_owner", "lead_data_scientist")
SLOT, FLIGHTS, SCORES = "airflow/deployments/late/prod", "public.flights", "ml.late_predictions"
SPEC, OWN_SCORES = "airflow/specs/late/<id>", "airflow/predictions/late/versions/1"
REPORT = "/artifacts/reports/late/v1/validation-<id>.html"
SCORED = ([MODEL, SLOT, FLIGHTS], [OWN_SCORES, SCORES])

COMPLETE: dict[str, list[tuple[list[str], list[str]]]] = {
    "late_release.intake": [([], [SPEC])],
    "late_release.snapshot": [([FLIGHTS], [SNAPSHOT])],
    "late_release.check_data": [([SNAPSHOT], ["airflow/checks/late/<id>"])],
    "late_release.train": [([SNAPSHOT, SPEC], [TRAINING])],
    "late_release.validate": [([TRAINING, SNAPSHOT], [VALIDATION])],
    "late_release.package": [([TRAINING, VALIDATION], [MODEL])],
    "late_release.document": [([MODEL, VALIDATION], [REPORT])],
    **{
        f"late_release.sign_off.{seat}": [([MODEL, REPORT], [f"{APPROVAL}/{seat}"])]
        for seat in SEATS
    },
    "late_release.deploy": [([MODEL, *(f"{APPROVAL}/{seat}" for seat in SEATS)], [SLOT])],
    "late_score.check_input": [([MODEL, FLIGHTS], ["airflow/checks/late/versions/1"])],
    "late_score.score": [SCORED, SCORED],
    "late_score.publish": [([OWN_SCORES, SCORES], ["ml.late"])],
}
RELEASE, SCORE, FAULTY, STOPPED = "2013-07-01", "2013-07-03", "2013-07-04", "2013-07-05"


def test_the_story_went_as_told(events_story: Story) -> None:
    said = re.findall(r"^(late_\w+) (\w+)$", events_story.log, re.MULTILINE)
    assert said == [
        ("late_score", "failed"),
        ("late_release", "success"),
        ("late_score", "success"),
        ("late_faults", "failed"),
        ("late_score", "success"),
    ]


def test_a_finished_task_tells_both_sides(events_story: Story) -> None:
    told: dict[str, list[tuple[list[str], list[str]]]] = {}
    for event in events_story.tasks(RELEASE) + events_story.tasks(SCORE):
        if event["eventType"] == "COMPLETE":
            told.setdefault(event["job"]["name"], []).append(
                (names(event, "inputs"), names(event, "outputs"))
            )
    assert told == COMPLETE


def test_what_one_task_writes_the_next_one_reads_by_the_same_name(events_story: Story) -> None:
    def ends(job: str, side: str) -> set[tuple[str, str]]:
        (event,) = [e for e in events_story.of(job, RELEASE) if e["eventType"] == "COMPLETE"]
        return {(dataset["namespace"], dataset["name"]) for dataset in event[side]}

    for before, after in pairwise(("intake", "snapshot", "train", "validate", "package", "deploy")):
        written = ends(f"late_release.{before}", "outputs")
        read = ends(f"late_release.{after}", "inputs")
        assert bool(written & read) == (before not in ("intake", "validate") or after == "package")


def test_our_own_things_have_names_of_their_own(events_story: Story) -> None:
    """The governed lineage tells of them as well, and neither may take the other's for its own."""
    for event in events_story.events:
        for dataset in event["inputs"] + event["outputs"]:
            ours = dataset["namespace"].startswith("mlops://")
            assert ours or dataset["namespace"] in (events_story.warehouse, "file")
            assert dataset["name"].startswith("airflow/") == ours
            assert safe_name(original_name(dataset["name"])) == dataset["name"]
            dataset_id(dataset["namespace"], dataset["name"])


def test_nothing_is_told_before_it_is_done(events_story: Story) -> None:
    starts = [event for event in events_story.tasks() if event["eventType"] == "START"]
    assert len(starts) > 20
    assert [(event["inputs"], event["outputs"]) for event in starts] == [([], [])] * len(starts)


def test_a_gate_is_told_when_it_is_asked_and_when_it_is_answered(events_story: Story) -> None:
    """It waited in another process, and nothing but the answer came back to it."""
    told = events_story.of("late_release.sign_off.business_owner", RELEASE)
    assert [event["eventType"] for event in told] == ["START", "START", "COMPLETE"]
    assert len({event["run"]["runId"] for event in told}) == 1
    asked = told[-1]["run"]["facets"]["airflow"]["task"]["hitl_summary"]
    assert "'name': 'bea'" in str(asked["responded_by_user"])


def test_mapped_tasks_are_runs_of_one_job(events_story: Story) -> None:
    told = events_story.of("late_score.score", SCORE)
    by_run: dict[str, list[Any]] = {}
    for event in told:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    # They run in any order.
    indexes = [
        [event["run"]["facets"]["airflow"]["taskInstance"]["map_index"] for event in events]
        for events in by_run.values()
    ]
    assert sorted(indexes) == [[0, 0], [1, 1]]
    for events in by_run.values():
        assert [event["eventType"] for event in events] == ["START", "COMPLETE"]


def test_a_task_that_failed_tells_what_it_was_to_read(events_story: Story) -> None:
    start, failed = events_story.of("late_faults.no_snapshot")
    assert (start["eventType"], failed["eventType"]) == ("START", "FAIL")
    assert (names(failed, "inputs"), failed["outputs"]) == ([SNAPSHOT], [])
    assert "RecordMissing" in failed["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.parametrize(("task", "read"), [("no_spec", []), ("torn", [FLIGHTS])])
def test_a_task_that_failed_names_what_it_had_read_and_no_file_that_it_began(
    events_story: Story, task: str, read: list[str]
) -> None:
    """What its query reads is in a spec: it is known as soon as the step has read it."""
    _, failed = events_story.of(f"late_faults.{task}")
    assert failed["eventType"] == "FAIL"
    assert (names(failed, "inputs"), failed["outputs"]) == (read, [])


def test_a_second_try_is_another_run(events_story: Story) -> None:
    told = events_story.of("late_faults.flaky")
    assert [event["eventType"] for event in told] == ["START", "FAIL", "START", "COMPLETE"]
    first, second = told[1], told[3]
    assert [event["run"]["runId"] for event in told].count(first["run"]["runId"]) == 2
    assert first["run"]["runId"] != second["run"]["runId"]
    assert (names(first, "inputs"), first["outputs"]) == ([SNAPSHOT], [])
    # The training was recorded by the release already; the step found it and trained nothing.
    assert (names(second, "inputs"), names(second, "outputs")) == ([SNAPSHOT, SPEC], [TRAINING])


def test_a_skipped_task_claims_nothing(events_story: Story) -> None:
    """Airflow tells of it as of a success."""
    for told in (
        events_story.of("late_score.check_input", STOPPED),
        events_story.of("late_faults.stopped"),
    ):
        assert [event["eventType"] for event in told] == ["START", "COMPLETE"]
        assert [(event["inputs"], event["outputs"]) for event in told] == [([], [])] * 2


def test_a_column_and_a_password_that_redaction_would_hide(events_story: Story) -> None:
    (event,) = [e for e in events_story.of("late_release.snapshot") if e["eventType"] == "COMPLETE"]
    (output,) = event["outputs"]
    fields = {field["name"]: field["type"] for field in output["facets"]["schema"]["fields"]}
    assert fields["token_count"] == "double precision"
    assert all(fields.values())
    told = [
        event["job"]["facets"]["documentation"] for event in events_story.of("late_faults.torn")
    ]
    assert {doc["description"] for doc in told} == {"It reads from ***."}, "no redaction at work"
    assert any(
        d["namespace"] == events_story.warehouse for e in events_story.events for d in e["inputs"]
    )
    assert events_story.warehouse.startswith("postgres://")
    datasets = [d for e in events_story.events for d in (*e["inputs"], *e["outputs"])]
    assert "***" not in json.dumps(datasets)


def test_every_event_is_as_the_specification_has_it(events_story: Story) -> None:
    ours = [
        {**event, "run": {**event["run"], "facets": {}}, "job": {**event["job"], "facets": {}}}
        for event in events_story.events
    ]
    assert [fault for event in ours for fault in faults(event)] == []


def test_the_listener_has_nothing_to_complain_of(events_story: Story) -> None:
    for complaint in ("non-valid metadata", "failed to extract", "Failed to", "expired"):
        assert complaint not in events_story.log


# The mapping itself.

NAMES = DatasetNames(
    warehouse=Address("postgres", "db:5432", "shop", dialect="postgres"),
    store_place="db:5432/mlops",
)


def columns(*pairs: tuple[str, Any]) -> list[tuple[str, str]]:
    dataset = Dataset("postgres://db:5432", "shop.public.t", pairs)
    (found,) = operator_lineage([dataset], []).inputs
    return [(field.name, field.type) for field in found.facets["schema"].fields]


def test_names_are_such_as_marquez_can_take_apart() -> None:
    items = [NAMES.table("public", "a:b#c"), NAMES.ours("30d"), operational(NAMES.ours("models/x"))]
    found = operator_lineage(items, []).inputs
    assert [item.name for item in found] == [
        "shop.public.a%3Ab%23c",
        "%330d",
        "airflow/models/x",
    ]


def test_what_has_no_possible_name_is_left_out_and_all_else_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [
        NAMES.ours("x" * 300),
        NAMES.ours("fine"),
        Dataset("mlops://db:5432/a b", "a database with a blank"),
    ]
    assert [item.name for item in operator_lineage([], items).outputs] == ["fine"]
    assert caplog.text.count("left out") == 2
    assert columns(("a", "int"), ("y" * 300, "int"), ("", "int")) == [("a", "int")]


def test_a_column_always_has_a_type() -> None:
    assert columns(("a", None), ("b", ""), ("30d:sum", "int")) == [
        ("a", "unknown"),
        ("b", "unknown"),
        ("%330d%3Asum", "int"),
    ]


def test_what_an_operator_is_given_to_read() -> None:
    deploy = DeployOperator(task_id="deploy", model="late", version="7")
    assert [item.name for item in known_inputs(deploy, NAMES)] == ["airflow/models/late/versions/7"]
    for nothing in ("", "None"):
        deploy.version = nothing
        assert list(known_inputs(deploy, NAMES)) == []
