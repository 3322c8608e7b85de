"""Stop, roll back, resume or revoke: one task, done by the person who started its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.lineage.events import dataset_names
from mlops.operators.base import StepOperator
from mlops.operators.lineage import Reads

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class ControlOperator(StepOperator):
    """Do what the person who started the run asks for, with their reason.

    :param action: ``rollback``, ``stop``, ``resume`` or ``revoke`` (templated).
    :param reason: why; it is in the ledger and in the lineage (templated).
    :param version: to roll back to or to revoke, as a number; empty for the usual one (templated).
    :param seat: whose signature is revoked (templated).
    """

    generated_task = "control.control"
    reads = (Reads("version", dataset_names.version),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "action",
        "reason",
        "version",
        "seat",
    )

    def __init__(
        self, *, action: str, reason: str, version: str = "", seat: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.reason = reason
        self.version = version
        self.seat = seat

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.control.control`."""
        from mlops.flow.control import control, find_starter

        return control(
            workspace,
            model=self.model,
            action=self.action,
            person=find_starter(workspace),
            reason=self.reason,
            version=int(self.version) if self.version not in ("", "None") else None,
            seat=self.seat,
        )
