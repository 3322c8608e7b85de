"""The life that 0.1.0 left behind goes on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from mlops.approvals.decisions import Answer
from mlops.approvals.eligibility import Person
from mlops.approvals.requests import approval_request_id, request_approval, unprocessed_decision
from mlops.approvals.responses import record_response
from mlops.core.period import Period, parse
from mlops.errors import NotSigned
from mlops.flow.control import control, record_run_start
from mlops.flow.deploy import deploy
from mlops.lineage.marquez.compare import compare_outbox
from mlops.store import ledger
from mlops.store.tables import (
    ApprovalRequestRow,
    DecisionRow,
    DeploymentRow,
)
from mlops.workspace.workspace import RunIdentity
from tests.compat.earlier import (
    AT,
    EARLIER,
    EXPECTED,
    LIVE,
    LIVED,
    MODEL,
    in_run,
    loads_models,
    only_as_made,
    plain,
)
from tests.fixtures.life import Life, added, elsewhere

pytestmark = EARLIER


@only_as_made
def test_a_release_that_is_run_again_finds_its_version(left: Life) -> None:
    """The same rows and the same spec give the same snapshot, training and package."""
    expected, before = LIVED["second"]["release"], left.content()
    found = in_run(left, "release-2").release("2013-07-02")
    for step in ("intake", "snapshot", "checked", "training", "validation", "packaged"):
        assert plain(asdict(getattr(found, step))) == expected[step], step
    # A report may say more today than it did.
    assert set(added(before, left.content())) <= {
        "mlops.report",
        "mlops.ledger",
        "mlops.lineage_event",
    }


@loads_models
def test_a_task_of_0_1_0_that_is_cleared_now_does_nothing_twice(left: Life) -> None:
    """What a run has done is known by digests of its own name, and of what it did."""
    with left.workspace.store.transaction() as transaction:
        gates, decisions = transaction.find(ApprovalRequestRow), transaction.find(DecisionRow)
        deployments = transaction.find(DeploymentRow)
    before = left.content()
    for row in gates:
        names = ("dag_id", "run_id", "task_id", "try_number", "triggered_by")
        run = RunIdentity(**{name: getattr(row, name) for name in names})
        assert approval_request_id(run) == row.id
        there = elsewhere(left, run=run).workspace
        request_approval(there, model=MODEL, version=row.version, seat=row.seat)
    for row in decisions:
        there = elsewhere(left, run=RunIdentity(**row.run)).workspace
        person = Person(row.user_id, row.user_name)
        if row.answer == "Revoke":
            what = {"version": row.version, "seat": row.seat}
            control(there, model=MODEL, action="revoke", person=person, reason="again", **what)
        elif row.answer != "Lapse":
            answer = Answer(person, row.answer, row.reason, row.decided_at, row.method)
            record_response(
                there,
                model=MODEL,
                version=row.version,
                seat=row.seat,
                answer=answer,
                request_id=row.gate,
            )
    for row in deployments:
        there = elsewhere(left, run=RunIdentity(**row.run)).workspace
        if row.action == "deploy" and row.version == LIVE:
            assert deploy(there, model=MODEL, version=row.version).live == LIVE
        elif row.action != "deploy":  # of the second version a signature was taken back
            person = Person(row.actor.lower(), row.actor)
            control(there, model=MODEL, action=row.action, person=person, reason="again")
    assert left.content() == before


def test_an_answer_of_0_1_0_that_its_task_has_read_is_not_read_again(left: Life) -> None:
    there = in_run(left, "release-1", "sign_off.model_risk").workspace
    began = datetime.fromisoformat(EXPECTED["status"][0]["at"])
    lost = unprocessed_decision(there, since=began)
    assert lost is not None
    assert (lost.user_id, lost.answer) == ("max", "Approve")
    assert unprocessed_decision(there, since=AT) is None


def sign(left: Life, number: int, seat: str, user: str, reason: str = "it is fit") -> bool:
    """Ask a seat again, and record an answer; whether the seat is signed then."""
    there = in_run(left, f"go-on-{user}", f"sign_off.{seat}").workspace
    assert user in request_approval(there, model=MODEL, version=number, seat=seat).users
    answer = Answer(Person(user, user.capitalize()), "Approve", reason, datetime.now(UTC))
    return record_response(
        there,
        model=MODEL,
        version=number,
        seat=seat,
        answer=answer,
        request_id=approval_request_id(there.run),
    ).enough


def act(left: Life, action: str, **what: Any) -> int:
    """Do something about what is live; which version is live then."""
    there, person = in_run(left, f"go-on-{action}", dag="control"), Person("bea", "Bea")
    record_run_start(there.workspace, person=person)
    return control(
        there.workspace, model=MODEL, action=action, person=person, reason="it goes on", **what
    ).version


def scored(left: Life, window: Period) -> tuple[str, bool]:
    """Score a window; its batch, and whether the rule scored it."""
    _, _, published = left.publish(window)
    return published.batch, published.batch.endswith("/rule")


@loads_models
def test_a_version_of_0_1_0_is_signed_and_goes_live_now(left: Life) -> None:
    day = parse("2013-07-05", "day")
    with pytest.raises(NotSigned):
        deploy(in_run(left, "go-on").workspace, model=MODEL, version=3)
    assert sign(left, 3, "business_owner", "bea")
    assert not sign(left, 3, "lead_data_scientist", "lea")
    assert sign(left, 3, "lead_data_scientist", "lou")
    assert sign(left, 3, "model_risk", "max")
    deployed = deploy(in_run(left, "go-on").workspace, model=MODEL, version=3)
    assert (deployed.replaced, deployed.live) == (1, 3)
    # Releases that have had their turn, one of which had found its version live already.
    for run in ("release-1", "release-1b"):
        assert deploy(in_run(left, run).workspace, model=MODEL, version=1).live == 3
    assert scored(left, day) == ("late/2013-07-05/v3", False)
    assert act(left, "stop") == 3
    assert scored(left, day) == ("late/2013-07-05/v3/rule", True)
    assert act(left, "resume") == 3
    assert act(left, "rollback") == 1
    assert scored(left, day) == ("late/2013-07-05/v1", False)
    act(left, "revoke", version=1, seat="business_owner")
    assert scored(left, day) == ("late/2013-07-05/v1/rule", True)
    with left.workspace.store.transaction() as transaction:
        entries, broken = ledger.verify(transaction.session.connection())
    assert broken is None
    assert entries > EXPECTED["ledger"]["entries"]
    assert compare_outbox(left.workspace.store).problems == ()
