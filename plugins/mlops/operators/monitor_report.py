"""Write the monitoring report of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.operators.base import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.flow.workspace import Workspace


class MonitorReportOperator(StepOperator):
    """Write the monitoring report of a window.

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
        """Run :func:`mlops.flow.monitor_report.monitor_report`."""
        from mlops.flow.monitor_report import monitor_report

        return monitor_report(workspace, measurement=self.measurement)
