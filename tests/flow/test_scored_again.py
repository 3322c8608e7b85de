"""A window that is scored more than once: after a rollback, on data that was mended."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest

from mlops.approvals.eligibility import Person
from mlops.core.period import parse
from mlops.errors import NotSigned, RecordMissing
from mlops.flow.control import control
from mlops.flow.measure import measure
from mlops.store import ledger
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.records import PublishedBatch
from tests.fixtures.life import Life, added, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign

DAY = parse("2026-02-01", "day")
SHOWN = "SELECT visit_id, score FROM ml.late ORDER BY visit_id"
BATCHES = "SELECT id, rows FROM mlops.scoring_batch ORDER BY published_at"


def go_live(life: Life, day: str) -> int:
    version = life.release(day).packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    return version


def rolled_back(life: Life) -> None:
    there = elsewhere(life, run=replace(life.workspace.run, run_id="by-hand")).workspace
    control(
        there, model="late", action="rollback", person=Person("ben", "ben"), reason="wrong scores"
    )


def shown(life: Life) -> list[tuple[int, str]]:
    """What applications see of the window: versions and batches."""
    return life.rows("SELECT DISTINCT model_version, batch FROM ml.late")


def verified(life: Life) -> bool:
    with life.workspace.store.transaction() as transaction:
        return ledger.verify(transaction.session.connection())[1] is None


def test_after_a_rollback_a_window_that_is_scored_again_is_shown_and_measured(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    old = life.window(DAY)
    go_live(life, "2026-01-06")
    wrong = life.window(DAY)
    assert shown(life) == [(2, "late/2026-02-01/v2")]
    rolled_back(life)
    assert shown(life) == [(2, "late/2026-02-01/v2")], "nothing was scored yet"
    again = life.window(DAY)
    assert shown(life) == [(1, "late/2026-02-01/v1#2")]
    assert again.published.batch == "late/2026-02-01/v1#2"
    assert again.measured.batch == again.published.batch
    rows = old.published.rows
    assert life.rows(BATCHES) == [
        ("late/2026-02-01/v1", rows),
        ("late/2026-02-01/v2", rows),
        ("late/2026-02-01/v1#2", rows),
    ]
    # Whatever is cleared now, in whichever run, changes nothing.
    before = life.content()
    for window in (old, wrong, again):
        assert life.show(window.plan) == window.published
    assert life.window(DAY).published == again.published
    assert life.content() == before
    assert verified(life)


def test_a_task_cleared_in_a_run_from_before_a_release_does_not_bring_its_version_back(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    old = life.window(DAY)
    go_live(life, "2026-01-06")
    life.window(DAY)
    before = life.content()
    assert life.show(old.plan) == old.published
    assert life.content() == before


def test_a_plan_that_a_release_overtook_is_published_behind_the_new_versions_batch(
    life_of: LifeOf,
) -> None:
    """Its run had been waiting for a worker, say; its rows are kept, and nobody reads them."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    go_live(life, "2026-01-06")
    life.window(DAY)
    life.score_all(plan)
    for _ in range(2):
        published = life.show(plan)
        assert published.batch == "late/2026-02-01/v1"
        assert shown(life) == [(2, "late/2026-02-01/v2")]
    assert measure(life.workspace, model="late", window=DAY).batch == "late/2026-02-01/v2"


