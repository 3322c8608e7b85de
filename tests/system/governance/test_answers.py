"""Who may answer at a gate, and what becomes of each answer, in a real Airflow."""

from __future__ import annotations

import httpx
import pytest

from demo.rest import AirflowRefused
from mlops.errors import NotSigned
from tests.system.governance.site import Site

pytestmark = pytest.mark.system


def refused(
    site: Site, user: str, gate, option: str = "Approve", reason: str = "fine", status: int = 460
) -> str:
    """What somebody reads whose answer is refused."""
    with pytest.raises(AirflowRefused) as refusal:
        site.client.respond(user, gate, option, {"reason": reason})
    assert refusal.value.status == status
    return refusal.value.detail


@pytest.mark.parametrize(
    ("user", "status", "why"),
    [
        ("eve", 403, "eve does not hold the seat Owner"),
        ("amy", 403, "amy does not hold the seat Owner"),
        ("sam", 460, "sam developed {} and cannot sign it"),
        ("dora", 460, "dora started the release of {} and cannot sign it"),
    ],
)
def test_whoever_may_not_sign_is_refused_with_the_reason(
    site: Site, one_gate, user: str, status: int, why: str
) -> None:
    """A user outside the seat, a mere reader, the developer, and whoever started the release."""
    gate, version = one_gate
    subject = f"late/v{version}"
    said = refused(site, user, gate, status=status)
    assert said == why.format(f"late v{version}")
    actor, _, payload = site.entries(subject, "signature.refused")[-1]
    assert (actor, payload["refusal"], payload["counted"]) == (user, said, False)
    assert site.client.hitl_waiting(gate.dag_id, gate.run_id), "the gate waits on"


@pytest.fixture(scope="module")
def one_gate(site: Site):
    """A gate that waits for an owner, for answers that are refused."""
    version = site.version("late")
    return site.ask("late", version), version


@pytest.mark.parametrize("scheme", ["Bearer  ", "bearer ", "BEARER   "])
def test_a_person_is_known_in_every_spelling_that_airflow_takes(
    site: Site, one_gate, scheme: str
) -> None:
    """The middleware asks Airflow who it is, and does not read the header by itself."""
    gate, version = one_gate
    before = len(site.entries(f"late/v{version}", "signature.refused"))
    answer = httpx.patch(
        f"{site.platform.url}/api/v2/dags/{gate.dag_id}/dagRuns/{gate.run_id}"
        f"/taskInstances/{gate.task_id}/-1/hitlDetails",
        headers={"Authorization": scheme + site.client.token("eve")},
        json={"chosen_options": ["Approve"], "params_input": {"reason": "fine"}},
        timeout=60,
        trust_env=False,
    )
    assert answer.status_code == 403
    assert answer.json()["detail"] == "eve does not hold the seat Owner"
    entries = site.entries(f"late/v{version}", "signature.refused")
    assert [actor for actor, _, _ in entries[before:]] == ["eve"]


def test_a_rejection_needs_a_reason_and_nothing_is_deployed(site: Site) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    assert "has no reason" in refused(site, "bea", gate, "Reject", " ")
    site.client.respond("bea", gate, "Reject", {"reason": "the KPI is not worth it"})
    assert site.client.wait_task(gate, ["success"]) == "success"
    assert site.deployed(gate) == "skipped"
    with pytest.raises(NotSigned, match="bea rejected: the KPI is not worth it"):
        site.life("late").deploy(version)
    assert [a for a, _, _ in site.entries(f"late/v{version}", "signature.rejected")] == ["bea"]
    assert not site.entries(f"late/v{version}", "version.deployed")


def test_nobody_counts_twice_for_a_seat_of_two(site: Site) -> None:
    version = site.version("late_two")
    subject = f"late_two/v{version}"
    gate = site.ask("late_two", version)
    site.sign(gate, "lin")
    waiting = site.asked_again(gate)
    assert "1 of 2 different people have signed" in site.client.log(gate, try_number=1)
    assert "lin: Approve" in waiting.body
    said = refused(site, "lin", gate)
    assert said == "lin has signed as Model risk already; the seat needs 2 different people"
    assert site.client.hitl_waiting(gate.dag_id, gate.run_id), "the gate waits on"
    assert site.entries(subject, "signature.refused")[-1][2]["refusal"] == said
    site.sign(gate, "lea")
    assert site.deployed(gate) == "success"
    assert [a for a, _, _ in site.entries(subject, "signature.given")] == ["lin", "lea"]
    assert site.live("late_two") == version


def test_two_answers_at_once_are_one_answer_each(site: Site) -> None:
    """The same person sends an approval twice at the same time: one is taken, one is refused."""
    version = site.version("late_two")
    gate = site.ask("late_two", version)
    outcomes = site.at_once(
        lambda: site.sign(gate, "lin"),
        lambda: site.sign(gate, "lin"),
    )
    assert sorted(outcomes) in ([0, 460], [0, 409])
    site.asked_again(gate)
    given = site.entries(f"late_two/v{version}", "signature.given")
    assert [actor for actor, _, _ in given] == ["lin"]
    assert site.live("late_two") != version


def test_silence_is_a_lapse_and_never_an_answer(site: Site) -> None:
    version = site.version("late_soon")
    gate = site.start("late_soon", version)
    assert site.client.wait_run(gate.dag_id, gate.run_id) == "failed"
    states = site.client.task_states(gate.dag_id, gate.run_id)
    assert states == {gate.task_id: "failed", "deploy": "upstream_failed"}
    assert "none of bea, ben answered" in site.log(gate)
    ((actor, _, payload),) = site.entries(f"late_soon/v{version}", "seat.lapsed")
    assert (actor, payload["user_name"], payload["method"]) == ("airflow", "bea, ben", "timeout")
    assert site.live("late_soon") is None
    with pytest.raises(NotSigned, match="none of bea, ben answered in time"):
        site.life("late_soon").deploy(version)


def test_clearing_a_gate_keeps_the_first_answer_and_asks_anew(site: Site) -> None:
    version = site.version("late")
    subject = f"late/v{version}"
    gate = site.ask("late", version)
    site.sign(gate, "bea", "the first answer")
    assert site.deployed(gate) == "success"
    site.client.wait_run(gate.dag_id, gate.run_id)
    site.client.clear(gate.dag_id, gate.run_id, [gate.task_id])
    request = site.asked(gate)
    assert "bea: Approve" in request.body
    site.client.respond("ben", gate, "Reject", {"reason": "the second answer"})
    site.client.wait_task(gate, ["success"])
    answers = site.entries(subject, "signature.given", "signature.rejected")
    assert [(actor, payload["reason"]) for actor, _, payload in answers] == [
        ("bea", "the first answer"),
        ("ben", "the second answer"),
    ]
    asked = site.entries(subject, "signature.requested")
    # Airflow may need another try to start a task at all.
    first, second = (payload["run"]["try_number"] for _, _, payload in asked)
    assert (first, second > first) == (1, True)
