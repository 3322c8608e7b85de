"""The names of our operators, as Airflow keeps them of a task."""

from __future__ import annotations

OPERATOR_NAMES = frozenset(
    {
        "ApprovalSensor",
        "CheckDataOperator",
        "CheckInputOperator",
        "ControlOperator",
        "DeployOperator",
        "DocumentOperator",
        "IntakeOperator",
        "JudgeOperator",
        "MeasureOperator",
        "MonitorReportOperator",
        "PackageOperator",
        "PublishOperator",
        "ScoreOperator",
        "SnapshotOperator",
        "TrainOperator",
        "ValidateOperator",
    }
)
