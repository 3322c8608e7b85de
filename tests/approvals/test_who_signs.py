"""Who may sign, how often, for how long; and what is said where a signature does not count."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import yaml

from mlops.approvals.eligibility import Person
from mlops.approvals.reminders import due_notices
from mlops.approvals.requests import approval_request_id, request_approval
from mlops.approvals.responses import record_lapse
from mlops.errors import NotSigned, RecordMissing, SignOffError, SpecError, StoreUnreachable
from mlops.flow import governance
from mlops.flow.control import control
from mlops.flow.fallback import choose_version
from mlops.operators.notify import notify
from mlops.store import ledger
from mlops.store.connect import Store
from mlops.views.status import status_as_of
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import asked, revoke, sign

DAY = "2026-01-05"


def policy_of(life: Life, name: str = "quick") -> dict:
    """The policy's file, as values."""
    return yaml.safe_load((life.include / "policies" / f"{name}.yml").read_text())


def write_policy(life: Life, policy: dict) -> None:
    """The policy's file anew."""
    place = life.include / "policies" / f"{policy['policy']}.yml"
    place.write_text(yaml.safe_dump(policy, sort_keys=False))


def version_of(life: Life, day: str = DAY) -> int:
    return life.release(day).packaged.version


def started_by(life: Life, user: str) -> Life:
    """The same life, in a run that somebody else started."""
    return elsewhere(life, run=replace(life.workspace.run, triggered_by=user))


def test_whoever_started_the_run_that_asks_does_not_answer_it(life_of: LifeOf) -> None:
    """Also where another run, of somebody else, had packaged the same version before."""
    life = life_of("late")
    version = version_of(life)
    again = started_by(life, "bea")
    assert version_of(again) == version
    refused = sign(again, version, "owner", "bea")
    assert refused.why == f"bea started the release of late v{version} and cannot sign it"
    assert sign(again, version, "owner", "ben").enough


