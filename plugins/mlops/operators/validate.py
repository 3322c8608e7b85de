"""Judge the chosen candidate by the gates registered before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class ValidateOperator(StepOperator):
    """Judge the chosen candidate by the gates registered before training.

    :param training_id: the training (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "training_id",
    )

    def __init__(
        self,
        *,
        training_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.validate.validate`."""
        from mlops.flow.validate import validate

        return validate(workspace, training_id=self.training_id)
