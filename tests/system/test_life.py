"""Two models' lives in a real Airflow, driven as people drive them: REST, browser, shell."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

from demo.environment import TASK_ROLE
from demo.rest import AirflowRefused
from demo.tasks import HumanRequest, TaskRef
from tests.fixtures.life import added, moment
from tests.system.site import DAGS, Site, running

pytestmark = pytest.mark.system

RELEASE, SCORE, MONITOR = (f"flight_delay_{phase}" for phase in ("release", "score", "monitor"))
FIRST, SECOND, WEEK = "release-2013-07-01", "release-2013-07-15", "week-27"
TASKS = {
    (RELEASE, FIRST): [
        "intake",
        "snapshot",
        "check_data",
        "train",
        "validate",
        "package",
        "document",
        "deploy",
    ],
    (SCORE, WEEK): ["check_input", "score", "publish"],
    (MONITOR, WEEK): ["measure", "judge", "document"],
}
GATES = ["sign_off.business_owner", "sign_off.lead_data_scientist", "sign_off.model_risk"]
SECONDS = 60_000


@pytest.fixture(scope="module")
def demo_site() -> Iterator[Site]:
    """One Airflow for all tests here."""
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def asked(demo_site: Site) -> dict[str, HumanRequest]:
    """The first release, whose seats have been asked; other runs are on their way beside it."""
    demo_site.trigger("cancellation_score", "too-early", "2013-07-08")
    demo_site.trigger(RELEASE, FIRST, "2013-07-01")
    demo_site.trigger("cancellation_release", FIRST, "2013-07-01")
    return demo_site.gates(RELEASE, FIRST, 3)


@pytest.fixture(scope="module")
def deployed(demo_site: Site, asked: dict[str, HumanRequest]) -> None:
    """The first release, signed by whoever has not signed yet, and deployed."""
    # The second release must not be packaged first; from here on it runs beside everything else.
    demo_site.trigger(RELEASE, SECOND, "2013-07-15")
    for request in demo_site.client.hitl_waiting(RELEASE, FIRST):
        demo_site.approve(request)
    demo_site.finish(RELEASE, FIRST)


@pytest.fixture(scope="module")
def monitored(demo_site: Site, deployed: None) -> None:
    """The first week, scored, published, measured, judged and documented."""
    demo_site.trigger(SCORE, WEEK, "2013-07-08")
    demo_site.finish(SCORE, WEEK)
    demo_site.trigger(MONITOR, WEEK, "2013-07-08")
    demo_site.finish(MONITOR, WEEK)


def test_a_model_that_is_not_live_fails_at_once_and_says_what_to_do(
    demo_site: Site, asked: dict[str, HumanRequest]
) -> None:
    demo_site.finish("cancellation_score", "too-early", state="failed")
    task = TaskRef("cancellation_score", "too-early", "check_input")
    assert demo_site.client.request("GET", task.instance_path)["try_number"] == 1
    log = demo_site.client.log(task)
    assert "RecordMissing: cancellation has no live version" in log
    assert "trigger cancellation_release, have it signed, then run this again" in log


def test_each_seat_is_asked_with_the_evidence(
    demo_site: Site, asked: dict[str, HumanRequest]
) -> None:
    assert {seat: request.assigned for seat, request in asked.items()} == {
        "business_owner": ("bea",),
        "lead_data_scientist": ("lin",),
        "model_risk": ("max",),
    }
    for request in asked.values():
        assert "sign flight_delay version 1?" in request.subject
        assert request.options == ("Approve", "Approve with conditions", "Reject")
        assert request.body is not None
        for word in ("Will this flight arrive 30 minutes late", "AUC", "You sign as"):
            assert word in request.body


def test_each_seat_can_open_the_report_that_it_signs_on(
    demo_site: Site, asked: dict[str, HumanRequest]
) -> None:
    ((sha256,),) = demo_site.rows(
        "SELECT sha256 FROM mlops.report WHERE model = 'flight_delay' AND version = 1"
    )
    for request in asked.values():
        assert f"(/mlops/reports/{sha256})" in str(request.body)
        (user,) = request.assigned
        answer = httpx.get(
            f"{demo_site.platform.url}/mlops/reports/{sha256}",
            headers={"Authorization": f"Bearer {demo_site.client.token(user)}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == sha256


@pytest.mark.parametrize("user", ["sam", "dora", "lin", "amy"])
def test_nobody_but_the_seat_s_people_can_sign(
    demo_site: Site, asked: dict[str, HumanRequest], user: str
) -> None:
    """sam developed the model, dora started the run, lin holds another seat, amy may only read."""
    with pytest.raises(AirflowRefused) as refusal:
        demo_site.client.respond(user, asked["model_risk"].task, "Approve", {"reason": "why not"})
    assert refusal.value.status == 403
    state = demo_site.client.task_states(RELEASE, FIRST)["sign_off.model_risk"]
    assert state == "awaiting_input"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_the_business_owner_reads_the_evidence_and_clicks_approve(
    demo_site: Site, asked: dict[str, HumanRequest]
) -> None:
    gate = asked["business_owner"].task
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            base_url=demo_site.platform.url, viewport={"width": 1280, "height": 1300}
        )
        page.set_default_timeout(SECONDS)
        page.goto(f"/dags/{RELEASE}/runs/{FIRST}/tasks/{gate.task_id}/required_actions")
        page.fill("input[name=username]", "bea")
        page.fill("input[name=password]", "bea")
        page.click("button[type=submit]")
        expect(
            page.get_by_text("Business owner: sign flight_delay version 1?").first
        ).to_be_visible(timeout=SECONDS)
        body = page.locator("body")
        for word in (
            "Will this flight arrive 30 minutes late",
            "that the model answers the business question and its KPI is worth having",
            "AUC",
        ):
            expect(body).to_contain_text(word, timeout=SECONDS)
        approve = page.get_by_role("button", name="Approve", exact=True)
        expect(approve).to_be_enabled(timeout=SECONDS)
        expect(page.get_by_role("button", name="Reject")).to_be_visible()
        approve.click()
        assert demo_site.client.wait_task(gate, ["success"]) == "success"
        browser.close()
    assert demo_site.rows(
        "SELECT user_id, answer, method, counted FROM mlops.decision"
        " WHERE model = 'flight_delay' AND version = 1 AND seat = 'business_owner' AND counted"
    ) == [("bea", "Approve", "required_action", True)]


def test_a_release_signed_by_all_seats_goes_live(demo_site: Site, deployed: None) -> None:
    states = demo_site.client.task_states(RELEASE, FIRST)
    assert states == dict.fromkeys([*TASKS[RELEASE, FIRST], *GATES], "success")
    assert demo_site.rows(
        "SELECT version, action, run->>'run_id' FROM mlops.deployment WHERE model = 'flight_delay'"
    ) == [(1, "deploy", FIRST)]
    signed = demo_site.rows(
        "SELECT DISTINCT seat, user_id FROM mlops.decision"
        " WHERE model = 'flight_delay' AND version = 1 AND counted ORDER BY 1"
    )
    assert signed == [
        ("business_owner", "bea"),
        ("lead_data_scientist", "lin"),
        ("model_risk", "max"),
    ]
    told = demo_site.mlops("status", "flight_delay", "--url", tasks_url(demo_site))
    assert (told.returncode, "  version      1 (deploy" in told.stdout) == (0, True)


def tasks_url(site: Site) -> str:
    """Our own tables, as the role of the tasks."""
    return site.platform.postgres.url("warehouse", user=TASK_ROLE)


def test_a_week_is_scored_and_watched(demo_site: Site, monitored: None) -> None:
    week = "scheduled_departure >= '2013-07-01' AND scheduled_departure < '2013-07-08'"
    flights = demo_site.rows(f"SELECT flight_id FROM flights WHERE {week} ORDER BY 1")
    assert demo_site.rows("SELECT flight_id FROM ml.flight_delay ORDER BY 1") == flights
    assert demo_site.client.task_states(SCORE, WEEK) == dict.fromkeys(
        ["check_input", "score[0]", "score[1]", "publish"], "success"
    )
    assert demo_site.client.task_states(MONITOR, WEEK) == dict.fromkeys(
        TASKS[MONITOR, WEEK], "success"
    )
    assert demo_site.rows("SELECT model, version, period FROM mlops.monitor_result") == [
        ("flight_delay", 1, "2013-W27")
    ]


def test_a_second_model_lives_without_a_line_of_python(
    demo_site: Site, asked: dict[str, HumanRequest]
) -> None:
    requests = demo_site.gates("cancellation_release", FIRST, 2)
    assert set(requests) == {"business_owner", "lead_data_scientist"}
    demo_site.approve(requests["business_owner"])
    lead = requests["lead_data_scientist"]
    with pytest.raises(AirflowRefused, match="no conditions"):
        demo_site.client.respond("lin", lead.task, "Approve with conditions", {"reason": ""})
    reason = {"reason": "for one summer"}
    demo_site.client.respond("lin", lead.task, "Approve with conditions", reason)
    demo_site.finish("cancellation_release", FIRST)
    demo_site.trigger("cancellation_score", "july", "2013-08-01")
    demo_site.finish("cancellation_score", "july")
    july = "scheduled_departure >= '2013-07-01' AND scheduled_departure < '2013-08-01'"
    assert demo_site.rows("SELECT count(*) FROM ml.cancellation") == demo_site.rows(
        f"SELECT count(*) FROM flights WHERE {july}"
    )


def test_one_rejection_deploys_nothing(demo_site: Site, deployed: None) -> None:
    requests = demo_site.gates(RELEASE, SECOND, 3)
    risk = requests.pop("model_risk")
    demo_site.client.respond("max", risk.task, "Reject", {"reason": "two weeks are not a season"})
    for request in requests.values():
        demo_site.approve(request)
    demo_site.finish(RELEASE, SECOND)
    states = demo_site.client.task_states(RELEASE, SECOND)
    assert states["deploy"] == "skipped"
    assert {states[gate] for gate in GATES} == {"success"}
    assert demo_site.rows(
        "SELECT seat, answer, reason FROM mlops.decision WHERE model = 'flight_delay'"
        " AND version = 2 AND answer = 'Reject'"
    ) == [("model_risk", "Reject", "two weeks are not a season")]
    assert demo_site.rows("SELECT version FROM mlops.deployment WHERE model = 'flight_delay'") == [
        (1,)
    ]


def test_a_dag_written_by_hand_with_the_same_operators_runs_green(
    demo_site: Site, monitored: None
) -> None:
    versions = demo_site.rows("SELECT count(*) FROM mlops.version WHERE model = 'flight_delay'")
    demo_site.client.trigger("flight_delay_rehearsal", "rehearsal")
    demo_site.finish("flight_delay_rehearsal", "rehearsal")
    assert demo_site.client.task_states("flight_delay_rehearsal", "rehearsal") == dict.fromkeys(
        ["intake", "snapshot", "check_data", "train", "validate"], "success"
    )
    assert versions == demo_site.rows(
        "SELECT count(*) FROM mlops.version WHERE model = 'flight_delay'"
    )


def test_any_task_that_is_cleared_runs_again_and_changes_nothing(
    demo_site: Site, monitored: None
) -> None:
    """One task of each of the three DAGs at a time; nobody has to sign again."""
    for request in demo_site.client.hitl_waiting(RELEASE, SECOND):
        demo_site.approve(request)
    before = demo_site.content()
    for tasks in zip_longest(*TASKS.values()):
        cleared = [(run, task) for run, task in zip(TASKS, tasks, strict=True) if task]
        for (dag_id, run_id), task in cleared:
            assert demo_site.client.clear(dag_id, run_id, [task]) == [task]
        for (dag_id, run_id), _ in cleared:
            demo_site.finish(dag_id, run_id)
        after = demo_site.content()
        assert added(before, after) == {}, f"after clearing {tasks}"
        assert after == before, f"after clearing {tasks}"
    for (dag_id, run_id), task in ((run, tasks[0]) for run, tasks in TASKS.items()):
        task_ref = TaskRef(dag_id, run_id, task)
        assert demo_site.client.request("GET", task_ref.instance_path)["try_number"] == 2


def test_what_tasks_hand_on_is_small(demo_site: Site, monitored: None) -> None:
    with psycopg.connect(demo_site.airflow_database) as connection:
        largest = connection.execute(
            "SELECT dag_id || '.' || task_id || '.' || key, octet_length(value::text)"
            " FROM xcom ORDER BY 2 DESC LIMIT 10"
        ).fetchall()
    assert largest[0][1] > 100
    for name, size in largest:
        assert size < 1_000, name


def test_every_task_of_ours_tells_what_it_read_and_wrote(demo_site: Site, monitored: None) -> None:
    expected = {f"{dag_id}.{task}" for (dag_id, _), tasks in TASKS.items() for task in tasks}
    expected |= {f"{RELEASE}.{gate}" for gate in GATES}

    def told() -> dict[str, list[dict[str, Any]]]:
        """The ends of our tasks, whatever run they were in, by the names of their jobs."""
        complete: dict[str, list[dict[str, Any]]] = {}
        for event in demo_site.events():
            dag_id, _, task = event["job"]["name"].partition(".")
            if event["eventType"] == "COMPLETE" and dag_id in DAGS and task:
                complete.setdefault(event["job"]["name"], []).append(event)
        return complete

    # A listener writes after the task's state is known.
    demo_site.wait(lambda: expected <= set(told()))
    for name, events in told().items():
        for event in events:
            told_of = f"{name} at {event['eventTime']}"
            assert event["outputs"], told_of
            # What a person wrote is the source of a spec, and no dataset.
            assert event["inputs"] or name.endswith(".intake"), told_of
    text = demo_site.platform.places.lineage.read_text()
    assert demo_site.platform.postgres.password not in text
    assert tasks_url(demo_site).split(":")[2].partition("@")[0] not in text


def test_lineage_is_delivered_right_after_each_commit(demo_site: Site, monitored: None) -> None:
    """Nobody asks for it: the API server hears of each commit and delivers."""

    def told(job: str) -> bool:
        return any(name.startswith(job) for _, name in demo_site.lineage.kept.order)

    demo_site.wait(lambda: told("flight_delay.v1.report_monitoring_"))
    late = demo_site.rows(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.at - l.at)) "
        "FROM mlops.lineage_delivery d JOIN mlops.ledger l USING (seq) "
        "WHERE d.outcome = 'delivered'"
    )
    assert late[0][0] < 5
    assert demo_site.rows(
        "SELECT count(*) FROM mlops.lineage_delivery WHERE outcome = 'refused'"
    ) == [(0,)]


def test_what_was_missed_is_delivered_by_the_governance_dag(
    demo_site: Site, monitored: None
) -> None:
    demo_site.lineage.empty()
    demo_site.client.unpause("mlops_governance")
    demo_site.client.trigger("mlops_governance", "by-hand", logical_date=moment("2013-07-20"))
    demo_site.finish("mlops_governance", "by-hand")
    demo_site.wait(lambda: demo_site.mlops("lineage", "verify").returncode == 0)
    verified = demo_site.mlops("lineage", "verify")
    assert f"Marquez at {demo_site.lineage.url} agrees with the ledger" in verified.stdout


def test_a_column_is_traced_from_the_shell(demo_site: Site, monitored: None) -> None:
    traced = demo_site.mlops("trace", "public.planes.seats")
    assert traced.returncode == 0, traced.stderr
    assert "versions: flight_delay/v1" in traced.stdout
    assert f"{demo_site.lineage.url}/api/v1/jobs/runs/" in traced.stdout
    upstream = demo_site.mlops("trace", "flight_delay/2013-W27/v1", "--upstream", "--json")
    jobs = {run["job"] for run in json.loads(upstream.stdout)["runs"]}
    assert {"flight_delay.v1.package", "flight_delay.v1.deploy"} <= jobs
    unknown = demo_site.mlops("trace", "public.nothing")
    assert (unknown.returncode, "nothing is known of" in unknown.stderr) == (1, True)


def test_the_ledger_is_whole_at_the_end(demo_site: Site, monitored: None) -> None:
    verified = demo_site.mlops("ledger", "verify")
    entries = demo_site.rows("SELECT count(*) FROM mlops.ledger")[0][0]
    assert verified.returncode == 0, verified.stderr
    assert f"the ledger is whole: {entries} entries" in verified.stdout


def test_no_dag_file_is_broken(demo_site: Site) -> None:
    assert demo_site.client.import_errors() == {}
