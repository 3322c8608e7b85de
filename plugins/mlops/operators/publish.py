"""Show a scored batch to the applications, and tell Airflow that it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class PublishOperator(StepOperator):
    """Show a scored batch to the applications, all of it at once.

    :param plan: what ``check_input`` returned (templated).
    :param scored: what the shards of ``score`` returned (templated).
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "plan", "scored")

    def __init__(self, *, plan: Any, scored: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.scored = scored

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.publish.publish`."""
        from mlops.flow.plan import Plan, Scored
        from mlops.flow.publish import publish

        plan = Plan.from_json(self.plan)
        return publish(workspace, plan=plan, scored=[Scored(**item) for item in self.scored])