def test_a_seat_whose_people_all_have_other_duties_is_an_error(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    policy = policy_of(life)
    policy["seats"]["owner"]["users"] = ["sam", "dora"]
    write_policy(life, policy)
    with pytest.raises(SignOffError, match="seat 'owner' has no person who may sign"):
        sign(life, version, "owner", "bea")


@pytest.mark.parametrize("shared", [False, True])
def test_one_person_fills_two_seats_only_where_the_policy_names_them(
    life_of: LifeOf, shared: bool
) -> None:
    life = life_of("late")
    policy = policy_of(life)
    policy["tiers"] = [{"name": "low", "seats": ["owner", "risk"]}]
    policy["seats"]["risk"].update(users=["bea", "lin"], required=1)
    policy["seats_shared"] = [["risk", "owner"]] if shared else []
    write_policy(life, policy)
    version = version_of(life)
    assert sign(life, version, "owner", "bea").enough
    second = sign(life, version, "risk", "bea")
    assert second.enough is shared
    if not shared:
        assert second.why == (
            "bea has signed as Owner already; one person fills one seat of a version"
        )


def two_seats(life: Life) -> int:
    """A version that an owner and one person of model risk sign; bea holds both seats."""
    policy = policy_of(life)
    policy["tiers"] = [{"name": "low", "seats": ["owner", "risk"]}]
    policy["seats"]["risk"].update(users=["bea", "lin"], required=1)
    write_policy(life, policy)
    return version_of(life)


def test_one_person_fills_one_seat_also_by_answers_that_arrive_at_once(life_of: LifeOf) -> None:
    """Both are looked at before either is written: nothing is appended while the lock is held."""
    life = life_of("late")
    version = two_seats(life)
    with psycopg.connect(life.database) as held, ThreadPoolExecutor(2) as pool:
        waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
        works = [asked(life, version, seat, "bea") for seat in ("owner", "risk")]
        held.execute(ledger.LOCK.text)
        done = [pool.submit(work) for work in works]
        while held.execute(waiting).fetchone() != (2,):
            assert not any(one.done() for one in done)
            time.sleep(0.01)
        held.rollback()
    assert sorted(one.result().counted for one in done) == [False, True]


def test_one_person_fills_one_seat_also_where_one_clock_is_ahead(life_of: LifeOf) -> None:
    life = life_of("late")
    version = two_seats(life)
    assert sign(life, version, "owner", "bea", at=datetime.now(UTC) + timedelta(minutes=1)).counted
    assert "has signed as Owner already" in sign(life, version, "risk", "bea").why


@pytest.mark.parametrize("choice", ["Approve", "Reject"])
def test_an_answer_without_a_reason_where_the_policy_asks_for_one(
    life_of: LifeOf, choice: str
) -> None:
    life = life_of("late")
    policy = policy_of(life)
    policy["seats"]["owner"]["reason_needed"] = True
    write_policy(life, policy)
    version = version_of(life)
    assert "has no reason" in sign(life, version, "owner", "bea", choice=choice, reason=" ").why
    with pytest.raises(NotSigned, match="nobody has signed"):
        life.deploy(version)


@pytest.mark.parametrize("reason", ["it is\0fit", "it is\ud83dfit"])
def test_a_reason_that_no_database_holds_is_kept_as_far_as_it_can(
    life_of: LifeOf, reason: str
) -> None:
    """A refusal that could not be written down would be none, and its gate would fail."""
    life = life_of("late")
    version = version_of(life)
    assert not sign(life, version, "owner", "sam", reason=reason).counted
    assert sign(life, version, "owner", "bea", reason=reason).enough
    life.deploy(version)
    by_hand = elsewhere(life, run=replace(life.workspace.run, run_id="stop")).workspace
    control(by_hand, model="late", action="stop", person=Person("ben", "ben"), reason=reason)
    kept = "it is\N{REPLACEMENT CHARACTER}fit"
    assert life.rows("SELECT DISTINCT reason FROM mlops.decision") == [(kept,)]
    assert life.value("SELECT reason FROM mlops.deployment ORDER BY id DESC LIMIT 1") == kept


def test_somebody_called_like_an_id_holds_nothing(life_of: LifeOf) -> None:
    """With FAB an id is a number, and anybody may be called '3'."""
    life = life_of("late")
    version = version_of(life)
    refused = sign(life, version, "owner", Person(id="7", name="bea"))
    assert refused.why == "bea does not hold the seat Owner"
    refused = sign(life, version, "owner", Person(id="bea", name="sam"))
    assert "sam developed" in refused.why
    assert sign(life, version, "owner", Person(id="bea", name="Beatrice")).enough


@pytest.mark.parametrize("name", ["Sam", "SAM ", "ｓａｍ"])
def test_the_developer_is_known_however_the_name_is_spelled(life_of: LifeOf, name: str) -> None:
    """With FAB, whoever is called 'Sam' logs in as 'sam' as well."""
    life = life_of("late")
    version = version_of(life)
    refused = sign(life, version, "owner", Person(id="bea", name=name))
    assert refused.why == f"{name} developed late v{version} and cannot sign it"


def test_an_approval_with_conditions_is_one_and_says_them(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    said = "Approve with conditions"
    assert "has no conditions" in sign(life, version, "owner", "bea", choice=said, reason="").why
    assert sign(life, version, "owner", "bea", choice=said, reason="for July only").enough
    life.deploy(version)
    with life.workspace.store.transaction() as transaction:
        found = status_as_of(transaction, "late", datetime.now(UTC))
    assert found is not None
    (signature,) = found.signed_by
    assert signature.endswith("(with conditions: for July only)")
    assert life.rows("SELECT valid_until IS NOT NULL FROM mlops.decision WHERE counted") == [
        (True,)
    ]


def test_a_rejection_empties_the_seat(life_of: LifeOf) -> None:
    life = life_of("late_two")
    version = version_of(life)
    for user in ("lin", "lea"):
        sign(life, version, "risk", user)
    sign(life, version, "risk", "lou", choice="Reject", reason="unfair")
    with pytest.raises(NotSigned, match="lou rejected: unfair"):
        life.deploy(version)
    sign(life, version, "risk", "lou")
    with pytest.raises(NotSigned, match="1 of 2 different people"):
        life.deploy(version)


def test_a_revocation_counts_where_the_clock_of_its_machine_is_slow(
    life_of: LifeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came first is what the ledger took first, not what the earlier time is given for."""
    life = life_of("late")
    version = version_of(life)
    sign(life, version, "owner", "bea")
    life.deploy(version)
    slow = datetime.now(UTC) - timedelta(minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr("mlops.flow.control.now", lambda: slow)
        revoke(life, version)
    with life.workspace.store.transaction() as transaction:
        assert choose_version(transaction, "late", at=datetime.now(UTC)).version is None
    with pytest.raises(NotSigned, match="ben revoked the signature"):
        life.deploy(version)


def test_a_revocation_that_is_run_again_takes_back_nothing_that_was_signed_since(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    version = version_of(life)
    sign(life, version, "owner", "bea")
    life.deploy(version)
    done = revoke(life, version)
    assert sign(life, version, "owner", "bea", reason="it is fit after all").enough
    rows = life.content()
    assert revoke(life, version) == done
    assert life.content() == rows
    with life.workspace.store.transaction() as transaction:
        assert choose_version(transaction, "late", at=datetime.now(UTC)).version is not None


def test_an_approval_that_was_recorded_late_undoes_no_rejection(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    before = datetime.now(UTC)
    sign(life, version, "owner", "ben", choice="Reject", reason="unfair")
    assert not sign(life, version, "owner", "bea", at=before).enough
    with pytest.raises(NotSigned, match="ben rejected: unfair"):
        life.deploy(version)
    assert sign(life, version, "owner", "bea").enough


def test_a_signature_ends_with_its_days(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    now = datetime.now(UTC)
    sign(life, version, "owner", "bea", at=now - timedelta(days=364))
    life.deploy(version)
    now = datetime.now(UTC)
    with life.workspace.store.transaction() as transaction:
        (line,) = governance.expiring_signatures(transaction, at=now, within=timedelta(days=30))
        assert line.startswith(f"late v{version}: bea as owner")
        assert not governance.expiring_signatures(transaction, at=now, within=timedelta(hours=1))
    other = version_of(life, "2026-01-06")
    sign(life, other, "owner", "bea", at=now - timedelta(days=366))
    with pytest.raises(NotSigned, match="the signature of bea expired on "):
        life.deploy(other)


def test_a_review_is_due_so_many_months_after_packaging(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    sign(life, version, "owner", "bea")
    life.deploy(version)
    with life.workspace.store.transaction() as transaction:
        (before,) = governance.find_reviews(transaction, at=datetime.now(UTC))
        later = datetime.now(UTC) + timedelta(days=400)
        (after,) = governance.find_reviews(transaction, at=later)
    assert (before.model, before.version, before.overdue) == ("late", version, False)
    assert after.overdue
    assert governance.review(life.workspace).overdue == ()


def test_nobody_is_told_twice_and_a_mail_server_that_is_down_undoes_nothing(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    version = version_of(life)
    request_approval(life.workspace, model="late", version=version, seat="owner")
    now = datetime.now(UTC)
    kinds = [notice.kind for notice in due_notices(life.workspace, at=now)]
    assert kinds == ["reminder", "escalation"]
    policy = policy_of(life)
    policy["notify"]["notifier"] = "mlops.nowhere.Notifier"
    write_policy(life, policy)
    notices = due_notices(life.workspace, at=now)
    assert not any(notify(life.workspace, notice, {}) for notice in notices)
    assert [notice.kind for notice in due_notices(life.workspace, at=now)] == kinds


def test_a_gate_past_its_deadline_whose_policy_is_gone_holds_up_no_reminders(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    other = life_of("late_soon")
    request_approval(life.workspace, model="late", version=version_of(life), seat="owner")
    version = version_of(other)
    there = elsewhere(other, run=replace(other.workspace.run, run_id="soon")).workspace
    request_approval(there, model="late_soon", version=version, seat="owner")
    time.sleep(6)
    (life.include / "policies" / "soon.yml").unlink()
    found = due_notices(life.workspace, at=datetime.now(UTC))
    assert [notice.kind for notice in found] == ["reminder", "escalation"]


def test_a_lapse_takes_earlier_answers_with_it(life_of: LifeOf) -> None:
    life = life_of("late_two")
    version = version_of(life)
    sign(life, version, "risk", "lin")
    request_approval(life.workspace, model="late_two", version=version, seat="risk")
    notice = record_lapse(life.workspace, model="late_two", version=version, seat="risk")
    assert notice.request_id == approval_request_id(life.workspace.run)
    query = "SELECT decided_at FROM mlops.decision WHERE answer = 'Lapse'"
    after = life.value(query) + timedelta(seconds=1)
    sign(life, version, "risk", "lea", at=after)
    with pytest.raises(NotSigned):
        life.deploy(version)


def test_a_wait_that_ended_early_undoes_nothing_that_is_signed_afterwards(
    life_of: LifeOf,
) -> None:
    """Neither at once, nor on the day until which there had been time to answer."""
    life = life_of("late")
    version = version_of(life)
    request_approval(life.workspace, model="late", version=version, seat="owner")
    for _ in range(2):
        record_lapse(life.workspace, model="late", version=version, seat="owner")
    assert life.value("SELECT count(*) FROM mlops.decision") == 1
    with pytest.raises(NotSigned, match="answered in time"):
        life.deploy(version)
    assert sign(life, version, "owner", "bea").enough
    life.deploy(version)
    with life.workspace.store.transaction() as transaction:
        later = datetime.now(UTC) + timedelta(days=3)
        assert choose_version(transaction, "late", at=later).version is not None


def test_a_policy_without_people_for_a_seat_is_refused(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    policy = policy_of(life)
    policy["seats"]["owner"]["users"] = []
    write_policy(life, policy)
    with pytest.raises(SpecError, match="needs 1 different people and names 0"):
        life.workspace.include.policy("quick")
    with pytest.raises(SpecError):
        sign(life, version, "owner", "bea")


def test_a_store_that_cannot_be_reached_opens_nothing(life_of: LifeOf) -> None:
    life = life_of("late")
    version = version_of(life)
    sign(life, version, "owner", "bea")
    away = elsewhere(life, store=Store("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnreachable):
        away.deploy(version)
    assert life.value("SELECT count(*) FROM mlops.deployment") == 0


def test_a_second_rollback_goes_further_back_and_not_to_what_was_wrong(life_of: LifeOf) -> None:
    life = life_of("late")
    days = ("2026-01-05", "2026-01-06", "2026-01-07")
    versions = [version_of(life, day) for day in days]
    for version in versions:
        sign(life, version, "owner", "bea")
        life.deploy(version)

    def rollback(run: str) -> int:
        there = elsewhere(life, run=replace(life.workspace.run, run_id=run)).workspace
        ben = Person("ben", "ben")
        done = control(there, model="late", action="rollback", person=ben, reason="wrong scores")
        return done.version

    assert [rollback("one"), rollback("one"), rollback("two")] == [
        versions[1],
        versions[1],
        versions[0],
    ]
    with pytest.raises(RecordMissing, match="a version to roll back to"):
        rollback("three")
    elsewhere(life, run=replace(life.workspace.run, run_id="again")).deploy(versions[2])
    assert rollback("four") == versions[0]


def test_a_cleared_deployment_that_was_rolled_back_says_what_is_live(life_of: LifeOf) -> None:
    life = life_of("late")
    first, second = (version_of(life, day) for day in ("2026-01-05", "2026-01-06"))
    there = {
        version: elsewhere(life, run=replace(life.workspace.run, run_id=f"release-{version}"))
        for version in (first, second)
    }
    told = {}
    for version, release in there.items():
        sign(life, version, "owner", "bea")
        told[version] = release.deploy(version)
    assert (told[second].replaced, told[second].live, told[second].superseded) == (
        first,
        second,
        "",
    )
    person = Person("ben", "ben")
    for action, live, words in (
        ("rollback", first, f"late v{second} is not what scores since the rollback to v{first} by"),
        ("stop", first, f"late v{second} is not what scores since the stop of v{first} by ben at"),
    ):
        by_hand = elsewhere(life, run=replace(life.workspace.run, run_id=action)).workspace
        control(by_hand, model="late", action=action, person=person, reason="wrong scores")
        since = life.value("SELECT valid_from FROM mlops.deployment ORDER BY id DESC LIMIT 1")
        rows = life.content()
        again = there[second].deploy(second)
        assert life.content() == rows, "no change of state"
        assert again.superseded.startswith(words)
        assert (again.version, again.replaced) == (second, first)
        assert (again.live, again.live_since) == (live, since.isoformat())
    # The version that was rolled back to is in force, but it was stopped.
    stopped = there[first].deploy(first)
    assert (stopped.live, stopped.replaced) == (first, 0)
    assert "since the stop of" in stopped.superseded


def test_a_release_that_found_its_version_live_has_had_its_turn(life_of: LifeOf) -> None:
    """Cleared when another version is live, it does not bring its own one back."""
    life = life_of("late")
    first, second = (version_of(life, day) for day in ("2026-01-05", "2026-01-06"))
    runs = {
        name: elsewhere(life, run=replace(life.workspace.run, run_id=name))
        for name in ("once", "twice", "newer")
    }
    for version in (first, second):
        sign(life, version, "owner", "bea")
    runs["once"].deploy(first)
    entries = life.value("SELECT count(*) FROM mlops.ledger")
    assert runs["twice"].deploy(first).superseded == ""
    assert runs["twice"].deploy(first).superseded == ""
    assert life.value("SELECT count(*) FROM mlops.ledger") == entries + 1
    assert life.value("SELECT count(*) FROM mlops.deployment") == 1
    runs["newer"].deploy(second)
    rows = life.content()
    for name in ("once", "twice"):
        again = runs[name].deploy(first)
        assert (again.live, again.superseded != "") == (second, True)
    assert life.content() == rows


def test_a_model_that_nobody_could_sign_is_refused_before_anything_is_trained(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    policy = yaml.safe_load(file.read_text())
    policy["seats"]["owner"]["users"] = ["sam"]
    file.write_text(yaml.safe_dump(policy))
    with pytest.raises(SpecError, match="owner needs 1 and has none, without the developer sam"):
        life.release("2026-01-05")
    assert life.value("SELECT count(*) FROM mlops.ledger") == 1  # the key
