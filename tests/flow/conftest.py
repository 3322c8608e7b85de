"""Two lives on real flights: flight_delay's own SQL, and a small model to be broken."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from demo.postgres import EmbeddedPostgres
from mlops.core.period import Period, parse
from mlops.flow.results import Deployed
from mlops.store.migrate import upgrade
from tests.flow.life import TASK_ROLE, Life, Release, Window, life, reduced_flight_delay

JULY = parse("2013-07", "month")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the tasks: sums over several threads differ in their last digits."""
    with threadpool_limits(limits=1):
        yield


@dataclass(frozen=True)
class Lived:
    """flight_delay from its first release to the report of its first window."""

    life: Life
    release: Release
    deployed: Deployed
    window: Window
    period: Period


@pytest.fixture(scope="session")
def lived(postgres: EmbeddedPostgres, make_database, flights_template: str) -> Iterator[Lived]:
    """The whole life once."""
    database = make_database(template=flights_template)
    postgres.ensure_role(TASK_ROLE)
    upgrade(database, task_role=TASK_ROLE)
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as folder:
        made = life(
            database,
            model="flight_delay",
            include=reduced_flight_delay(Path(folder) / "include"),
            artifacts=Path(folder) / "artifacts",
            store_url=postgres.url(database.rpartition("/")[2], user=TASK_ROLE),
        )
        release = made.release("2013-07-01")
        deployed = made.live(release)
        yield Lived(made, release, deployed, made.window(JULY), JULY)
    postgres.drop_database(database.rpartition("/")[2])
