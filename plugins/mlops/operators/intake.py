"""Register the model's spec; the whole run goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class IntakeOperator(StepOperator):
    """Register the model's spec; the whole run goes by it, whatever its file says later."""

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.intake.intake`."""
        from mlops.flow.intake import intake

        return intake(workspace, model=self.model)
