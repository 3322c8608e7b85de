"""``<model>_monitor``: how the live version did in one window."""

from __future__ import annotations

from airflow.sdk import DAG

from mlops.lifecycle.common import alarm_asset, heading, model_dag, phase, task_args, window_param
from mlops.operators.monitoring import (
    AlarmOperator,
    JudgeOperator,
    MeasureOperator,
    MonitorReportOperator,
)
from mlops.spec.model import ModelSpec


def monitor_dag(spec: ModelSpec) -> DAG:
    """measure → judge → document, and an alarm that starts a release where the spec wants it."""
    text = (
        f"Measures one scored {spec.monitor.window}: drift of every feature, performance as far as "
        "labels have arrived, and the KPI; judges it and writes the report. An alarm is a result, "
        "not a failure: it opens a case. Run it again when more labels have arrived."
    )
    args = task_args(spec)
    dag = model_dag(
        spec,
        "monitor",
        doc_md=heading(spec, text),
        params=window_param(spec.monitor.window),
        schedule=spec.monitor.schedule,
        max_active_runs=1,
    )
    with dag, phase("monitor", "Monitor", tooltip="Is it still good?"):
        measured = MeasureOperator(
            task_id="measure",
            window="{{ params.window }}",
            unit=spec.monitor.window,
            **args,
        )
        judged = JudgeOperator(task_id="judge", measurement=measured.field("measurement"), **args)
        documented = MonitorReportOperator(
            task_id="document", measurement=judged.field("measurement"), **args
        )
        if spec.monitor.retrain_on_alarm:
            documented >> AlarmOperator(
                task_id="alarm", state=judged.field("state"), outlets=[alarm_asset(spec.model)]
            )
    return dag
