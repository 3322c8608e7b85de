"""Told by Airflow when a person sets the state of a task by hand.

Airflow calls listeners in every process; only in the API server, for a state that was set by
hand, is there no state before. Nothing heavy is imported until then.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

log = logging.getLogger(__name__)


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """Somebody may have pressed "mark success"."""
    if previous_state is None:
        _marked(task_instance, "mark_success")


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:  # noqa: ARG001
    """Somebody may have pressed "mark failed"."""
    if previous_state is None:
        _marked(task_instance, "mark_failed")


def _marked(task_instance: Any, state: str) -> None:
    """Put it on record; what fails here opens nothing, since deploy looks in our ledger only."""
    try:
        from mlops.operators.names import OURS

        operator = str(getattr(task_instance, "operator", ""))
        if operator not in OURS:
            return
        _record(task_instance, operator, state)
    except Exception:  # the API server answers its user whatever happens to us
        log.exception("a task set by hand could not be recorded; it opens no gate")


def _record(task_instance: Any, operator: str, state: str) -> None:
    from mlops.flow.signers import Person
    from mlops.flow.workspace import RunIdentity
    from mlops.web.gatekeeping import record_mark
    from mlops.web.witness import current_act

    act = current_act.get()
    person = Person(act.user_id, act.user_name) if act else Person("unknown", "unknown")
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
        note=_note(act.body) if act else "",
    )


def _note(body: Any) -> str:
    """The note that came with a request, wherever in its body it stands."""
    if isinstance(body, dict):
        note = body.get("note")
        if isinstance(note, str) and note:
            return note
        return next((found for value in body.values() if (found := _note(value))), "")
    if isinstance(body, list):
        return next((found for value in body if (found := _note(value))), "")
    return ""
