"""The DAGs of one model: their tasks, order, groups, forms, owners and documentation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lifecycle.conftest import Models, Parsed

    Copied = Callable[[Path], Models]
    Parse = Callable[[Path], Parsed]

PHASES = ("release", "score", "monitor")
SEATS = ("business_owner", "lead_data_scientist", "model_risk")


def chain(*names: str) -> set[tuple[str, str]]:
    """Tasks one behind the other."""
    return set(pairwise(names))


def test_the_release_goes_from_intake_to_deploy(project: Parsed) -> None:
    dag = project.dags["flight_delay_release"]
    steps = ("intake", "snapshot", "check_data", "train", "validate", "package", "document")
    seats = tuple(f"sign_off.{seat}" for seat in SEATS)
    assert dag.order == chain(*steps) | {
        pair for seat in seats for pair in (("document", seat), (seat, "deploy"))
    }
    assert dag.groups == {
        "Manage": ["intake"],
        "Develop": list(steps[1:]),
        "Deploy": ["sign_off", "deploy"],
        "sign_off": list(seats),
    }
    assert dag.types == {
        "intake": "IntakeOperator",
        "snapshot": "SnapshotOperator",
        "check_data": "CheckDataOperator",
        "train": "TrainOperator",
        "validate": "ValidateOperator",
        "package": "PackageOperator",
        "document": "DocumentOperator",
        **dict.fromkeys(seats, "ApprovalSensor"),
        "deploy": "DeployOperator",
    }


def test_scoring_checks_scores_in_shards_and_publishes(project: Parsed) -> None:
    dag = project.dags["flight_delay_score"]
    assert dag.order == chain("check_input", "score", "publish")
    assert dag.groups == {"Deploy": ["check_input", "score", "publish"]}
    assert dag.types == {
        "check_input": "CheckInputOperator",
        "score": "ScoreOperator",
        "publish": "PublishOperator",
    }
    assert dag.tasks["score"]["_is_mapped"] is True
    assert dag.tasks["score"]["expand_input"]["value"]["__var"] == {"shard": [0, 1]}
    outlets = [outlet["__var"]["name"] for outlet in dag.tasks["publish"]["outlets"]]
    assert outlets == ["flight_delay_predictions"]


def test_monitoring_measures_judges_and_documents(project: Parsed) -> None:
    dag = project.dags["flight_delay_monitor"]
    assert dag.order == chain("measure", "judge", "document")
    assert dag.groups == {"Monitor": ["measure", "judge", "document"]}
    assert dag.types == {
        "measure": "MeasureOperator",
        "judge": "JudgeOperator",
        "document": "MonitorReportOperator",
    }


@pytest.mark.parametrize("phase", [*PHASES, "control"])
def test_every_dag_says_what_it_is_and_whose(project: Parsed, phase: str) -> None:
    dag = project.dags[f"flight_delay_{phase}"]
    content = dag.content
    assert sorted(content["tags"]) == sorted(["mlops", "flight_delay", phase])
    assert content["dag_display_name"] == f"flight_delay {phase}"
    assert content["description"].startswith("Will this flight arrive 30 minutes late")
    assert content["catchup"] is False
    for name, task in dag.tasks.items():
        assert {**task.get("partial_kwargs", {}), **task}["owner"] == "sam", name
    for text in (
        "| Business owner | bea |",
        "| Developer | sam |",
        "| KPI | Late flights that were flagged beforehand |",
        "**At night:** Scores missing",
        "Every task may be cleared and rerun",
    ):
        assert text in content["doc_md"]


def test_the_release_s_documentation_names_who_signs(project: Parsed) -> None:
    text = project.dags["flight_delay_release"].content["doc_md"]
    assert "signed by **Business owner, Lead data scientist, Model risk** (tier *medium*)" in text


@pytest.mark.parametrize(
    ("phase", "field", "example"),
    [
        ("release", "as_of", "as 2013-07-01"),
        ("score", "window", "The month to run for, as 2013-07."),
        ("monitor", "window", "The month to run for, as 2013-07."),
    ],
)
def test_the_form_of_a_run_has_one_field_that_may_stay_empty(
    project: Parsed, phase: str, field: str, example: str
) -> None:
    params = project.dags[f"flight_delay_{phase}"].params
    assert list(params) == [field]
    assert params[field]["default"] == ""
    assert params[field]["schema"]["__var"]["type"] == "string"
    assert example in params[field]["description"]


@pytest.mark.parametrize("phase", PHASES)
def test_every_field_of_the_form_reaches_a_task(project: Parsed, phase: str) -> None:
    dag = project.dags[f"flight_delay_{phase}"]
    (field,) = dag.params
    given = [task.get(field) for task in dag.tasks.values() if field in task["template_fields"]]
    assert given == [f"{{{{ params.{field} }}}}"]


@pytest.mark.parametrize("phase", PHASES)
def test_every_task_is_given_its_model(project: Parsed, phase: str) -> None:
    for name, task in project.dags[f"flight_delay_{phase}"].tasks.items():
        assert {**task.get("partial_kwargs", {}), **task}["model"] == "flight_delay", name


def test_without_a_schedule_nothing_starts_by_itself(project: Parsed) -> None:
    for phase in PHASES:
        timetable = project.dags[f"flight_delay_{phase}"].content["timetable"]
        assert timetable["__type"] == "airflow.timetables.simple.NullTimetable"


def test_runs_of_one_model_s_windows_come_one_after_the_other(project: Parsed) -> None:
    for phase in ("score", "monitor"):
        assert project.dags[f"flight_delay_{phase}"].content["max_active_runs"] == 1


def test_a_gate_has_no_default_answer_and_asks_again(project: Parsed) -> None:
    """A timeout with a default counts as an answer, and silence must never be one."""
    tasks = project.dags["flight_delay_release"].tasks
    for seat in SEATS:
        gate = tasks[f"sign_off.{seat}"]
        assert not gate.get("defaults")
        assert gate["seat"] == seat
        assert gate["retries"] >= 10
        assert gate.get("trigger_rule", "all_success") == "all_success"
    assert tasks["deploy"].get("trigger_rule", "all_success") == "all_success"


@pytest.fixture(scope="module")
def others(parse: Parse, tmp_path_factory: pytest.TempPathFactory, copied: Copied) -> Parsed:
    """The DAGs of two more models: one whose spec says otherwise, one that alarms release."""
    models = copied(tmp_path_factory.mktemp("others"))
    models.add(
        "loans",
        {
            "purpose: operations": "purpose: credit",
            "shards: 2": "shards: 5",
            "window: month\n  shards": "schedule: 0 6 * * 1\n  window: week\n  shards",
            "business_owner: bea": "business_owner: leo",
            "developer: sam": "developer: kim",
            "monitor:\n  window: month": "monitor:\n  schedule: '@daily'\n  window: week",
        },
    )
    models.add("churn", {"monitor:\n": "monitor:\n  retrain_on_alarm: true\n"})
    parsed = parse(models.root)
    assert parsed.errors == {}
    return parsed


def test_the_spec_decides_on_seats_shards_windows_and_schedules(others: Parsed) -> None:
    release, score, monitor = (others.dags[f"loans_{phase}"] for phase in PHASES)
    assert release.groups["sign_off"] == [f"sign_off.{seat}" for seat in (*SEATS, "legal")]
    assert "Legal** (tier *high*)" in release.content["doc_md"]
    assert "| Business owner | leo |" in release.content["doc_md"]
    assert release.tasks["train"]["owner"] == "kim"
    shards = score.tasks["score"]["expand_input"]["value"]["__var"]["shard"]
    assert shards == [0, 1, 2, 3, 4]
    assert "as 2013-W27" in score.params["window"]["description"]
    assert "as 2013-W27" in monitor.params["window"]["description"]
    assert score.content["timetable"]["__var"]["expression"] == "0 6 * * 1"
    assert monitor.content["timetable"]["__var"]["expression"] == "0 0 * * *"


def test_an_alarm_starts_a_release_where_the_spec_asks_for_it(
    others: Parsed, project: Parsed
) -> None:
    monitor = others.dags["churn_monitor"]
    assert monitor.order == chain("measure", "judge", "document", "alarm")
    (outlet,) = monitor.tasks["alarm"]["outlets"]
    assert outlet["__var"]["name"] == "churn_alarm"
    timetable = others.dags["churn_release"].content["timetable"]
    assert "AssetTriggeredTimetable" in timetable["__type"]
    assert "mlops://alarms/churn" in str(timetable)
    assert "alarm" not in project.dags["flight_delay_monitor"].tasks


def test_control_is_one_task_that_asks_what_to_do_and_why(project: Parsed) -> None:
    dag = project.dags["flight_delay_control"]
    assert dag.types == {"control": "ControlOperator"}
    assert set(dag.params) == {"action", "reason", "version", "seat"}
    schemas = {name: param["schema"]["__var"] for name, param in dag.params.items()}
    assert {"rollback", "stop", "resume", "revoke"} == set(schemas["action"]["enum"])
    assert schemas["reason"]["minLength"] >= 1, "a run without a reason can be started"
    assert set(schemas["seat"]["enum"]) == {"", *SEATS}
    for name in dag.params:
        assert dag.tasks["control"][name] == f"{{{{ params.{name} }}}}"


def test_governance_looks_after_all_models_in_tasks_that_wait_for_no_other(
    project: Parsed,
) -> None:
    dag = project.dags["mlops_governance"]
    tasks = ("artifacts", "ledger", "lineage", "predictions", "reviews", "reminders")
    assert set(dag.tasks) == set(tasks)
    assert dag.types == {
        "artifacts": "RemoveLeftoversOperator",
        "ledger": "VerifyLedgerOperator",
        "lineage": "DeliverLineageOperator",
        "reviews": "ReviewOperator",
        "predictions": "VerifyPredictionsOperator",
        "reminders": "RemindOperator",
    }
    assert dag.order == set()
    assert dag.content["timetable"]["__var"]["expression"] == "0 * * * *"
    assert dag.content["max_active_runs"] == 1
    assert sorted(dag.content["tags"]) == ["governance", "mlops"]


def test_the_rehearsal_by_hand_stops_before_anything_could_go_live(project: Parsed) -> None:
    dag = project.dags["flight_delay_rehearsal"]
    assert dag.order == chain("intake", "snapshot", "check_data", "train", "validate")
    assert not {"PackageOperator", "DeployOperator"} & set(dag.types.values())
    assert dag.params["as_of"]["default"] == "2013-07-01"
