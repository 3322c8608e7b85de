"""Three facts got tables of their own at revision 0003; what was recorded before is still read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mlops.approvals.eligibility import Person
from mlops.approvals.requests import acknowledge, approval_request_id, unprocessed_decision
from mlops.digests import digest_json
from mlops.flow.control import find_starter, record_run_start
from mlops.store import ledger
from mlops.store.tables import NoticeRow, RunStartRow
from mlops.vocabulary import LedgerAction, run_subject, version_subject
from mlops.workspace.workspace import RunIdentity, Workspace, now
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.visits import sign

if TYPE_CHECKING:
    from tests.fixtures.lives import LifeOf

BEFORE, AFTER = timedelta(days=-1), timedelta(days=1)


def verify(life: Life) -> None:
    with life.workspace.store.transaction() as transaction:
        assert ledger.verify(transaction.session.connection())[1] is None


def note_start(workspace: Workspace, person: Person) -> None:
    """A start as it was recorded before revision 0003."""
    run = workspace.run
    with workspace.store.transaction() as transaction:
        transaction.note(
            actor=person.id,
            action=LedgerAction.RUN_STARTED,
            subject=run_subject(run.dag_id, run.run_id),
            payload={"user_id": person.id, "user_name": person.name},
        )


def in_run(life: Life, run_id: str, triggered_by: str = "") -> Life:
    run = replace(life.workspace.run, run_id=run_id, triggered_by=triggered_by)
    return elsewhere(life, run=run)


def test_who_started_a_run_is_read_in_both_forms(life_of: LifeOf) -> None:
    life = life_of("late")
    old, new, neither = (in_run(life, name, "bea").workspace for name in ("old", "new", "neither"))
    note_start(old, Person("7", "bea"))
    record_run_start(new, person=Person("8", "bea"))
    assert [find_starter(one).id for one in (old, new, neither)] == ["7", "8", "bea"]
    assert life.value("SELECT count(*) FROM mlops.run_start") == 1
    verify(life)


def test_a_run_that_was_deleted_and_started_again_has_its_newer_starter(life_of: LifeOf) -> None:
    life = life_of("late")
    for name, number in (("bea", "7"), ("ben", "8"), ("ben", "8")):
        record_run_start(in_run(life, "r", name).workspace, person=Person(number, name))
    assert find_starter(in_run(life, "r", "ben").workspace) == Person("8", "ben")
    assert life.value("SELECT count(*) FROM mlops.run_start") == 2


def test_a_start_that_was_added_by_hand_is_not_believed(life_of: LifeOf) -> None:
    work = in_run(life_of("late"), "r", "bea").workspace
    with work.store.transaction() as transaction:
        transaction.session.add(
            RunStartRow(
                dag_id=work.run.dag_id,
                run_id="r",
                user_id="1",
                user_name="bea",
                started_at=now(),
            )
        )
    assert find_starter(work).id == "bea"
    with work.store.transaction() as transaction:
        broken = ledger.verify(transaction.session.connection())[1]
    assert broken is not None
    assert "1 of 1 rows of run_start have no entry" in broken.reason


def test_a_confirmation_of_before_is_a_release_s_turn(life_of: LifeOf) -> None:
    life = life_of("late")
    first, second = (life.release(f"2026-01-0{day}").packaged.version for day in (5, 6))
    for version in (first, second):
        sign(life, version, "owner", "bea")
    in_run(life, "once").deploy(first)
    twice = in_run(life, "twice")
    run = twice.workspace.run
    with life.workspace.store.transaction() as transaction:
        transaction.note(
            actor=run.actor,
            action=LedgerAction.VERSION_CONFIRMED,
            subject=version_subject("late", first),
            payload={
                "key": digest_json(["deploy", "late", first, run.dag_id, "twice"]),
                "run": run.to_json(),
            },
        )
    in_run(life, "newer").deploy(second)
    assert twice.deploy(first).live == second
    # Another release's confirmation is not this one's.
    assert in_run(life, "thrice").deploy(first).live == first
    assert life.value("SELECT count(*) FROM mlops.confirmation") == 0
    verify(life)


def test_a_confirmation_has_a_row_and_an_entry(life_of: LifeOf) -> None:
    life = life_of("late")
    first = life.release("2026-01-05").packaged.version
    sign(life, first, "owner", "bea")
    in_run(life, "once").deploy(first)
    in_run(life, "twice").deploy(first)
    rows = life.rows("SELECT model, version, run ->> 'run_id' FROM mlops.confirmation")
    assert rows == [("late", first, "twice")]
    verify(life)


@pytest.mark.parametrize("form", ["notice", "row"])
def test_an_answer_that_was_read_is_asked_for_again(life_of: LifeOf, form: str) -> None:
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    (row,) = life.rows("SELECT dag_id, run_id, task_id FROM mlops.gate")
    run = RunIdentity(*row)
    work = replace(life.workspace, run=run)
    decision = unprocessed_decision(work, since=datetime.now(UTC))
    assert decision is not None
    if form == "row":
        acknowledge(work, decision=decision, request_id=approval_request_id(run))
        acknowledge(work, decision=decision, request_id=approval_request_id(run))
    else:
        with work.store.transaction() as transaction:
            transaction.record(
                NoticeRow(
                    subject=approval_request_id(run),
                    kind="read",
                    told=[],
                    text="Approve",
                    told_at=now(),
                ),
                actor=run.actor,
                action=LedgerAction.RESPONSE_READ,
                subject=version_subject("late", version),
                payload={"gate": approval_request_id(run), "answer": "Approve"},
            )
    assert unprocessed_decision(work, since=now() + AFTER) is None
    found = unprocessed_decision(work, since=now() + BEFORE)
    assert found is not None
    assert found.id == decision.id
    count = life.value("SELECT count(*) FROM mlops.response_read")
    assert count == (1 if form == "row" else 0)
    verify(life)
