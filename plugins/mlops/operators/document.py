"""Write the validation report of a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class DocumentOperator(StepOperator):
    """Write the validation report of a version.

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
        """Run :func:`mlops.flow.document.document`."""
        from mlops.flow.document import document

        return document(workspace, model=self.model, version=int(self.version))
