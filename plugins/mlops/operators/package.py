"""Put all that will run into one file with one digest, which people sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class PackageOperator(StepOperator):
    """Put all that will run into one file with one digest, which people sign.

    :param training_id: the training (templated).
    :param champion: the version that validation compared with, 0 for none (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "training_id",
        "champion",
    )

    def __init__(
        self,
        *,
        training_id: str,
        champion: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id
        self.champion = champion

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.package.package`."""
        from mlops.flow.package import package

        return package(workspace, training_id=self.training_id, champion=int(self.champion))
