"""What people see and do at gates, in a browser, on Airflow's own pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from demo.tasks import TaskRef
from tests.system.governance.site import Site, deploy_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
]
SECONDS = 60_000
Open = Callable[[str, TaskRef, str], Page]


@pytest.fixture
def open_as(site: Site, browser: Browser) -> Iterator[Open]:
    """Log somebody in, and open a page of a gate."""
    contexts = []

    def make(user: str, gate: TaskRef, page_name: str = "") -> Page:
        context = browser.new_context(
            viewport={"width": 1280, "height": 1300}, base_url=site.platform.url
        )
        context.set_default_timeout(SECONDS)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"/dags/{gate.dag_id}/runs/{gate.run_id}/{page_name}")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", user)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/auth/login" not in url)
        return page

    yield make
    for context in contexts:
        context.close()


def required_action(gate: TaskRef) -> str:
    return f"tasks/{gate.task_id}/required_actions"


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("sam", "sam developed late v{} and cannot sign it"),
        ("dora", "dora started the release of late v{} and cannot sign it"),
    ],
)
def test_whoever_is_refused_reads_why(site: Site, open_as: Open, user: str, why: str) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    page = open_as(user, gate, required_action(gate))
    page.get_by_test_id("hitl-option-Approve").click()
    expect(page.get_by_text(why.format(version))).to_be_visible(timeout=SECONDS)
    assert site.client.hitl_waiting(gate.dag_id, gate.run_id), "the gate waits on"


def test_a_second_answer_is_refused_and_says_why(site: Site, open_as: Open) -> None:
    version = site.version("late_two")
    gate = site.ask("late_two", version)
    site.sign(gate, "lin")
    site.asked_again(gate)
    page = open_as("lin", gate, required_action(gate))
    expect(page.get_by_text("lin: Approve")).to_be_visible(timeout=SECONDS)
    page.get_by_test_id("hitl-option-Approve").click()
    why = "lin has signed as Model risk already; the seat needs 2 different people"
    expect(page.get_by_text(why)).to_be_visible(timeout=SECONDS)


def test_a_member_approves_on_the_page(site: Site, open_as: Open) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    page = open_as("bea", gate, required_action(gate))
    page.get_by_label("Reason").or_(page.locator("#element_reason")).first.fill("worth having")
    page.get_by_test_id("hitl-option-Approve").click()
    assert site.deployed(gate) == "success"
    ((actor, _, payload),) = site.entries(f"late/v{version}", "signature.given")
    assert (actor, payload["reason"], payload["method"]) == (
        "bea",
        "worth having",
        "required_action",
    )


@pytest.mark.parametrize("what", ["the task", "the group", "the run"])
def test_mark_success_by_a_stranger_on_the_page(site: Site, open_as: Open, what: str) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    if what == "the run":
        page = open_as("eve", gate)
        page.get_by_label("Mark Dag Run as...").click()
    elif what == "the group":
        page = open_as("eve", gate, "tasks/group/sign_off")
        page.get_by_label("Mark Task Group as...").click()
    else:
        page = open_as("eve", gate, f"tasks/{gate.task_id}")
        page.get_by_label("Mark Task Instance as...").click()
    page.get_by_role("menuitem", name="Success").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    site.client.wait_task(gate, ["success"])
    if what != "the task":
        # Airflow skips the run's deploy, or marks it together with the group: either deploys
        # nothing.
        assert site.deployed(gate) in ("skipped", "success")
        assert site.live("late") != version
        site.deploy_again(gate)
    assert site.deployed(gate) == "failed"
    assert "eve marked the task as a success" in site.log(deploy_of(gate))
    ((actor, _, payload),) = site.entries(f"late/v{version}", "signature.refused")
    assert (actor, payload["method"]) == ("eve", "mark_success")
    assert site.live("late") != version
