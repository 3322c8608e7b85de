"""What the demo's people do in Airflow: start runs, follow them, answer what waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from demo.errors import DemoError
from demo.rest import OPERATOR, AirflowRefused, AirflowRest
from demo.tasks import HumanRequest, TaskRef, quoted, run_path

FINAL_STATES = frozenset({"success", "failed"})
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.5


class AirflowClient(AirflowRest):
    """The routes of Airflow's API that the demo and the tests use."""

    def import_errors(self, *, user: str = "admin") -> dict[str, str]:
        """The DAG files that cannot be read: file name to stack trace."""
        rows = self.all_rows("/api/v2/importErrors", "import_errors", user=user)
        return {row["filename"]: row["stack_trace"] for row in rows}

    def dags(self, *, user: str = OPERATOR) -> list[str]:
        """The ids of all DAGs that Airflow has read, sorted."""
        return sorted(row["dag_id"] for row in self.all_rows("/api/v2/dags", "dags", user=user))

    def wait_dags(self, dag_ids: Sequence[str], *, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Wait until Airflow has read the DAGs.

        :raises DemoError: when a file cannot be read, or when time is up.
        """

        def read() -> bool:
            missing = set(dag_ids) - set(self.dags())
            if missing and (errors := self.import_errors()):
                name, trace = next(iter(errors.items()))
                raise DemoError(
                    f"Airflow cannot read the DAG file {name}", found=trace.strip().splitlines()[-1]
                )
            return not missing

        _wait(read, f"DAGs {', '.join(dag_ids)} to be read", timeout_seconds)

    def unpause(self, dag_id: str, *, user: str = OPERATOR) -> None:
        """Let the DAG's runs start."""
        self.request(
            "PATCH", f"/api/v2/dags/{quoted(dag_id)}", user=user, json={"is_paused": False}
        )

    def trigger(
        self,
        dag_id: str,
        run_id: str,
        *,
        logical_date: datetime | None = None,
        conf: Mapping[str, Any] | None = None,
        user: str = OPERATOR,
    ) -> dict[str, Any]:
        """Start a run, or give the run of this id, or else of this logical date, that is there.

        :returns: the run, as Airflow describes it.
        """
        body = {
            "dag_run_id": run_id,
            "logical_date": logical_date.isoformat() if logical_date else None,
            "conf": dict(conf or {}),
        }
        path = f"/api/v2/dags/{quoted(dag_id)}/dagRuns"
        try:
            return dict(self.request("POST", path, user=user, json=body))
        except AirflowRefused as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            existing = self._existing(dag_id, run_id, logical_date, user)
            if existing is None:
                raise
            return existing

    def run(self, dag_id: str, run_id: str, *, user: str = OPERATOR) -> dict[str, Any]:
        """A run, as Airflow describes it.

        :raises AirflowRefused: 404 when there is none.
        """
        return dict(self.request("GET", run_path(dag_id, run_id), user=user))

    def wait_run(self, dag_id: str, run_id: str, *, timeout_seconds: float = WAIT_SECONDS) -> str:
        """Wait until a run has ended, and give its state: ``success`` or ``failed``.

        :raises DemoError: when time is up; it names the states of the tasks.
        """
        deadline = time.monotonic() + timeout_seconds
        while (state := str(self.run(dag_id, run_id)["state"])) not in FINAL_STATES:
            if time.monotonic() > deadline:
                raise DemoError(
                    f"run {run_id} of {dag_id} has not ended after {timeout_seconds:.0f} s",
                    found=f"{state}, with tasks {self.task_states(dag_id, run_id)}",
                )
            time.sleep(POLL_SECONDS)
        return state

    def task_states(
        self, dag_id: str, run_id: str, *, user: str = OPERATOR
    ) -> dict[str, str | None]:
        """The state of each task; a mapped one has an entry ``task_id[map_index]`` for each."""
        states: dict[str, str | None] = {}
        for row in self.all_rows(
            f"{run_path(dag_id, run_id)}/taskInstances", "task_instances", user
        ):
            index = row["map_index"]
            name = row["task_id"] if index < 0 else f"{row['task_id']}[{index}]"
            states[name] = row["state"]
        return states

    def wait_task(
        self, task: TaskRef, states: Sequence[str], *, timeout_seconds: float = WAIT_SECONDS
    ) -> str:
        """Wait until a task is in one of the states, and give that one.

        :raises DemoError: when the run ends before that, or when time is up.
        """
        found: list[str] = []

        def reached() -> bool:
            now = self.request("GET", task.instance_path)["state"]
            if now in states:
                found.append(str(now))
            elif (ended := self.run(task.dag_id, task.run_id)["state"]) in FINAL_STATES:
                raise DemoError(
                    f"task {task.task_id} of run {task.run_id}",
                    found=f"state {now} in a run that ended as {ended}",
                    expected=" or ".join(states),
                )
            return bool(found)

        _wait(reached, f"task {task.task_id} to be {' or '.join(states)}", timeout_seconds)
        return found[0]

    def hitl_waiting(self, dag_id: str, run_id: str, *, user: str = OPERATOR) -> list[HumanRequest]:
        """The tasks of a run that are parked until a person answers, by task id."""
        rows = self.all_rows(
            f"{run_path(dag_id, run_id)}/hitlDetails",
            "hitl_details",
            user,
            {"response_received": "false", "state": "awaiting_input"},
        )
        requests = [HumanRequest.from_row(row) for row in rows]
        return sorted(requests, key=lambda request: (request.task.task_id, request.task.map_index))

    def wait_hitl(
        self, dag_id: str, run_id: str, *, count: int = 1, timeout_seconds: float = WAIT_SECONDS
    ) -> list[HumanRequest]:
        """Wait until at least ``count`` tasks of a run are parked for a person, and give them.

        :raises DemoError: when the run ends before that, or when time is up.
        """
        waiting: list[HumanRequest] = []

        def enough() -> bool:
            waiting[:] = self.hitl_waiting(dag_id, run_id)
            if len(waiting) < count:
                ended = self.run(dag_id, run_id)["state"]
                if ended in FINAL_STATES:
                    raise DemoError(
                        f"run {run_id} of {dag_id}",
                        found=f"ended as {ended}: {self.task_states(dag_id, run_id)}",
                        expected=f"{count} tasks that wait for a person",
                    )
            return len(waiting) >= count

        _wait(enough, f"{count} tasks of {run_id} to wait for a person", timeout_seconds)
        return waiting

    def respond(
        self,
        user: str,
        task: TaskRef,
        option: str,
        params_input: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Answer a task that waits for a person.

        :raises AirflowRefused: 403 for a user who is not asked, 409 for a second answer.
        """
        body = {"chosen_options": [option], "params_input": dict(params_input or {})}
        path = f"{task.path}/{task.map_index}/hitlDetails"
        return dict(self.request("PATCH", path, user=user, json=body))

    def mark(self, user: str, task: TaskRef, state: str, *, note: str | None = None) -> None:
        """Set a task's state by hand: ``success``, ``failed`` or ``skipped``.

        :raises AirflowRefused: 403 for a user who may not.
        """
        self.request(
            "PATCH", task.instance_path, user=user, json={"new_state": state, "note": note}
        )

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str], *, downstream: bool = False,
        user: str = OPERATOR,
    ) -> list[str]:  # fmt: skip
        """Run tasks of a run again, in any state.

        :returns: the ids of the tasks that were cleared.
        """
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "include_downstream": downstream,
        }
        path = f"/api/v2/dags/{quoted(dag_id)}/clearTaskInstances"
        answer = self.request("POST", path, user=user, json=body)
        return sorted({row["task_id"] for row in answer["task_instances"]})

    def xcom(self, task: TaskRef, key: str = "return_value", *, user: str = OPERATOR) -> Any:
        """What a task has left under a key.

        :raises AirflowRefused: 404 when it has left nothing.
        """
        path = f"{task.path}/xcomEntries/{quoted(key)}"
        return self.request("GET", path, user=user, params={"map_index": task.map_index})["value"]

    def log(self, task: TaskRef, *, try_number: int = 1, user: str = OPERATOR) -> str:
        """The log of one try of a task, one event a line, with the causes of errors."""
        answer = self.request(
            "GET", f"{task.path}/logs/{try_number}", user=user,
            params={"map_index": task.map_index, "full_content": "true"},
        )  # fmt: skip
        return "\n".join(_log_line(event) for event in answer["content"])

    def _existing(
        self, dag_id: str, run_id: str, logical_date: datetime | None, user: str
    ) -> dict[str, Any] | None:
        try:
            return self.run(dag_id, run_id, user=user)
        except AirflowRefused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND or logical_date is None:
                raise
        same = logical_date.isoformat()
        rows = self.all_rows(
            f"/api/v2/dags/{quoted(dag_id)}/dagRuns", "dag_runs", user,
            {"logical_date_gte": same, "logical_date_lte": same},
        )  # fmt: skip
        return rows[0] if rows else None


def _log_line(event: Any) -> str:
    """One entry of a log; a stack trace becomes its errors, the innermost first."""
    if isinstance(event, str):
        return event
    causes = [
        f"{cause['exc_type']}: {cause['exc_value']}" for cause in event.get("error_detail", ())
    ]
    return "\n  ".join([str(event.get("event", "")), *causes])


def _wait(done: Callable[[], bool], what: str, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > deadline:
            raise DemoError(f"waited {timeout_seconds:.0f} s for {what}", found="not yet")
        time.sleep(POLL_SECONDS)
