"""Names of runs and tasks, and the requests that wait for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote


def quoted(part: str) -> str:
    """One part of a URL's path."""
    return quote(part, safe="")


def run_path(dag_id: str, run_id: str) -> str:
    """The route of a run."""
    return f"/api/v2/dags/{quoted(dag_id)}/dagRuns/{quoted(run_id)}"


@dataclass(frozen=True)
class TaskRef:
    """A task instance; ``map_index`` is -1 for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def path(self) -> str:
        """The route of the task, without its map index."""
        return f"{run_path(self.dag_id, self.run_id)}/taskInstances/{quoted(self.task_id)}"

    @property
    def instance_path(self) -> str:
        """The route of this very instance."""
        return self.path if self.map_index < 0 else f"{self.path}/{self.map_index}"


@dataclass(frozen=True)
class HumanRequest:
    """A task that waits for a person.

    :param assigned: the ids of those who may answer; empty when anyone may.
    """

    task: TaskRef
    subject: str
    options: tuple[str, ...]
    assigned: tuple[str, ...]
    body: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of Airflow's ``hitlDetails``."""
        instance = row["task_instance"]
        return cls(
            task=TaskRef(
                dag_id=instance["dag_id"],
                run_id=instance["dag_run_id"],
                task_id=instance["task_id"],
                map_index=instance["map_index"],
            ),
            subject=row["subject"],
            options=tuple(row["options"]),
            assigned=tuple(user["id"] for user in row["assigned_users"]),
            body=row["body"],
            params=row["params"],
        )
