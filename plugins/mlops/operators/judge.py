"""Judge a measurement, record the verdict and open a case on an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class JudgeOperator(StepOperator):
    """Judge a measurement, record the verdict and open a case on an alarm.

    :param measurement: digest of the measurement (templated).
    """

    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "measurement",
    )

    def __init__(
        self,
        *,
        measurement: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.measurement = measurement

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.judge.judge`."""
        from mlops.flow.judge import judge

        return judge(workspace, measurement=self.measurement)
