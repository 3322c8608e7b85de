"""``python -m mlops`` as a shell runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.postgres import EmbeddedPostgres
from tests.flow.life import PROJECT, Life
from tests.flow.small import AS_OF, keep_two_weeks, migrate, small_life, write_include

if TYPE_CHECKING:
    from tests.conftest import MakeDatabase


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str


def mlops(*arguments: str | Path, **variables: str) -> Answer:
    """Run a command in a process of its own, as in a shell without any configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "mlops", *map(str, arguments)],
        env={**kept, "PYTHONPATH": str(PROJECT / "plugins"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def live(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[Life]:
    """A store in which the small model is live."""
    database = make_database(template=flights_template)
    keep_two_weeks(database)
    migrate(postgres, database)
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as folder:
        write_include(Path(folder) / "include")
        made = small_life(postgres, database, Path(folder))
        made.live(made.release(AS_OF))
        yield made
    postgres.drop_database(database.rpartition("/")[2])
