"""What applications read while windows are scored again: one whole batch, at every moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from mlops.approvals.eligibility import Person
from mlops.core.period import parse
from mlops.errors import WarehouseUnreachable
from mlops.flow.control import control
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign

DAY = parse("2026-02-01", "day")
POLL_SECONDS = 0.01
# One statement, as an application reads: batch, version, rows, and a digest of what they contain.
READ = """\
SELECT batch, model_version, count(*),
    md5(string_agg(visit_id || ':' || score || ':' || decision, ',' ORDER BY visit_id))
FROM ml.late
WHERE window_start = '2026-02-01T00:00Z'
GROUP BY 1, 2"""

Seen = list[list[tuple[str, int, int, str]]]


@contextmanager
def reader(life: Life) -> Iterator[Seen]:
    """Read the view every 10 ms in a thread, as long as the block lasts."""
    seen: Seen = []
    stopped = threading.Event()

    def poll() -> None:
        with psycopg.connect(life.database, autocommit=True) as connection:
            while not stopped.wait(POLL_SECONDS):
                seen.append(connection.execute(READ).fetchall())

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        thread.join()


def go_live(life: Life, day: str) -> None:
    version = life.release(day).packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)


def kill(life: Life, table: str) -> None:
    """Make the server end the next session that writes to a table, once it has written."""
    life.run(
        "CREATE SEQUENCE IF NOT EXISTS public.killed",
        "CREATE OR REPLACE FUNCTION kill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        # A sequence is not rolled back: the session is ended once.
        " IF nextval('public.killed') = 1"
        " THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
        " RETURN NULL; END $$",
        "ALTER SEQUENCE public.killed RESTART",
        f"CREATE OR REPLACE TRIGGER kill AFTER INSERT ON {table} FOR EACH STATEMENT"
        " EXECUTE FUNCTION kill()",
    )


def spare(life: Life, table: str) -> None:
    life.run(f"DROP TRIGGER kill ON {table}")


def score_again(life: Life, round_: int) -> None:
    """Score the window after its rows were changed; every fifth time a session is killed."""
    life.run(
        "DELETE FROM visits WHERE started >= '2026-02-01' AND started < '2026-02-02'"
        f" AND visit_id % 41 = {round_}",
        "UPDATE visits SET guests = guests + 1 WHERE started >= '2026-02-01'",
    )
    table = {1: "ml.late_predictions", 3: "ml.late_batches"}.get(round_ % 5)
    if table is not None:
        kill(life, table)
        with pytest.raises(WarehouseUnreachable):
            life.publish(DAY)
        spare(life, table)
    life.publish(DAY)


def test_a_reader_sees_one_whole_batch_at_every_moment(life_of: LifeOf) -> None:
    life = life_of("late")
    life.edit(
        "models/late.yml",
        {
            "sklearn.dummy.DummyClassifier": "sklearn.linear_model.LogisticRegression",
            "{strategy: prior}": "{}",
            "at_least: 0.4}\ndeploy": "at_least: 0.0}\ndeploy",
        },
    )
    go_live(life, "2026-01-05")
    life.publish(DAY)
    with reader(life) as seen:
        for round_ in range(8):
            score_again(life, round_)
        go_live(life, "2026-01-06")
        for round_ in range(8, 14):
            score_again(life, round_)
        control(
            elsewhere(life, run=replace(life.workspace.run, run_id="by-hand")).workspace,
            model="late",
            action="rollback",
            person=Person("ben", "ben"),
            reason="wrong scores",
        )
        for round_ in range(14, 20):
            score_again(life, round_)
        last = life.rows(READ)
    assert len(seen) > 100
    assert all(len(found) == 1 for found in seen), "none, or two batches in one window"
    rows = dict(life.rows("SELECT id, rows FROM mlops.scoring_batch"))
    assert len(rows) == 21
    contents: dict[str, str] = {}
    for ((batch, _, count, content),) in seen:
        assert count == rows[batch], "a part of a batch"
        assert contents.setdefault(batch, content) == content, "a batch that changed"
    assert len(contents) > 10
    assert {version for ((_, version, _, _),) in seen} == {1, 2}
    assert [found[0] for found in last] == ["late/2026-02-01/v1#15"]
