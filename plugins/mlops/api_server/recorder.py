"""What the API server records: answers, refusals, starts, and tasks that were set by hand."""

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
from mlops.approvals.decisions import Answer, as_text
from mlops.approvals.eligibility import Person
from mlops.approvals.requests import acknowledge, newest_request
from mlops.approvals.responses import (
    Refusal,
    record_manual_state,
    record_response,
    refuse_response,
)
from mlops.connections import server_workspace
from mlops.flow.control import record_run_start
from mlops.store.tables import ApprovalRequestRow
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
APPROVAL_OPERATOR = "ApprovalSensor"
_LEDGER_ACTIONS = {
    MARK_SUCCESS: LedgerAction.TASK_MARKED_SUCCESS,
    MARK_FAILED: LedgerAction.TASK_MARKED_FAILED,
    MARK_SKIPPED: LedgerAction.TASK_MARKED_SKIPPED,
}
# What it means to set the state of a task that asks; to skip it answers nothing.
_CHOICES = {MARK_SUCCESS: APPROVE, MARK_FAILED: REJECT}


def refuse_answer(actor: ApiActor, task: Task) -> Refusal | None:
    """Record why the answer that is about to be given would not count; none if it would.

    A refusal is in the ledger when this returns.
    """
    workspace, request = _find_request(task)
    if request is None or not isinstance(actor.body, dict):
        return None
    chosen = (actor.body.get("chosen_options") or [""])[0]
    answer = Answer(
        person=_person(actor),
        choice=str(chosen),
        reason=_reason(actor.body),
        at=datetime.now(UTC),
    )
    return refuse_response(workspace, request=request, answer=answer)


def record_answer(actor: ApiActor, task: Task, response: Any) -> None:
    """Record an answer that Airflow has taken, before its sender gets the reply."""
    workspace, request = _find_request(task)
    if request is None:
        return
    record_response(
        workspace,
        model=request.model,
        version=request.version,
        seat=request.seat,
        request_id=request.id,
        answer=Answer(
            person=_person(actor),
            choice=str(response["chosen_options"][0]),
            reason=_reason(response),
            at=datetime.fromisoformat(response["responded_at"]),
        ),
    )


def record_start(actor: ApiActor, dag: Task, response: Any) -> None:
    """Record who started a run that changes what is live, by id as well as by name.

    A run's task gets only the name from Airflow; a policy names ids.
    """
    if not dag["dag"].endswith(model_dag_id("", CONTROL_PHASE)):
        return
    run = RunIdentity(dag_id=dag["dag"], run_id=str(response["dag_run_id"]), task_id="")
    record_run_start(server_workspace(run), person=_person(actor))


def renew_request(task_instance: str, asked: Any, response: Any) -> None:  # noqa: ARG001
    """Put a request's newest text and people before its readers.

    Airflow keeps those of a task's first request through all later tries: its readers could not
    see why a request still waits, and a person who took over a seat could not answer.
    """
    ours = TaskInstance.operator == APPROVAL_OPERATOR
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
    """Record that a person set the state of a task of the library by hand.

    On a task that waits for an answer, success by a member of the seat is that person's approval,
    and failure a rejection. On any other task it is noted, and changes no recorded fact.
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
        request = newest_request(
            transaction, dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id
        )
    choice = _CHOICES.get(state)
    if request is None or choice is None:
        return
    answer = Answer(
        person=person,
        choice=choice,
        reason=note,
        at=datetime.now(UTC),
        method=state,
    )
    decision = record_manual_state(workspace, request=request, answer=answer)
    acknowledge(workspace, decision=decision, request_id=request.id)


def _find_request(task: Task) -> tuple[Workspace, ApprovalRequestRow | None]:
    run = RunIdentity(dag_id=task["dag"], run_id=task["run"], task_id=task["task"])
    workspace = server_workspace(run)
    with workspace.store.transaction() as transaction:
        request = newest_request(
            transaction, dag_id=run.dag_id, run_id=run.run_id, task_id=run.task_id
        )
    return workspace, request


def _person(actor: ApiActor) -> Person:
    return Person(id=actor.user_id, name=actor.user_name)


def _reason(body: Mapping[str, Any]) -> str:
    return str((body.get("params_input") or {}).get("reason") or "")
