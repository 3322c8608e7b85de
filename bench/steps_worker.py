"""The worker of :mod:`bench.steps`: it forks a child for each task of a model's life."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# As a worker of Airflow has them before it forks.
from airflow.sdk import DAG, BaseHook, BaseOperator, ObjectStoragePath  # noqa: F401
from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager
from uuid6 import uuid7

PROJECT = Path(__file__).resolve().parents[1]
MODEL = "late"
EMPTY = "empty"
SEAT = "owner"
AS_OF = datetime(2013, 7, 1, tzinfo=UTC)
WINDOW = datetime(2013, 7, 2, tzinfo=UTC)
# Each step, with the DAG that it belongs to. The alarm is executed although the window is none.
STEPS = {
    "intake": "release",
    "snapshot": "release",
    "check_data": "release",
    "train": "release",
    "validate": "release",
    "package": "release",
    "document": "release",
    "sign_off": "release",
    "deploy": "release",
    "check_input": "score",
    "score": "score",
    "publish": "score",
    "measure": "monitor",
    "judge": "monitor",
    "monitor_report": "monitor",
    "alarm": "monitor",
}
LIGHT = (
    "intake",
    "check_data",
    "document",
    "sign_off",
    "publish",
    "judge",
    "monitor_report",
    "alarm",
)

Results = dict[str, Any]


def main() -> None:
    """Lead a life, or read one DAG; print what each task cost as JSON."""
    if sys.argv[1] == "parse":
        _, found = _forked(lambda: _parse(sys.argv[2]))
        print(json.dumps(found))
        return
    if sys.argv[1] == "preloaded":
        from mlops.preload import preload

        if failed := preload():
            raise RuntimeError(f"not preloaded: {failed}")
    # As the LocalExecutor does before it forks its workers.
    gc.freeze()
    costs = {EMPTY: _forked(_empty)[1]}
    results: Results = {}
    for step, phase in STEPS.items():
        results[step], costs[step] = _forked(lambda s=step, p=phase: _run(s, p, results))
        if step == "sign_off":
            _forked(lambda: _answer(results))
    print(json.dumps(costs))


def _forked(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Run ``work`` in a child; its result, and what it cost.

    :raises RuntimeError: the child failed; its traceback is on standard error.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            before, started = _resident_mb(), time.perf_counter()
            result = work()
            used = resource.getrusage(resource.RUSAGE_SELF)
            cost = {
                "cpu_s": used.ru_utime + used.ru_stime,
                "wall_s": time.perf_counter() - started,
                "peak_mb": max(0.0, used.ru_maxrss / 1024 - before),
            }
            with os.fdopen(writer, "w") as pipe:
                json.dump([result, cost], pipe)
            status = 0
        except BaseException:  # noqa: BLE001 (the child never returns into its parent's code)
            traceback.print_exc()
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError("a task of the bench failed; its traceback is above")
    result, cost = json.loads(text)
    return result, cost


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _empty() -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator

    with DAG("empty", schedule=None):
        empty = EmptyOperator(task_id="empty")
    empty.execute(_context("empty", "empty", AS_OF))


def _parse(dag_id: str) -> Any:
    """The one DAG of a task, as ``dags/models.py`` makes it in the task's process."""
    from mlops.lifecycle import build_dags

    with _airflow_parsing_context_manager(dag_id=dag_id, task_id="any"):
        dags = build_dags()
    return next(dag for dag in dags if dag.dag_id == dag_id).task_ids


def _run(step: str, phase: str, results: Results) -> Any:
    """Read the DAG, give its task what the steps before handed on, and execute it."""
    from mlops.lifecycle import build_dags

    dag_id = f"{MODEL}_{phase}"
    with _airflow_parsing_context_manager(dag_id=dag_id, task_id=step):
        (dag,) = (dag for dag in build_dags() if dag.dag_id == dag_id)
    name = {"sign_off": f"sign_off.{SEAT}", "monitor_report": "document"}.get(step, step)
    clock = AS_OF if phase == "release" else WINDOW
    context = _context(dag_id, name, clock)
    return _operator(dag, name, step, results).execute(context)


def _operator(dag: DAG, name: str, step: str, results: Results) -> Any:
    """The DAG's own task, with its templated fields filled in as Airflow would."""
    if step == "score":
        from mlops.operators.scoring import ScoreOperator

        return ScoreOperator(task_id=step, model=MODEL, plan=results["check_input"], shard=0)
    task: Any = dag.get_task(name)
    for field, value in _handed_on(step, results):
        setattr(task, field, value)
    if step == "sign_off":
        # Parking the task is Airflow's own part, and needs its API server.
        from airflow.providers.standard.operators.hitl import HITLOperator

        HITLOperator.execute = lambda *_: None
    return task


def _handed_on(step: str, results: Results) -> Iterator[tuple[str, Any]]:
    wanted = {
        "snapshot": ("spec_digest",),
        "check_data": ("snapshot_id",),
        "train": ("snapshot_id",),
        "validate": ("training_id",),
        "package": ("training_id", "champion"),
        "document": ("version",),
        "sign_off": ("version",),
        "deploy": ("version",),
        "judge": ("measurement",),
        "monitor_report": ("measurement",),
    }
    known: dict[str, Any] = {}
    for result in results.values():
        known.update(result or {})
    for field in wanted.get(step, ()):
        yield field, known[field]
    if step in ("snapshot",):
        yield "as_of", ""
    if step in ("check_input", "measure"):
        yield "window", ""
    if step == "publish":
        yield "plan", results["check_input"]
        yield "scored", [results["score"]]
    if step == "alarm":
        yield "state", "alarm"


def _answer(results: Results) -> None:
    """The person of the seat approves, as the API server records it."""
    from mlops.approvals.decisions import Answer
    from mlops.approvals.eligibility import Person
    from mlops.approvals.requests import approval_request_id
    from mlops.approvals.responses import record_response
    from mlops.connections import run_identity, server_workspace

    context = _context(f"{MODEL}_release", f"sign_off.{SEAT}", AS_OF)
    workspace = server_workspace(run_identity(context))
    record_response(
        workspace,
        model=MODEL,
        version=results["document"]["version"],
        seat=SEAT,
        answer=Answer(
            person=Person(id="bea", name="bea"),
            choice="Approve",
            reason="as the report says",
            at=datetime.now(UTC),
        ),
        request_id=approval_request_id(run_identity(context)),
    )


def _context(dag_id: str, task_id: str, clock: datetime) -> Any:
    """What a step reads of Airflow's context."""
    return {
        "ti": SimpleNamespace(
            id=uuid7(),
            dag_id=dag_id,
            run_id=f"bench-{clock:%Y-%m-%d}",
            task_id=task_id,
            try_number=1,
            map_index=-1,
            start_date=datetime.now(UTC),
        ),
        "dag_run": SimpleNamespace(
            triggering_user_name="dora", logical_date=clock, run_after=clock, conf={}
        ),
    }


if __name__ == "__main__":
    main()
