"""Task states that people set by hand: they open nothing but what their signature may open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from demo.rest import AirflowRefused
from demo.tasks import TaskRef, quoted, run_path
from tests.system.governance.site import SEATS, Site, deploy_of

pytestmark = pytest.mark.system

NOTE = "I looked at it and it is good"
Mark = Callable[[Site, str, TaskRef], object]


def on_the_task(site: Site, user: str, gate: TaskRef) -> object:
    return site.client.mark(user, gate, "success", note=NOTE)


def in_bulk(site: Site, user: str, gate: TaskRef) -> object:
    entities = [
        {"task_id": "deploy", "note": "another note"},
        {"task_id": gate.task_id, "map_index": -1, "new_state": "success", "note": NOTE},
    ]
    return site.client.request(
        "PATCH",
        f"{run_path(gate.dag_id, gate.run_id)}/taskInstances",
        user=user,
        json={"actions": [{"action": "update", "entities": entities}]},
    )


def on_the_group(site: Site, user: str, gate: TaskRef) -> object:
    return site.client.request(
        "PATCH",
        f"{run_path(gate.dag_id, gate.run_id)}/taskGroupInstances/sign_off",
        user=user,
        json={"new_state": "success", "note": NOTE},
    )


def on_the_run(site: Site, user: str, gate: TaskRef) -> object:
    return site.client.request(
        "PATCH",
        run_path(gate.dag_id, gate.run_id),
        user=user,
        json={"state": "success", "note": NOTE},
    )


def on_runs_in_bulk(site: Site, user: str, gate: TaskRef) -> object:
    entities = [{"dag_run_id": gate.run_id, "state": "success", "note": NOTE}]
    return site.client.request(
        "PATCH",
        f"/api/v2/dags/{quoted(gate.dag_id)}/dagRuns",
        user=user,
        json={"actions": [{"action": "update", "entities": entities}]},
    )


MARKS = [on_the_task, in_bulk, on_the_group, on_the_run, on_runs_in_bulk]
OF_RUNS = (on_the_run, on_runs_in_bulk)


@pytest.mark.parametrize("mark", MARKS[:4])
def test_a_mark_by_a_member_is_that_persons_approval(site: Site, mark: Mark) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    mark(site, "bea", gate)
    ((actor, _, payload),) = site.entries(f"late/v{version}", "signature.given")
    assert (actor, payload["method"], payload["reason"]) == ("bea", "mark_success", NOTE)
    assert len(payload["package"]) == 64
    if mark in OF_RUNS:
        # Airflow skips what had not begun; the signature holds when deploy is asked for again.
        assert site.client.task_states(gate.dag_id, gate.run_id)["deploy"] == "skipped"
        site.deploy_again(gate)
    assert site.deployed(gate) == "success"
    assert site.live("late") == version


@pytest.mark.parametrize("user", ["sam", "admin"])
def test_a_mark_by_anybody_else_opens_nothing_and_names_them(site: Site, user: str) -> None:
    refused_after(site, on_the_task, user)


@pytest.mark.parametrize("mark", MARKS[1:])
def test_wherever_the_mark_is_made_it_opens_nothing(site: Site, mark: Mark) -> None:
    refused_after(site, mark, "eve")


def refused_after(site: Site, mark: Mark, user: str) -> None:
    before = site.live("late")
    version = site.version("late")
    gate = site.ask("late", version)
    mark(site, user, gate)
    assert site.client.task_states(gate.dag_id, gate.run_id)[gate.task_id] == "success"
    if mark in OF_RUNS:
        site.deploy_again(gate)
    assert site.deployed(gate) == "failed"
    said = site.log(deploy_of(gate))
    assert "NotSigned" in said
    assert f"{user} marked the task as a success" in said
    ((actor, _, payload),) = site.entries(f"late/v{version}", "signature.refused")
    assert (actor, payload["method"], payload["counted"]) == (user, "mark_success", False)
    place = f"{gate.dag_id}/{gate.run_id}/{gate.task_id}"
    ((actor, _, payload),) = site.entries(place, "task.mark_success")
    assert (actor, payload["note"]) == (user, NOTE)
    assert site.live("late") == before


def test_a_reader_may_not_mark(site: Site) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    with pytest.raises(AirflowRefused) as refusal:
        on_the_task(site, "amy", gate)
    assert refusal.value.status == 403
    assert site.client.hitl_waiting(gate.dag_id, gate.run_id)


def test_a_mark_of_one_person_does_not_fill_a_seat_of_two(site: Site) -> None:
    version = site.version("late_two")
    gate = site.ask("late_two", version)
    on_the_task(site, "lin", gate)
    assert site.deployed(gate) == "failed"
    assert "1 of 2 different people have signed" in site.log(deploy_of(gate))
    assert [a for a, _, _ in site.entries(f"late_two/v{version}", "signature.given")] == ["lin"]


def test_mark_failed_by_a_member_is_a_rejection(site: Site) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    site.client.mark("bea", gate, "failed", note="not worth it")
    assert site.client.wait_run(gate.dag_id, gate.run_id) == "failed"
    ((actor, _, payload),) = site.entries(f"late/v{version}", "signature.rejected")
    assert (actor, payload["method"], payload["reason"]) == ("bea", "mark_failed", "not worth it")


def test_mark_success_on_deploy_deploys_nothing(site: Site) -> None:
    """Scoring goes on with the version before."""
    before = site.go_live("late")
    version = site.version("late")
    gate = site.ask("late", version)
    site.client.mark("eve", deploy_of(gate), "success", note="it is urgent")
    place = f"{gate.dag_id}/{gate.run_id}/deploy"
    ((actor, _, payload),) = site.entries(place, "task.mark_success")
    assert (actor, payload["note"]) == ("eve", "it is urgent")
    assert payload["operator"] == "DeployOperator"
    assert site.live("late") == before
    run, state = site.score("late", "2026-03-01")
    assert state == "success"
    published = site.client.xcom(TaskRef("late_score", run, "publish"))
    assert published["version"] == before
    assert SEATS["late"] == "owner"
