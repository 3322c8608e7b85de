"""Fit every candidate on a snapshot and choose the best one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class TrainOperator(StepOperator):
    """Fit every candidate on a snapshot and choose the best one.

    :param snapshot_id: the snapshot (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "snapshot_id",
    )

    def __init__(
        self,
        *,
        snapshot_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot_id = snapshot_id

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.train.train`."""
        from mlops.flow.train import train

        return train(workspace, snapshot_id=self.snapshot_id)
