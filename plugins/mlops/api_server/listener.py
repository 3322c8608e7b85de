"""Called by Airflow when a person sets the state of a task by hand.

Airflow calls listeners in every process; only in the API server, for a state that was set by
hand, is there no state before. Nothing heavy is imported until then.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

from mlops.vocabulary import MARK_FAILED, MARK_SKIPPED, MARK_SUCCESS

log = logging.getLogger(__name__)


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """A person may have pressed "mark success"."""
    if previous_state is None:
        _record_mark(task_instance, MARK_SUCCESS)


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:  # noqa: ARG001
    """A person may have pressed "mark failed"."""
    if previous_state is None:
        _record_mark(task_instance, MARK_FAILED)


@hookimpl
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """A person may have pressed "mark skipped"."""
    if previous_state is None:
        _record_mark(task_instance, MARK_SKIPPED)


def _record_mark(task_instance: Any, state: str) -> None:
    """Record it; a failure approves nothing, since deploy looks in the ledger only."""
    try:
        from mlops.operators.registry import is_known_operator

        operator = str(getattr(task_instance, "operator", ""))
        if not is_known_operator(operator):
            return
        _record(task_instance, operator, state)
    except Exception:  # the API server must answer its user
        log.exception("could not record that a task was set by hand; it approves nothing")


def _record(task_instance: Any, operator: str, state: str) -> None:
    from mlops.api_server.recorder import record_mark
    from mlops.api_server.request import current_actor
    from mlops.approvals.eligibility import Person
    from mlops.workspace.workspace import RunIdentity

    actor = current_actor.get()
    person = Person(actor.user_id, actor.user_name) if actor else Person("unknown", "unknown")
    record_mark(
        person=person,
        task=RunIdentity(
            dag_id=task_instance.dag_id,
            run_id=task_instance.run_id,
            task_id=task_instance.task_id,
            try_number=task_instance.try_number,
            map_index=task_instance.map_index,
        ),
        operator=operator,
        state=state,
        note=_note(actor.body, task_instance) if actor else "",
    )


def _note(body: Any, task_instance: Any) -> str:
    """The note that came with a request, as far as it is about this task.

    A request that sets many states names the task or the run that each note is about.
    """
    if isinstance(body, list):
        return next((found for part in body if (found := _note(part, task_instance))), "")
    if not isinstance(body, dict):
        return ""
    others = (
        body.get("task_id", task_instance.task_id) != task_instance.task_id,
        body.get("dag_run_id", task_instance.run_id) != task_instance.run_id,
    )
    if any(others):
        return ""
    note = body.get("note")
    if isinstance(note, str) and note:
        return note
    return _note(list(body.values()), task_instance)
