"""Operators of ours, run one by one: what Airflow would give them, and nothing of Airflow's own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

# Airflow makes folders in its home when it is imported; they must not be the user's.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="mlops-tests-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

from demo.postgres import EmbeddedPostgres
from mlops import settings
from tests.fixtures.approval_key import KEY
from tests.fixtures.life import TASK_ROLE, Life
from tests.fixtures.small import keep_two_weeks, migrate, small_life, write_include

if TYPE_CHECKING:
    from tests.fixtures.postgres import MakeDatabase


@dataclass
class Desk:
    """Where operators are executed as tasks of a run.

    :ivar moment: the run's logical date.
    :ivar user: who triggered the run.
    """

    life: Life
    moment: datetime = datetime(2013, 7, 1, tzinfo=UTC)
    user: str = "dora"

    def context(self, operator: Any, map_index: int = -1) -> dict[str, Any]:
        """What Airflow hands to ``execute``, as far as our operators look at it."""
        task_instance = SimpleNamespace(
            dag_id="late_release",
            run_id="release-1",
            task_id=operator.task_id,
            try_number=1,
            map_index=map_index,
        )
        dag_run = SimpleNamespace(
            logical_date=self.moment, run_after=self.moment, triggering_user_name=self.user
        )
        return {"ti": task_instance, "dag_run": dag_run}

    def run(self, operator: Any, map_index: int = -1) -> Any:
        """Execute an operator's task."""
        return operator.execute(self.context(operator, map_index))

    def at(self, moment: str) -> Desk:
        """The same desk with a run of another date."""
        return replace(self, moment=datetime.fromisoformat(moment).replace(tzinfo=UTC))

    def by(self, user: str) -> Desk:
        """The same desk with a run that somebody else triggered."""
        return replace(self, user=user)


@pytest.fixture(scope="module")
def desk(
    postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[Desk]:
    """The small model before its first release, with the configuration that points to it."""
    database = make_database(template=flights_template)
    name = database.rpartition("/")[2]
    keep_two_weeks(database)
    migrate(postgres, database)
    connections = {"warehouse": database, "mlops_store": postgres.url(name, user=TASK_ROLE)}
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as folder:
        write_include(Path(folder) / "include")
        with configured(Path(folder), connections):
            yield Desk(small_life(postgres, database, Path(folder)))
    postgres.drop_database(name)


@contextmanager
def configured(folder: Path, connections: Mapping[str, str]) -> Iterator[None]:
    """Airflow's configuration and connections, for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__MLOPS__APPROVAL_KEYS", KEY.fingerprint)
        patch.setenv("AIRFLOW__MLOPS__INCLUDE_FOLDER", str(folder / "include"))
        patch.setenv("AIRFLOW__MLOPS__ARTIFACT_ROOT", (folder / "artifacts").as_uri())
        for conn_id, url in connections.items():
            patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", url.replace("postgresql:", "postgres:"))
        forget_settings()
        yield
    forget_settings()


def forget_settings() -> None:
    """Each setting is read once in a process; read them again."""
    for setting in vars(settings).values():
        if hasattr(setting, "cache_clear"):
            setting.cache_clear()
