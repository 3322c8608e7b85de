"""Wait for a seat's people, with the evidence beside the button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

from mlops.operators.base import translated
from mlops.operators.workspace import open_workspace
from mlops.settings import store_conn_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class AnswerNotEnough(AirflowException):
    """An answer was recorded, and the seat is not signed yet: the next try asks again."""


class ApprovalSensor(ApprovalOperator):
    """Ask the people of one seat to sign a version; each answer goes into the ledger at once.

    Waiting costs no worker. There are no defaults: silence is never an answer. An answer that
    does not count ends the try with the reason, and the next try asks again, with the answers so
    far in its body.

    :param model: name of the model (templated).
    :param version: number of the version (templated).
    :param seat: the seat of the policy that signs (templated).
    """

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
                "reason": Param("", type="string", title="Reason", description="Always on reject")
            },
            **kwargs,
        )
        self.model = model
        self.version = version
        self.seat = seat
        self.warehouse_conn_id = warehouse_conn_id
        self.store_conn_id = store_conn_id

    def execute(self, context: Context) -> Any:
        """Put the request before the seat's people, then park."""
        from mlops.flow.sign_off import request

        with translated():
            asked = request(
                self._workspace(context),
                model=self.model,
                version=int(self.version),
                seat=self.seat,
            )
        self.subject, self.body = asked.subject, asked.body
        self.assigned_users = [{"id": user, "name": user} for user in asked.users]
        self.response_timeout = asked.answer_within
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer, then let the run go on, or ask again."""
        from mlops.flow.signers import Person
        from mlops.flow.sign_off import Answer, answered

        if "error" in event or not event.get("responded_by_user"):
            return super().execute_complete(context, event)
        user = event["responded_by_user"]
        answer = Answer(
            person=Person(id=str(user["id"]), name=user["name"]),
            choice=event["chosen_options"][0],
            reason=str((event["params_input"] or {}).get("reason") or ""),
            at=event["responded_at"],
        )
        with translated():
            decision = answered(
                self._workspace(context),
                model=self.model,
                version=int(self.version),
                seat=self.seat,
                answer=answer,
            )
        self.log.info("%s", decision)
        if not decision.enough:
            raise AnswerNotEnough(decision.why)
        super().execute_complete(context, event)
        return asdict(decision)

    def _workspace(self, context: Context) -> Workspace:
        return open_workspace(
            context,
            warehouse_conn_id=self.warehouse_conn_id,
            store_conn_id=self.store_conn_id or store_conn_id(),
        )
