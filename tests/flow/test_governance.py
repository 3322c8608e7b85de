"""What is looked after for all models."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mlops.flow.governance import remove_leftovers

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
