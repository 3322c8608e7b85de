"""Freeze the rows that a version is trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator
from mlops.operators.moments import moment

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class SnapshotOperator(StepOperator):
    """Freeze the rows that a version is trained and tested on.

    :param spec_digest: digest of the registered spec (templated).
    :param as_of: the run's clock as an ISO date or time; empty for the run's own (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "spec_digest",
        "as_of",
    )

    def __init__(
        self,
        *,
        spec_digest: str,
        as_of: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.spec_digest = spec_digest
        self.as_of = as_of

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Run :func:`mlops.flow.snapshot.snapshot`."""
        from mlops.flow.snapshot import snapshot

        return snapshot(workspace, spec_digest=self.spec_digest, as_of=moment(self.as_of, context))
