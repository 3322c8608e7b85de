"""What the API server records about gates: answers, refusals, and tasks that were set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from mlops.api_server.request import ApiActor
from mlops.approvals.decisions import as_text
from mlops.approvals.eligibility import Person
from mlops.approvals.responses import (
    Answer,
    Refusal,
    acknowledge,
    gate_of,
    record_manual_state,
    record_response,
)
from mlops.approvals.responses import refusal_of_response as response_refusal
from mlops.connections import server_workspace
from mlops.flow.control import record_run_start
from mlops.store.tables import GateRow
from mlops.vocabulary import (
    APPROVE,
    CONTROL_PHASE,
    MARK_FAILED,
    MARK_SKIPPED,
    MARK_SUCCESS,
    REJECT,
    LedgerAction,
    model_dag_id,
    task_subject,
)
from mlops.workspace.workspace import RunIdentity, Workspace

Task = Mapping[str, str]
GATE_OPERATOR = "ApprovalSensor"
_LEDGER_ACTIONS = {
    MARK_SUCCESS: LedgerAction.TASK_MARKED_SUCCESS,
    MARK_FAILED: LedgerAction.TASK_MARKED_FAILED,
    MARK_SKIPPED: LedgerAction.TASK_MARKED_SKIPPED,
}
# What it means to set a gate's state by hand; to skip a gate answers nothing.
_CHOICES = {MARK_SUCCESS: APPROVE, MARK_FAILED: REJECT}


def refusal_of_response(act: ApiActor, task: Task) -> Refusal | None:
    """Why the answer that is about to be given would not count; none where it would.

    A refusal is in the ledger when this returns.
    """
    workspace, gate = _gate(task)
    if gate is None or not isinstance(act.body, dict):
        return None
    chosen = (act.body.get("chosen_options") or [""])[0]
    answer = Answer(
        person=_person(act),
        choice=str(chosen),
        reason=_reason(act.body),
        at=datetime.now(UTC),
    )
    return response_refusal(workspace, gate=gate, answer=answer)


def record_answer(act: ApiActor, task: Task, response: Any) -> None:
    """Put an answer that Airflow has taken into our ledger, before its sender hears of it."""
    workspace, gate = _gate(task)
    if gate is None:
        return
    record_response(
        workspace,
        model=gate.model,
        version=gate.version,
        seat=gate.seat,
        gate=gate.id,
        answer=Answer(
            person=_person(act),
            choice=str(response["chosen_options"][0]),
            reason=_reason(response),
            at=datetime.fromisoformat(response["responded_at"]),
        ),
    )


def record_start(act: ApiActor, dag: Task, response: Any) -> None:
    """Put on record who started a run that changes what is live, by id as well as by name.

    Airflow tells a run's task only the name; a policy names ids.
    """
    if not dag["dag"].endswith(model_dag_id("", CONTROL_PHASE)):
        return
    run = RunIdentity(dag_id=dag["dag"], run_id=str(response["dag_run_id"]), task_id="")
    record_run_start(server_workspace(run), person=_person(act))


def renew_request(task_instance: str, asked: Any, response: Any) -> None:  # noqa: ARG001
    """Put a gate's newest text and people before its readers.

    Airflow keeps those of a task's first request through all later tries: nobody could be told why
    a gate still waits, and whoever took over a seat could not answer.
    """
    ours = TaskInstance.operator == GATE_OPERATOR
    with create_session() as session:
        row = session.scalar(
            select(HITLDetail)
            .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
            .where(HITLDetail.ti_id == UUID(task_instance), ours)
        )
        if row is not None and not row.response_received:
            row.subject, row.body = asked["subject"], asked["body"]
            row.assignees = [dict(user) for user in asked["assigned_users"]]


def record_mark(*, person: Person, task: RunIdentity, operator: str, state: str, note: str) -> None:
    """Put on record that a person set the state of one of our tasks by hand.

    On a gate that waits, success by a member of the seat is that person's approval, and failure a
    rejection. On any other task it is noted, and changes nothing of what we have recorded.
    """
    workspace = server_workspace(task)
    with workspace.store.transaction() as transaction:
        transaction.note(
            actor=person.id,
            action=_LEDGER_ACTIONS[state],
            subject=task_subject(task.dag_id, task.run_id, task.task_id),
            payload={
                "operator": operator,
                "user": person.name,
                "note": as_text(note),
                "run": task.to_json(),
            },
        )
        gate = gate_of(transaction, dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id)
    choice = _CHOICES.get(state)
    if gate is None or choice is None:
        return
    answer = Answer(
        person=person,
        choice=choice,
        reason=note,
        at=datetime.now(UTC),
        method=state,
    )
    acknowledge(
        workspace, decision=record_manual_state(workspace, gate=gate, answer=answer), gate=gate.id
    )


def _gate(task: Task) -> tuple[Workspace, GateRow | None]:
    run = RunIdentity(dag_id=task["dag"], run_id=task["run"], task_id=task["task"])
    workspace = server_workspace(run)
    with workspace.store.transaction() as transaction:
        gate = gate_of(transaction, dag_id=run.dag_id, run_id=run.run_id, task_id=run.task_id)
    return workspace, gate


def _person(act: ApiActor) -> Person:
    return Person(id=act.user_id, name=act.user_name)


def _reason(body: Mapping[str, Any]) -> str:
    return str((body.get("params_input") or {}).get("reason") or "")
