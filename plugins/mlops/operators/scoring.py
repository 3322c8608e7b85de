"""The operators of ``<model>_score``: check a window, score its shards, publish the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator
from mlops.operators.run_params import window

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class CheckInputOperator(StepOperator):
    """Read the rows of a window once, check them and record the plan of their scoring.

    :param window: the window as 2013-07, or empty for the one before the run's date (templated).
    :param unit: hour, day, week or month.
    :param shards: how many tasks score the window side by side.
    """

    generated_task = "score.check_input"
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "window",
    )

    def __init__(
        self,
        *,
        window: str = "",
        unit: str = "month",
        shards: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.unit = unit
        self.shards = shards

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Run :func:`mlops.flow.check_input.check_input`."""
        from mlops.flow.check_input import check_input

        return check_input(
            workspace,
            model=self.model,
            window=window(self.window, self.unit, context),
            shards=self.shards,
        )


class ScoreOperator(StepOperator):
    """Score one shard of a planned batch; map it over the plan's shards.

    :param plan: what ``check_input`` returned (templated).
    :param shard: number of one of the plan's shards, from 0.
    """

    generated_task = "score.score"
    template_fields: Sequence[str] = (*StepOperator.template_fields, "plan")

    def __init__(self, *, plan: Any, shard: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.shard = shard

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.score.score`."""
        from mlops.flow.score import score

        return score(workspace, model=self.model, plan=_digest(self.plan), shard=self.shard)


class PublishOperator(StepOperator):
    """Show a scored batch to the applications, all of it at once.

    :param plan: what ``check_input`` returned (templated).
    :param scored: what the shards of ``score`` returned (templated). It makes the task wait for
        them; the rows themselves are counted in the table.
    """

    generated_task = "score.publish"
    template_fields: Sequence[str] = (*StepOperator.template_fields, "plan", "scored")

    def __init__(self, *, plan: Any, scored: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.scored = scored

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.publish.publish`."""
        from mlops.flow.publish import publish

        return publish(workspace, model=self.model, plan=_digest(self.plan))


def _digest(plan: Any) -> Any:
    """The plan's digest in what check_input returned; all else there is for people to read."""
    return plan.get("plan") if isinstance(plan, Mapping) else plan
