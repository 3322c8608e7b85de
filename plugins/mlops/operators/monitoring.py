"""The operators of ``<model>_monitor``: measure, judge, report, and signal an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mlops.operators.base import StepOperator
from mlops.operators.run_params import window

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class MeasureOperator(StepOperator):
    """Measure a scored window: drift, labels and KPI.

    :param window: the window as 2013-07, or empty for the one before the run's date (templated).
    :param unit: hour, day, week or month.
    """

    generated_task = "monitor.measure"
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


class JudgeOperator(StepOperator):
    """Judge a measurement, record the verdict and open a case on an alarm.

    :param measurement: digest of the measurement (templated).
    """

    generated_task = "monitor.judge"
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


class MonitorReportOperator(StepOperator):
    """Write the monitoring report of a window.

    :param measurement: digest of the measurement (templated).
    """

    generated_task = "monitor.document"
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
        """Run :func:`mlops.flow.document.monitor_report`."""
        from mlops.flow.document import monitor_report

        return monitor_report(workspace, measurement=self.measurement)


class AlarmOperator(BaseOperator):
    """Succeed where the verdict was an alarm, and be skipped otherwise.

    Give it the alarm's asset as an outlet: Airflow sends the asset's event on success only.

    :param state: the verdict of ``judge`` (templated).
    """

    generated_task = "monitor.alarm"
    template_fields: Sequence[str] = ("state",)

    def __init__(self, *, state: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state = state

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Pass an alarm on.

        :raises AirflowSkipException: the window was no alarm.
        """
        if self.state != "alarm":
            raise AirflowSkipException(f"the window is {self.state}: no release is asked for")
        self.log.info(
            "the window is an alarm: a release is asked for; people still have to sign it"
        )
