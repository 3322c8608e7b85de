"""Two lives on real flights: flight_delay's own SQL, and a small model to be broken."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from threadpoolctl import threadpool_limits

from demo.postgres import EmbeddedPostgres
from mlops.core.period import Period, parse
from mlops.store.migrate import upgrade
from mlops.workspace.results import Deployed
from tests.flow.life import TASK_ROLE, Life, Release, Window, life, reduced_flight_delay
from tests.flow.small import AS_OF, MODEL, keep_two_weeks, migrate, small_life, write_include

if TYPE_CHECKING:
    from tests.conftest import MakeDatabase

FIRST_WEEK = parse("2013-W27", "week")


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
def lived(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[Lived]:
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
        yield Lived(made, release, deployed, made.window(FIRST_WEEK), FIRST_WEEK)
    postgres.drop_database(database.rpartition("/")[2])


@dataclass(frozen=True)
class Template:
    """A database, by name, and a folder in which the small model is live; only ever copied."""

    database: str
    folder: Path


@pytest.fixture(scope="session")
def fresh_template(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> str:
    """The name of a database with two weeks of flights and an empty store; only ever copied."""
    url = make_database(template=flights_template)
    keep_two_weeks(url)
    migrate(postgres, url)
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def small_template(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, fresh_template: str
) -> Iterator[Template]:
    """The small model, released and deployed once."""
    database = make_database(template=fresh_template)
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as name:
        folder = Path(name)
        write_include(folder / "include")
        made = small_life(postgres, database, folder)
        made.live(made.release(AS_OF))
        yield Template(database.rpartition("/")[2], folder)


@pytest.fixture
def fresh(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, fresh_template: str, tmp_path: Path
) -> Iterator[Life]:
    """The small model before its first release, in places of its own."""
    database = make_database(template=fresh_template)
    write_include(tmp_path / "include")
    yield small_life(postgres, database, tmp_path)
    postgres.drop_database(database.rpartition("/")[2])


@pytest.fixture
def small(
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    small_template: Template,
    tmp_path: Path,
) -> Iterator[Life]:
    """The small model with version 1 live, in places of its own."""
    database = make_database(template=small_template.database)
    shutil.copytree(small_template.folder, tmp_path, dirs_exist_ok=True)
    yield small_life(postgres, database, tmp_path)
    postgres.drop_database(database.rpartition("/")[2])


@pytest.fixture
def lost_store(tmp_path: Path) -> Life:
    """The small model with a store that nobody answers for."""
    nowhere = "postgresql://somebody:a-secret@127.0.0.1:1/nothing"
    folder = write_include(tmp_path / "include").parent
    return life(nowhere, model=MODEL, include=folder / "include", artifacts=folder / "artifacts")


@pytest.fixture
def bare_store(database: str, tmp_path: Path) -> Life:
    """The small model with a database that has no tables at all."""
    folder = write_include(tmp_path / "include").parent
    return life(database, model=MODEL, include=folder / "include", artifacts=folder / "artifacts")
