"""Check the rows of a window and plan its shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator
from mlops.operators.moments import window

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class CheckInputOperator(StepOperator):
    """Check the rows of a window and plan its shards.

    :param window: the window as 2013-07, or empty for the one before the run's date (templated).
    :param unit: hour, day, week or month.
    :param shards: how many parts of the window are scored side by side.
    """

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
