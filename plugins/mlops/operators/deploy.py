"""Make a version live, if every seat has signed these very bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class DeployOperator(StepOperator):
    """Make a version live, if every seat has signed these very bytes.

    :param version: number of the version (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "version",
    )

    def __init__(
        self,
        *,
        version: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.deploy.deploy`."""
        from mlops.flow.deploy import deploy

        result = deploy(workspace, model=self.model, version=int(self.version))
        if result.superseded:
            self.log.warning("nothing was changed: %s", result.superseded)
        return result
