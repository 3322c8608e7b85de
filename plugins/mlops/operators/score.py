"""Score one shard of a planned batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class ScoreOperator(StepOperator):
    """Score one shard of a planned batch; map it over the plan's shards.

    :param plan: what ``check_input`` returned (templated).
    :param shard: number of one of the plan's shards, from 0.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "plan")

    def __init__(self, *, plan: Any, shard: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.shard = shard

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.score.score`."""
        from mlops.flow.plan import Plan
        from mlops.flow.score import score

        plan = Plan.from_json(self.plan)
        return score(workspace, plan=plan, shard=plan.shards[self.shard])
