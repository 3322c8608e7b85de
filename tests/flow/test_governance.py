"""What is looked after for all models."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.core.period import parse
from mlops.flow.governance import remove_leftovers
from tests.fixtures.visits import sign

if TYPE_CHECKING:
    from tests.fixtures.lives import LifeOf

HOUR = 3_600


def test_what_crashed_tasks_left_is_removed_after_a_day(life_of: LifeOf) -> None:
    life = life_of("late")
    incoming = life.include.parent / "artifacts" / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    for name, hours in (("old.part", 25), ("young.part", 23)):
        (incoming / name).write_bytes(b"x")
        then = time.time() - hours * HOUR
        os.utime(incoming / name, (then, then))
    assert remove_leftovers(life.workspace).files == 1
    assert [path.name for path in incoming.iterdir()] == ["young.part"]
    assert remove_leftovers(life.workspace).files == 0


def test_the_rows_of_scored_windows_are_kept_as_long_as_the_policy_says(life_of: LifeOf) -> None:
    life = life_of("late")
    policy = life.include / "policies" / "quick.yml"
    policy.write_text(f"{policy.read_text()}keep_inputs: 30\n")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    first, second = (life.window(parse(day, "day")) for day in ("2026-02-01", "2026-02-02"))
    assert remove_leftovers(life.workspace).inputs == 0
    age = "UPDATE mlops.plan SET planned_at = planned_at - INTERVAL '31 days' WHERE batch = '{}'"
    life.run("ALTER TABLE mlops.plan DISABLE TRIGGER USER", age.format(first.plan.batch))
    place = {
        plan.batch: Path(life.workspace.artifacts.location(digest))
        for plan in (first.plan, second.plan)
        for (digest,) in life.rows(
            "SELECT parts->0->>'sha256' FROM mlops.plan WHERE batch = %s", plan.batch
        )
    }
    assert remove_leftovers(life.workspace).inputs == 1
    assert remove_leftovers(life.workspace).inputs == 0
    assert not place[first.plan.batch].exists()
    assert place[second.plan.batch].exists()
    assert life.rows(
        "SELECT subject, payload::json->>'keep_inputs' FROM mlops.ledger"
        " WHERE action = 'inputs.removed'"
    ) == [(first.plan.batch, "30")]
    assert life.value("SELECT count(*) FROM ml.late") == 2 * 96


def test_a_policy_without_a_limit_has_the_content_that_it_had(life_of: LifeOf) -> None:
    life = life_of("late")
    life.release("2026-01-05")
    ((policy,),) = life.rows("SELECT policy FROM mlops.version")
    assert "keep_inputs" not in policy