def test_rows_that_were_mended_and_scored_again_are_a_fact_of_their_own(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    first = life.window(DAY)
    rows = first.published.rows
    life.run("DELETE FROM visits WHERE started = '2026-02-01T05:00:00Z'")
    again = life.window(DAY)
    assert (again.published.batch, again.published.rows) == ("late/2026-02-01/v1#2", rows - 1)
    assert (again.measured.batch, again.measured.rows) == (again.published.batch, rows - 1)
    # The same number of rows, one of which is another.
    before = life.content()
    life.run(
        "UPDATE visits SET visit_id = 1000000 WHERE started = '2026-02-01T06:00:00Z'",
    )
    third = life.window(DAY)
    assert third.published == replace(again.published, batch="late/2026-02-01/v1#3")
    new = added(before, life.content())
    assert new["mlops.scoring_batch"] == 1
    assert new["mlops.reading"] >= 1
    states = life.rows(
        "SELECT DISTINCT content->>'snapshot' FROM mlops.reading"
        " WHERE subject = 'late/2026-02-01/v1'"
    )
    assert len(states) >= 3, "each reading has the state that it saw"
    before = life.content()
    assert life.window(DAY).published == third.published
    assert life.content() == before
    assert verified(life)


def test_an_earlier_reading_cannot_be_published_after_a_later_one(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    old = life.plan(DAY)
    life.score_all(old)
    life.run("UPDATE visits SET visit_id = 1000000 WHERE started = '2026-02-01T06:00:00Z'")
    later = life.window(DAY)
    assert later.published.batch == "late/2026-02-01/v1#2"
    before = life.content()
    for step in (lambda: life.score(old, 0), lambda: life.show(old)):
        with pytest.raises(RecordMissing, match=r"v1 was overtaken; found late/2026-02-01/v1#2"):
            step()
    assert life.content() == before
    assert measure(life.workspace, model="late", window=DAY).batch == later.published.batch


def test_what_was_checked_is_what_is_scored(life_of: LifeOf) -> None:
    """A visit that comes after the window was read waits for the next reading."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    life.run("DELETE FROM visits WHERE started >= '2026-02-01'")
    life.score_all(plan)
    assert life.show(plan).rows == plan.rows > 0
    assert life.value("SELECT count(*) FROM ml.late") == plan.rows
    assert measure(life.workspace, model="late", window=DAY).rows == plan.rows


def test_predictions_that_were_changed_are_written_anew_when_the_window_is_read_again(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    life.window(DAY)
    right = life.rows(SHOWN)
    life.run("UPDATE ml.late_predictions SET score = 0 WHERE visit_id % 2 = 0")
    assert life.rows(SHOWN) != right
    assert life.window(DAY).published.batch == "late/2026-02-01/v1#2"
    assert life.rows(SHOWN) == right
    batches = "SELECT DISTINCT batch FROM ml.late_predictions"
    assert life.rows(batches) == [("late/2026-02-01/v1#2",)], "nothing is left of the first one"


def test_a_worker_that_goes_on_after_another_version_was_published_hides_nothing(
    life_of: LifeOf,
) -> None:
    """It had looked at what is on record before the other one wrote there."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    life.score_all(plan)
    go_live(life, "2026-01-06")
    with ThreadPoolExecutor(1) as workers:

        class SlowWarehouse(PostgresWarehouse):
            def publish_batch(self, *args: Any, **kwargs: Any) -> PublishedBatch:
                others.append(workers.submit(life.publish, DAY))
                wait(others, timeout=5)
                return super().publish_batch(*args, **kwargs)

        others: list[Future[Any]] = []
        slow = elsewhere(life, warehouse=SlowWarehouse(life.database))
        slow.show(plan)
        (other,) = others
        assert other.result()[2].batch == "late/2026-02-01/v2"
    assert shown(life) == [(2, "late/2026-02-01/v2")]
    assert measure(life.workspace, model="late", window=DAY).batch == "late/2026-02-01/v2"


@pytest.mark.parametrize("action", ["stop", "rollback"])
def test_a_plan_from_before_a_stop_or_a_rollback_scores_nothing(
    life_of: LifeOf, action: str
) -> None:
    """Its run had failed, say, and is cleared by somebody who knows nothing of the stop."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    go_live(life, "2026-01-06")
    plan = life.plan(DAY)
    there = elsewhere(life, run=replace(life.workspace.run, run_id="by-hand")).workspace
    person = Person("ben", "ben")
    control(there, model="late", action=action, person=person, reason="wrong scores")
    with pytest.raises(NotSigned, match=r"a plan of v2, .* clear the task 'check_input'"):
        life.score(plan, 0)
    assert life.rows("SELECT count(*) FROM ml.late_predictions") == [(0,)]
    assert life.window(DAY).plan.batch == "late/2026-02-01/v1"


@pytest.mark.parametrize("action", ["stop", "rollback"])
def test_a_batch_that_was_scored_before_a_stop_or_a_rollback_is_not_published(
    life_of: LifeOf, action: str
) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    go_live(life, "2026-01-06")
    plan = life.plan(DAY)
    life.score_all(plan)
    there = elsewhere(life, run=replace(life.workspace.run, run_id="by-hand")).workspace
    person = Person("ben", "ben")
    control(there, model="late", action=action, person=person, reason="wrong scores")
    with pytest.raises(NotSigned, match=r"a plan of v2, which is not what scores now"):
        life.show(plan)
    assert shown(life) == []
    assert life.value("SELECT count(*) FROM mlops.scoring_batch") == 0


def test_a_batch_is_not_published_after_its_signature_was_revoked(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    life.score_all(plan)
    there = elsewhere(life, run=replace(life.workspace.run, run_id="by-hand")).workspace
    control(
        there,
        model="late",
        action="revoke",
        person=Person("bea", "bea"),
        reason="not what I signed",
        seat="owner",
    )
    with pytest.raises(NotSigned):
        life.show(plan)
    assert shown(life) == []


def test_a_plan_of_another_run_model_or_hand_is_refused(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    other = elsewhere(life, run=replace(life.workspace.run, run_id="another"))
    for step in (other.score_all, other.show):
        with pytest.raises(RecordMissing, match=r"of another run; found late .* release-1"):
            step(plan)
    with pytest.raises(RecordMissing, match="no plan that the ledger records"):
        life.show(replace(plan, plan="0" * 64))
    life.run(
        "ALTER TABLE mlops.plan DISABLE TRIGGER USER",
        "UPDATE mlops.plan SET rows = rows + 1",
    )
    with pytest.raises(RecordMissing, match="a row that was changed"):
        life.score(plan, 0)
    assert life.rows("SELECT count(*) FROM ml.late_predictions") == [(0,)]


def test_after_a_rollback_nothing_is_left_of_the_wrong_versions_window(life_of: LifeOf) -> None:
    """It scored under keys that the version before does not have."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    for file in ("features", "outcomes"):
        life.edit(f"sql/late/{file}.sql", {"    visit_id,": "    visit_id + 1 AS visit_id,"})
    go_live(life, "2026-01-06")
    life.window(DAY)
    rolled_back(life)
    life.window(DAY)
    assert shown(life) == [(1, "late/2026-02-01/v1")]


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 4)])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_window_is_scored_again_in_another_number_of_shards(
    life_of: LifeOf, before: int, after: int, workers: int
) -> None:
    """Somebody changed ``shards`` in the spec; the version, and so its batch, is the same."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    seen = []
    for shards in (before, after):
        plan = life.plan(DAY, shards=shards)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda shard: life.score(plan, shard), range(shards)))  # noqa: B023
        seen.append((life.show(plan), life.rows(SHOWN)))
    (first, rows), (second, again) = seen
    assert second == replace(first, batch=f"{first.batch}#2")
    assert rows == again
