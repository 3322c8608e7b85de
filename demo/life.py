"""The whole life of one model, driven as its people would: through Airflow's own REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from demo.client import AirflowClient
from demo.errors import DemoError
from demo.tasks import HumanRequest, TaskRef

MODEL = "flight_delay"
AS_OF = datetime(2013, 7, 1, tzinfo=UTC)
MONTHS = tuple(datetime(2013, month, 1, tzinfo=UTC) for month in range(7, 13))
RELEASE = "release-2013-07-01"
RUN_SECONDS = 900.0

# Who answers for which seat, and what they write beside their signature.
REASONS = {
    "bea": "The report answers the desk's question; the KPI target is worth having.",
    "lin": "Split by time, gates registered before training, losers documented.",
    "max": "Medium exposure, no personal data, restrictions are stated.",
    "leo": "Lawful use of operational data.",
}

Say = Callable[[str], None]


class Life:
    """One model's life from release to monitoring, with the clock of 2013.

    Everything is keyed by what it is about, so a life that was interrupted goes on where it
    stopped, and one that is complete is only looked at.
    """

    def __init__(self, client: AirflowClient, say: Say) -> None:
        self._client = client
        self._say = say

    def live(self) -> None:
        """Release, sign, deploy, then score and monitor July to December.

        :raises DemoError: a run failed; it names the task and its last words.
        """
        dags = [f"{MODEL}_{phase}" for phase in ("release", "score", "monitor")]
        with self._step("Airflow reads the DAGs"):
            self._client.wait_dags(dags)
            for dag in dags:
                self._client.unpause(dag)
        self._release(dags[0])
        for dag, verb in ((dags[1], "score"), (dags[2], "monitor")):
            for month in MONTHS:
                self._client.trigger(dag, _run_id(verb, month), logical_date=_after(month))
            for month in MONTHS:
                with self._step(f"{verb} {month:%B %Y}"):
                    self._finish(dag, _run_id(verb, month))

    def _release(self, dag: str) -> None:
        run = self._client.trigger(dag, RELEASE, logical_date=AS_OF)
        run_id = str(run["dag_run_id"])
        if run["state"] == "success":
            self._say("release and sign-offs are there already")
            return
        with self._step("snapshot, check, train, validate, package, document"):
            requests = self._gates(dag, run_id)
        for request in requests:
            self._sign(request)
        with self._step("deploy"):
            self._finish(dag, run_id)

    def _gates(self, dag: str, run_id: str) -> list[HumanRequest]:
        """The requests that wait for people, once all of them wait."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run = self._client.run(dag, run_id)
            if run["state"] == "failed":
                self._fail(dag, run_id)
            states = self._client.task_states(dag, run_id)
            asked = {task: state for task, state in states.items() if task.startswith("sign_off.")}
            waiting = self._client.hitl_waiting(dag, run_id)
            done = sum(state == "success" for state in asked.values())
            if asked and len(waiting) + done == len(asked):
                return waiting
            time.sleep(0.5)
        raise DemoError(
            f"the release has no request for signatures after {RUN_SECONDS:.0f} s",
            found=str(self._client.task_states(dag, run_id)),
        )

    def _sign(self, request: HumanRequest) -> None:
        user = request.assigned[0]
        with self._step(f"{user} signs: {request.subject}"):
            self._client.respond(user, request.task, "Approve", {"reason": REASONS[user]})

    def _finish(self, dag: str, run_id: str) -> None:
        if self._client.wait_run(dag, run_id, timeout_seconds=RUN_SECONDS) == "failed":
            self._fail(dag, run_id)

    def _fail(self, dag: str, run_id: str) -> None:
        states = self._client.task_states(dag, run_id)
        failed = next((task for task, state in states.items() if state == "failed"), "")
        name, _, index = failed.partition("[")
        task = TaskRef(dag, run_id, name, int(index.rstrip("]") or -1))
        words = [
            line for line in self._client.log(task).splitlines() if "Error" in line or ": " in line
        ]
        raise DemoError(
            f"run {run_id} of {dag} failed in task {failed}",
            found=words[-1].strip() if words else str(states),
            action=f"mend it, clear the task in Airflow, then run make demo again ({dag})",
        )

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self._say(f"{what} ({time.monotonic() - begin:.0f} s)")


def _run_id(verb: str, month: datetime) -> str:
    return f"{verb}-{month:%Y-%m}"


def _after(month: datetime) -> datetime:
    """The first moment after a month: when its run is due."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
