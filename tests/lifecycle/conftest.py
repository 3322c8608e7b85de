"""The DAG files as Airflow's own parser reads them, each time in a fresh process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

PROJECT = Path(__file__).parents[2]

PARSE = """
import json
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

bag = DagBag({dags!r}, safe_mode=True)
dags = {{}}
for name, dag in bag.dags.items():
    dags[name] = DagSerialization.to_dict(dag)
    DagSerialization.validate_schema(dags[name])
    read = DagSerialization.from_dict(json.loads(json.dumps(dags[name])))
    assert read.task_ids == dag.task_ids
print(json.dumps({{
    "dags": {{name: dag["dag"] for name, dag in dags.items()}},
    "errors": {{Path(file).name: error for file, error in bag.import_errors.items()}},
    "warnings": bag.captured_warnings,
}}))
"""


@dataclass(frozen=True)
class Dag:
    """A serialised DAG, with what tests ask of it."""

    content: dict[str, Any]

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """Each task by its id."""
        return {task["__var"]["task_id"]: task["__var"] for task in self.content["tasks"]}

    @property
    def types(self) -> dict[str, str]:
        """The class of each task."""
        return {name: task["task_type"] for name, task in self.tasks.items()}

    @property
    def order(self) -> set[tuple[str, str]]:
        """Each pair of a task and one directly behind it, without those that others imply."""
        after = {
            name: set(task.get("downstream_task_ids", ())) for name, task in self.tasks.items()
        }

        def reached(name: str) -> set[str]:
            return after[name].union(*(reached(other) for other in after[name]))

        return {
            (name, other)
            for name, others in after.items()
            for other in others
            if not any(other in reached(between) for between in others)
        }

    @property
    def groups(self) -> dict[str, list[str]]:
        """The groups by the names that the UI shows, with what is directly in each."""
        found: dict[str, list[str]] = {}

        def walk(group: dict[str, Any]) -> None:
            for kind, child in group["children"].values():
                if kind == "taskgroup":
                    found[child["group_display_name"] or child["_group_id"]] = list(
                        child["children"]
                    )
                    walk(child)

        walk(self.content["task_group"])
        return found

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """The fields of the form with which a person starts a run."""
        return dict(self.content.get("params", []))


@dataclass(frozen=True)
class Parsed:
    """What Airflow makes of the DAG files."""

    dags: dict[str, Dag]
    errors: dict[str, str]
    warnings: dict[str, Any]


@pytest.fixture(scope="session")
def parse(run_airflow: Run) -> Callable[[Path], Parsed]:
    """Parse the demo's ``dags/`` with an include folder, as Airflow's DAG processor does."""

    def parsed(include: Path) -> Parsed:
        found = run_airflow(
            PARSE.format(dags=str(PROJECT / "demo" / "dags")),
            AIRFLOW__MLOPS__INCLUDE_FOLDER=str(include),
        )
        dags = {name: Dag(content) for name, content in found["dags"].items()}
        return Parsed(dags=dags, errors=found["errors"], warnings=found["warnings"])

    return parsed


@pytest.fixture(scope="session")
def project(parse: Callable[[Path], Parsed]) -> Parsed:
    """The DAGs of the demo's ``include/``."""
    return parse(PROJECT / "demo" / "include")


@dataclass(frozen=True)
class Models:
    """A copy of the project's include folder, in which models are added and changed."""

    root: Path

    def file(self, model: str) -> Path:
        """The spec's file of a model."""
        return self.root / "models" / f"{model}.yml"

    def add(self, model: str, changes: dict[str, str] | None = None) -> Path:
        """Add a model that is as the flights' one but for its name and some changed text."""
        text = self.file("flight_delay").read_text()
        for old, new in {"model: flight_delay": f"model: {model}", **(changes or {})}.items():
            assert text.count(old) == 1, f"{old!r} stands in the spec {text.count(old)} times"
            text = text.replace(old, new)
        self.file(model).write_text(text)
        shutil.copytree(self.root / "sql" / "flight_delay", self.root / "sql" / model)
        return self.file(model)


@pytest.fixture(scope="session")
def copied() -> Callable[[Path], Models]:
    """Copy the project's include folder below another one."""

    def copy(folder: Path) -> Models:
        shutil.copytree(PROJECT / "demo" / "include", folder / "include")
        return Models(folder / "include")

    return copy


@pytest.fixture
def models(copied: Callable[[Path], Models], tmp_path: Path) -> Models:
    """An include folder of the test's own."""
    return copied(tmp_path)
