"""Measure a scored window: drift, labels and KPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator
from mlops.operators.moments import window

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class MeasureOperator(StepOperator):
    """Measure a scored window: drift, labels and KPI.

    :param window: the window as 2013-07, or empty for the one before the run's date (templated).
    :param unit: hour, day, week or month.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.unit = unit

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Run :func:`mlops.flow.measure.measure`."""
        from mlops.flow.measure import measure

        return measure(workspace, model=self.model, window=window(self.window, self.unit, context))
