"""Wait for a seat's people, with the evidence beside the button."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from mlops.connections import open_workspace, pages_address, run_identity
from mlops.lineage.events import dataset_names
from mlops.operators.base import plain, translated
from mlops.operators.lineage import EmitsLineage, Reads
from mlops.settings import store_conn_id
from mlops.vocabulary import APPROVE, APPROVE_WITH_CONDITIONS, REJECT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class AnswerNotEnough(AirflowException):
    """An answer was recorded, and the seat is not signed yet: the next try asks again."""


class ApprovalSensor(EmitsLineage, ApprovalOperator):
    """Ask the people of one seat to sign a version; each answer goes into the ledger at once.

    Waiting costs no worker. There are no defaults: silence is never an answer. An answer that
    does not count ends the try with the reason, and the next try asks again, with the answers so
    far in its body.

    :param model: name of the model (templated).
    :param version: number of the version (templated).
    :param seat: the seat of the policy that signs (templated).
    """

    generated_task = "release.sign_off.*"
    reads = (Reads("version", dataset_names.version),)
    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "model", "version", "seat")
    ui_color = "#fff4e5"

    def __init__(
        self,
        *,
        model: str,
        version: str,
        seat: str,
        warehouse_conn_id: str = "warehouse",
        store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retries", 100)
        kwargs.setdefault("retry_delay", timedelta(seconds=5))
        # The run's own form fields have no place in the answer's form.
        kwargs.pop("params", None)
        super().__init__(
            subject="Sign-off",
            params={
                "reason": Param(
                    "",
                    type=["null", "string"],
                    title="Reason",
                    description="Always on reject; the conditions, where there are some",
                )
            },
            **kwargs,
        )
        # Airflow's operator has two options only, and takes every other one for a rejection.
        self.options = [APPROVE, APPROVE_WITH_CONDITIONS, REJECT]
        self.model = model
        self.version = version
        self.seat = seat
        self.warehouse_conn_id = warehouse_conn_id
        self.store_conn_id = store_conn_id

    def execute(self, context: Context) -> Any:
        """Put the request before the seat's people, then park."""
        from mlops.approvals.requests import request_approval, unprocessed_decision

        workspace = self._workspace(context)
        with translated():
            earlier = unprocessed_decision(workspace, since=_came_to_be(context))
            if earlier is not None:
                return self._finish(context, _event(earlier), request_id=earlier.gate)
            asked = request_approval(
                workspace,
                model=self.model,
                version=int(self.version),
                seat=self.seat,
                pages=pages_address(),
            )
        self.subject, self.body = asked.subject, asked.body
        self.assigned_users = [{"id": user, "name": user} for user in asked.users]
        self.response_timeout = asked.answer_within
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer, then let the run go on, or ask again."""
        from mlops.approvals.requests import approval_request_id

        if "error" in event or not event.get("responded_by_user"):
            self._lapse(context, event)
        return self._finish(context, event, request_id=approval_request_id(run_identity(context)))

    def _finish(self, context: Context, event: dict[str, Any], *, request_id: str) -> Any:
        from mlops.approvals.decisions import Answer
        from mlops.approvals.eligibility import Person
        from mlops.approvals.requests import acknowledge
        from mlops.approvals.responses import record_response

        user = event["responded_by_user"]
        answer = Answer(
            person=Person(id=str(user["id"]), name=user["name"]),
            choice=event["chosen_options"][0],
            reason=str((event["params_input"] or {}).get("reason") or ""),
            at=event["responded_at"],
        )
        workspace = self._workspace(context)
        with translated(), self.noting_lineage(workspace):
            decision = record_response(
                workspace,
                model=self.model,
                version=int(self.version),
                seat=self.seat,
                answer=answer,
                request_id=request_id,
            )
            acknowledge(workspace, decision=decision, request_id=request_id)
        self.log.info("%s", decision)
        if not decision.enough:
            raise AnswerNotEnough(decision.why)
        if answer.choice == APPROVE_WITH_CONDITIONS:
            HITLOperator.execute_complete(self, context, event)
        else:
            super().execute_complete(context, event)
        return plain(decision)

    def _lapse(self, context: Context, event: dict[str, Any]) -> None:
        """No response came in time: the seat lapses, and the people who were asked are notified.

        :raises AirflowFailException: always; asking again is for a person to decide, who clears
            the task.
        """
        from mlops.approvals.responses import record_lapse
        from mlops.operators.notify import notify

        workspace = self._workspace(context)
        with translated():
            notice = record_lapse(
                workspace, model=self.model, version=int(self.version), seat=self.seat
            )
            notify(workspace, notice, context)
        raise AirflowFailException(f"{notice.text} ({event.get('error', 'no responder')})")

    def _workspace(self, context: Context) -> Workspace:
        workspace = open_workspace(
            context,
            warehouse_conn_id=self.warehouse_conn_id,
            store_conn_id=self.store_conn_id or store_conn_id(),
        )
        self.begin(workspace)
        return workspace


def _came_to_be(context: Context) -> datetime:
    """When Airflow made this try: its id is a UUID of version 7, which begins with the time."""
    milliseconds = UUID(str(context["ti"].id)).int >> 80
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _event(row: Any) -> dict[str, Any]:
    """A recorded decision as the event that Airflow would have handed over."""
    return {
        "chosen_options": [row.answer],
        "params_input": {"reason": row.reason},
        "responded_at": row.decided_at,
        "responded_by_user": {"id": row.user_id, "name": row.user_name},
    }
