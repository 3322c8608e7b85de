"""The small models in a database of their own, without an Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.postgres import EmbeddedPostgres
from mlops.store.migrate import upgrade
from tests.approvals.small import fill, small_life, write_include
from tests.flow.life import TASK_ROLE, Life

LifeOf = Callable[[str], Life]


@pytest.fixture
def life_of(postgres: EmbeddedPostgres, database: str, tmp_path: Path) -> Iterator[LifeOf]:
    """The life of one of the small models, by name; all share a store."""
    postgres.ensure_role(TASK_ROLE)
    fill(database)
    upgrade(database, task_role=TASK_ROLE)
    write_include(tmp_path / "include")
    store_url = postgres.url(database.rpartition("/")[2], user=TASK_ROLE)
    yield lambda model: small_life(model, database, folder=tmp_path, store_url=store_url)
