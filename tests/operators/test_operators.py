"""The life of a model through its operators, one task after the other."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from mlops import errors
from mlops.flow.judge import brief
from mlops.operators.base import StepOperator, plain, translated
from mlops.operators.control import ControlOperator
from mlops.operators.lineage import known_inputs
from mlops.operators.monitoring import (
    AlarmOperator,
    JudgeOperator,
    MeasureOperator,
    MonitorReportOperator,
)
from mlops.operators.registry import OPERATORS, is_known_operator
from mlops.operators.release import (
    CheckDataOperator,
    DeployOperator,
    DocumentOperator,
    IntakeOperator,
    PackageOperator,
    SnapshotOperator,
    TrainOperator,
    ValidateOperator,
)
from mlops.operators.scoring import CheckInputOperator, PublishOperator, ScoreOperator
from mlops.registry import extensions_for
from mlops.workspace.results import Judged
from tests.fixtures.life import PROJECT, SEATS

if TYPE_CHECKING:
    from tests.operators.conftest import Desk

MODEL = "late"
XCOM_BYTES = 1_000


@dataclass(frozen=True)
class TaskRun:
    """What a task returned, and its datasets before, after, and after a second run of the task."""

    operator: Any
    value: dict[str, Any]
    before: Any
    after: Any
    again: Any


@pytest.fixture(scope="module")
def step_events(desk: Desk) -> dict[str, TaskRun]:
    """Every step of the life once; each takes from the ones before what an XCom would hand on."""
    done: dict[str, TaskRun] = {}

    def run(operator: StepOperator, desk: Desk = desk, map_index: int = -1) -> dict[str, Any]:
        before = operator.get_openlineage_facets_on_complete(None)
        # What an XCom holds is JSON: a task gets it as it was read back.
        value: dict[str, Any] = json.loads(json.dumps(desk.run(operator, map_index)))
        after = operator.get_openlineage_facets_on_complete(None)
        desk.run(operator, map_index)
        again = operator.get_openlineage_facets_on_complete(None)
        done[type(operator).__name__] = TaskRun(operator, value, before, after, again)
        return value

    def task(kind: type[StepOperator], **kwargs: Any) -> StepOperator:
        return kind(task_id=kind.__name__, model=MODEL, **kwargs)

    intake = run(task(IntakeOperator))
    snapshot = run(task(SnapshotOperator, spec_digest=intake["spec_digest"]))
    checked = run(task(CheckDataOperator, snapshot_id=snapshot["snapshot_id"]))
    trained = run(task(TrainOperator, snapshot_id=checked["snapshot_id"]))
    validated = run(task(ValidateOperator, training_id=trained["training_id"]))
    packaged = run(
        task(PackageOperator, training_id=validated["training_id"], champion=validated["champion"])
    )
    version = str(packaged["version"])
    run(task(DocumentOperator, version=version))
    desk.life.sign(int(version), [seat for seat in SEATS if seat in intake["seats"]])
    run(task(DeployOperator, version=version))

    next_day = desk.at("2013-07-02")
    plan = run(task(CheckInputOperator, unit="day", shards=2), next_day)
    scored = [run(task(ScoreOperator, plan=plan, shard=i), next_day, i) for i in range(2)]
    run(task(PublishOperator, plan=plan, scored=scored), next_day)
    measured = run(task(MeasureOperator, window="2013-07-01", unit="day"), desk.at("2013-09-01"))
    judged = run(task(JudgeOperator, measurement=measured["measurement"]))
    run(task(MonitorReportOperator, measurement=judged["measurement"]))
    run(task(ControlOperator, action="stop", reason="a strike"), desk.by("bea"))
    return done


STEPS = sorted(name for name, kind in OPERATORS.items() if issubclass(kind, StepOperator))


def test_every_operator_of_a_model_is_in_the_story(step_events: dict[str, TaskRun]) -> None:
    assert set(STEPS) == set(step_events)


def test_every_operator_of_the_package_is_in_the_registry() -> None:
    """Of a class in the sources nothing else would know that it is there."""
    found = {
        (f"mlops.{file.parent.name}.{file.stem}", node.name)
        for folder in ("operators", "sensors")
        for file in (PROJECT / "plugins" / "mlops" / folder).glob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Operator", "Sensor"))
    }
    bases = {
        ("mlops.operators.base", "StepOperator"),
        ("mlops.operators.governance", "GovernanceStepOperator"),
    }
    assert {(kind.__module__, name) for name, kind in OPERATORS.items()} == found - bases


def test_an_operator_is_known_by_its_name_also_beside_a_broken_extension(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_known_operator("TrainOperator")
    assert not is_known_operator("BashOperator")
    (tmp_path / "acme_catalogue.py").write_text(
        "from mlops.operators.base import StepOperator\n"
        "from mlops.operators.registry import register_operator\n"
        "@register_operator\n"
        "class CatalogueOperator(StepOperator):\n"
        '    """Enters a version into a catalogue."""\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with extensions_for("acme_catalogue"):
        assert is_known_operator("CatalogueOperator")
    assert not is_known_operator("CatalogueOperator")
    with extensions_for("acme_that_is_missing"):
        assert is_known_operator("TrainOperator")
        assert not is_known_operator("CatalogueOperator")
    assert "acme_that_is_missing" in caplog.text


@pytest.mark.parametrize("step", STEPS)
def test_an_xcom_is_a_pointer_and_a_few_numbers(step_events: dict[str, TaskRun], step: str) -> None:
    value = step_events[step].value
    assert value and all(isinstance(name, str) for name in value)
    assert len(json.dumps(value).encode()) < XCOM_BYTES
    # Each field is an XCom of its own, by which a later task takes a single id.
    assert step_events[step].operator.multiple_outputs


def test_a_plan_is_handed_on_by_its_digest(step_events: dict[str, TaskRun]) -> None:
    value = step_events["CheckInputOperator"].value
    assert sorted(value) == ["batch", "plan", "rows", "shards"]
    assert re.fullmatch(r"[0-9a-f]{64}", value["plan"])


@pytest.mark.parametrize("step", STEPS)
def test_a_finished_step_names_what_it_read_and_wrote(
    step_events: dict[str, TaskRun], step: str
) -> None:
    run = step_events[step]
    assert empty(run.before), "nothing is claimed before it is done"
    assert run.after.outputs
    # What a person wrote is the source of a spec, and no dataset.
    assert bool(run.after.inputs) == (step != "IntakeOperator")
    for dataset in (*run.after.inputs, *run.after.outputs):
        assert dataset.namespace.startswith(("postgres://", "mlops://", "file"))
        assert dataset.name and "None" not in dataset.name
        assert "@" not in dataset.namespace, "no password in the name of a dataset"
    assert not {item.name for item in run.after.inputs} & {item.name for item in run.after.outputs}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_finds_its_fact_recorded_names_the_same_datasets(
    step_events: dict[str, TaskRun], step: str
) -> None:
    run = step_events[step]
    assert (run.again.inputs, run.again.outputs) == (run.after.inputs, run.after.outputs)


def empty(lineage: Any) -> bool:
    """Whether nothing is claimed: not None, about which the listener would warn in every log."""
    return lineage is not None and not lineage.inputs and not lineage.outputs


READING = [name for name in STEPS if OPERATORS.get(name).reads]


@pytest.mark.parametrize("step", READING)
def test_what_a_step_is_given_to_read_is_among_its_inputs_in_the_end(
    step_events: dict[str, TaskRun], step: str
) -> None:
    run = step_events[step]
    failed = run.operator.get_openlineage_facets_on_failure(None)
    assert failed.inputs == run.after.inputs and failed.outputs == []
    given = {item.name for item in known_inputs(run.operator, run.operator._names)}
    assert given <= {item.name for item in run.after.inputs}
    assert given or step == "ControlOperator", "the story stops what is live, without its number"


def names(datasets: Any) -> set[str]:
    """The names of datasets, without that of the database."""
    return {dataset.name.partition(".")[2] or dataset.name for dataset in datasets}


def test_lineage_leads_from_the_customer_s_tables_to_the_stable_view(
    step_events: dict[str, TaskRun],
) -> None:
    assert names(step_events["SnapshotOperator"].after.inputs) == {"public.flights"}
    scores = {"airflow/predictions/late/versions/1", "ml.late_predictions"}
    assert names(step_events["ScoreOperator"].after.outputs) == scores
    assert names(step_events["PublishOperator"].after.inputs) == scores
    assert names(step_events["PublishOperator"].after.outputs) == {"ml.late"}
    chain = [
        "SnapshotOperator",
        "TrainOperator",
        "PackageOperator",
        "DeployOperator",
        "ScoreOperator",
        "PublishOperator",
    ]
    for first, then in pairwise(chain):
        written = {(item.namespace, item.name) for item in step_events[first].after.outputs}
        read = {(item.namespace, item.name) for item in step_events[then].after.inputs}
        assert written & read, f"{then} reads nothing that {first} wrote"


def test_a_run_s_own_date_is_its_clock_and_its_window(step_events: dict[str, TaskRun]) -> None:
    assert step_events["SnapshotOperator"].value["test_end"] == "2013-07-01T00:00:00+00:00"
    assert step_events["CheckInputOperator"].value["batch"] == "late/2013-07-01/v1"


def test_facts_name_the_task_and_who_started_its_run(
    desk: Desk, step_events: dict[str, TaskRun]
) -> None:
    ((version, run),) = desk.life.rows("SELECT triggered_by, run FROM mlops.version")
    assert version == "dora"
    assert run == {
        "dag_id": "late_release",
        "run_id": "release-1",
        "task_id": "PackageOperator",
        "try_number": 1,
        "map_index": -1,
        "triggered_by": "dora",
    }
    actors = {actor for (actor,) in desk.life.rows("SELECT DISTINCT actor FROM mlops.ledger")}
    assert {"task:late_release.TrainOperator", "bea", "lin"} <= actors


def test_a_task_of_a_stopped_model_is_skipped(desk: Desk, step_events: dict[str, TaskRun]) -> None:
    operator = CheckInputOperator(task_id="check_input", model=MODEL, unit="day")
    with pytest.raises(AirflowSkipException, match="late"):
        desk.at("2013-07-02").run(operator)
    assert empty(operator.get_openlineage_facets_on_complete(None))


# Errors.


def every_error(kind: type[errors.MlopsError] = errors.MlopsError) -> list[type[errors.MlopsError]]:
    """The error tree, flat."""
    return [kind, *(found for child in kind.__subclasses__() for found in every_error(child))]


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind is not errors.NoDecision])
def test_only_an_error_that_a_second_try_may_cure_is_retried(kind: type[errors.MlopsError]) -> None:
    error = kind("the thing", found=1, expected=2, action="do it")
    with pytest.raises(AirflowException) as raised, translated():
        raise error
    # Airflow retries every AirflowException but this kind.
    assert isinstance(raised.value, AirflowFailException) is not kind.retryable
    assert str(raised.value) == (
        f"{kind.__name__}: the thing; found 1; expected 2; what to do: do it."
    )
    assert raised.value.__cause__ is error


def test_the_errors_that_are_retried() -> None:
    assert {kind.__name__ for kind in every_error() if kind.retryable} == {
        "LineageUnreachable",
        "StoreConflict",
        "StoreTimeout",
        "StoreUnreachable",
        "WarehouseTimeout",
        "WarehouseUnreachable",
    }


def test_a_task_that_fails_claims_no_datasets(desk: Desk, step_events: dict[str, TaskRun]) -> None:
    operator = SnapshotOperator(task_id="snapshot", model=MODEL, spec_digest="0" * 64)
    with pytest.raises(AirflowFailException, match="RecordMissing: spec 000"):
        desk.run(operator)
    assert empty(operator.get_openlineage_facets_on_complete(None))


def test_a_store_that_does_not_answer_is_worth_another_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_STORE", "postgres://a:a-secret@127.0.0.1:1/nothing")
    with pytest.raises(AirflowException, match="StoreUnreachable: the store at 127") as raised:
        desk.run(IntakeOperator(task_id="intake", model=MODEL))
    assert not isinstance(raised.value, AirflowFailException)
    assert "a-secret" not in str(raised.value)


def test_a_store_that_is_not_migrated_is_not_tried_again(
    desk: Desk, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database.replace("postgresql:", "postgres:")
    monkeypatch.setenv("AIRFLOW_CONN_BARE", url)
    operator = IntakeOperator(task_id="intake", model=MODEL, store_conn_id="bare")
    with pytest.raises(AirflowFailException, match="python -m mlops db upgrade"):
        desk.run(operator)


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (
            SnapshotOperator(task_id="a", model=MODEL, spec_digest="0", as_of="July"),
            "SpecError: 'as_of' of the run; found 'July'; expected a date as 2013-07-01",
        ),
        (
            SnapshotOperator(
                task_id="d", model=MODEL, spec_digest="0", as_of="0001-01-01T00:00+14:00"
            ),
            "SpecError: 'as_of' of the run; found '0001-01-01T00:00+14:00'; expected a date",
        ),
        (CheckInputOperator(task_id="b", model=MODEL, window="July", unit="day"), "'July'"),
        (MeasureOperator(task_id="c", model=MODEL, window="2013-W99", unit="week"), "'2013-W99'"),
    ],
)
def test_what_a_person_typed_wrong_is_said(desk: Desk, operator: Any, said: str) -> None:
    with pytest.raises(AirflowFailException) as raised:
        desk.run(operator)
    assert said in str(raised.value)


# An alarm.


def test_only_an_alarm_passes(desk: Desk) -> None:
    AlarmOperator(task_id="alarm", state="alarm").execute({})
    for state in ("ok", "warn", "not_enough_data"):
        with pytest.raises(AirflowSkipException, match=f"the window is {state}"):
            AlarmOperator(task_id=f"alarm_{state}", state=state).execute({})


# Construction: nothing is read, computed or changed before a task runs.


@pytest.mark.parametrize("kind", [OPERATORS.get(name) for name in STEPS], ids=STEPS)
def test_templated_parameters_are_kept_as_they_were_given(kind: type[StepOperator]) -> None:
    given: dict[str, Any] = {name: f"{{{{ params.{name} }}}}" for name in kind.template_fields}
    extra: dict[str, Any] = {"shard": 0} if kind is ScoreOperator else {}
    operator = kind(task_id="task", **given, **extra)
    assert {name: getattr(operator, name) for name in kind.template_fields} == given
    assert "model" in kind.template_fields


def test_a_result_is_plain_json() -> None:
    record = Judged("m", "late", 1, "2013-07-01", "alarm", ("one", "two"))
    assert plain(record)["reasons"] == ["one", "two"]


def test_the_reasons_of_a_verdict_are_few() -> None:
    sentences = tuple(f"feature_{i} has drifted" for i in range(21))
    assert brief(sentences) == (*sentences[:5], "and 16 more, see the report")
    assert brief(sentences[:5]) == sentences[:5]
