"""A window that is scored more than once: after a rollback, on data that was mended."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest

from mlops.approvals.eligibility import Person
from mlops.core.period import parse
from mlops.errors import NotSigned
from mlops.flow.control import control
from mlops.flow.measure import measure
from mlops.flow.publish import publish
from mlops.flow.score import score
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
    assert shown(life) == [(1, "late/2026-02-01/v1")]
    assert again.plan == old.plan
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
        publish(life.workspace, plan=window.plan, scored=window.scored)
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
    assert publish(life.workspace, plan=old.plan, scored=old.scored) == old.published
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
    scored = [score(life.workspace, plan=plan, shard=shard) for shard in plan.shards]
    for _ in range(2):
        published = publish(life.workspace, plan=plan, scored=scored)
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


@pytest.mark.parametrize("kept", [{}, {"window": "2026-02-01", "unseen": {}, "shards": 2}])
def test_a_batch_from_before_digests_were_kept_is_taken_at_its_word(
    life_of: LifeOf, kept: dict[str, object]
) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan, scored, published = life.publish(DAY)
    life.run(
        "ALTER TABLE mlops.scoring_batch DISABLE TRIGGER USER",
        f"UPDATE mlops.scoring_batch SET summary = '{json.dumps(kept)}'",
    )
    before = life.content()
    assert publish(life.workspace, plan=plan, scored=scored) == published
    assert life.content() == before


def test_rows_that_an_earlier_run_wrote_last_are_those_that_are_measured(life_of: LifeOf) -> None:
    """Both runs have one batch: of its publications the last one says what its rows are."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.window(DAY).plan
    life.run("UPDATE visits SET visit_id = 1000000 WHERE started = '2026-02-01T06:00:00Z'")
    life.window(DAY)
    life.run("UPDATE visits SET visit_id = 1000001 WHERE started = '2026-02-01T05:00:00Z'")
    scored = [score(life.workspace, plan=plan, shard=shard) for shard in plan.shards]
    third = publish(life.workspace, plan=plan, scored=scored)
    assert third.batch == "late/2026-02-01/v1#3"
    assert measure(life.workspace, model="late", window=DAY).batch == third.batch
    before = life.content()
    assert publish(life.workspace, plan=plan, scored=scored) == third
    assert life.content() == before


def test_a_window_has_the_same_rows_however_it_is_cut(life_of: LifeOf) -> None:
    """A visit of the morning that became known in the evening is scored in the first half."""
    life = life_of("late")
    life.run(
        "ALTER TABLE visits ADD known timestamptz",
        "UPDATE visits SET known = started + CASE"
        " WHEN started = '2026-02-01T05:00:00Z' THEN INTERVAL '15 hours' ELSE '1 minute' END",
    )
    known = "  AND started < :window_end\n"
    life.edit("sql/late/features.sql", {known: f"{known}  AND known < :as_of\n"})
    go_live(life, "2026-01-05")
    plan = life.plan(DAY, shards=2)
    scored = [score(life.workspace, plan=plan, shard=shard) for shard in plan.shards]
    assert sum(item.rows for item in scored) == plan.rows


def test_a_worker_that_goes_on_after_another_version_was_published_hides_nothing(
    life_of: LifeOf,
) -> None:
    """It had looked at what is on record before the other one wrote there."""
    life = life_of("late")
    go_live(life, "2026-01-05")
    plan = life.plan(DAY)
    scored = [score(life.workspace, plan=plan, shard=shard) for shard in plan.shards]
    go_live(life, "2026-01-06")
    with ThreadPoolExecutor(1) as workers:

        class SlowWarehouse(PostgresWarehouse):
            def publish_batch(self, *args: Any, **kwargs: Any) -> PublishedBatch:
                others.append(workers.submit(life.publish, DAY))
                wait(others, timeout=5)
                return super().publish_batch(*args, **kwargs)

        others: list[Future[Any]] = []
        slow = elsewhere(life, warehouse=SlowWarehouse(life.database))
        publish(slow.workspace, plan=plan, scored=scored)
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
        score(life.workspace, plan=plan, shard=plan.shards[0])
    assert life.rows("SELECT count(*) FROM ml.late_predictions") == [(0,)]
    assert life.window(DAY).plan.batch == "late/2026-02-01/v1"


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
            jobs = [
                pool.submit(score, life.workspace, plan=plan, shard=shard) for shard in plan.shards
            ]
        scored = [job.result() for job in jobs]
        seen.append((publish(life.workspace, plan=plan, scored=scored), life.rows(SHOWN)))
    assert seen[0] == seen[1]


def test_a_row_whose_time_was_mended_is_scored_in_its_new_shard(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life, "2026-01-05")
    first = life.window(DAY)
    life.run(
        "UPDATE visits SET started = '2026-02-01T05:05:00Z', ended = '2026-02-01T05:10:00Z'"
        " WHERE started = '2026-02-01T20:00:00Z'"
    )
    again = life.window(DAY)
    assert again.published == replace(first.published, batch="late/2026-02-01/v1#2")
    shards = "SELECT shard, count(*) FROM ml.late_predictions GROUP BY 1 ORDER BY 1"
    assert life.rows(shards) == [(0, 49), (1, 47)]
