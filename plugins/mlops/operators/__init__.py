"""The operators, for DAGs that people write by hand: ``from mlops.operators import TrainOperator``.

An operator is imported when its name is first used, so that a DAG loads only what it names.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlops.operators.earlier_imports import EARLIER_MODULES, provide_earlier_modules
from mlops.operators.registry import OPERATORS

if TYPE_CHECKING:
    from mlops.operators.control import ControlOperator
    from mlops.operators.governance import (
        DeliverLineageOperator,
        RemindOperator,
        RemoveLeftoversOperator,
        ReviewOperator,
        VerifyLedgerOperator,
        VerifyPredictionsOperator,
    )
    from mlops.operators.monitoring import (
        AlarmOperator,
        JudgeOperator,
        MeasureOperator,
        MonitorReportOperator,
    )
    from mlops.operators.release import (
        CheckDataOperator,
        DeployOperator,
        DocumentOperator,
        IntakeOperator,
        PackageOperator,
        SnapshotOperator,
        TrainOperator,
        ValidateOperator,
    )
    from mlops.operators.scoring import CheckInputOperator, PublishOperator, ScoreOperator

__all__ = [
    "AlarmOperator",
    "CheckDataOperator",
    "CheckInputOperator",
    "ControlOperator",
    "DeliverLineageOperator",
    "DeployOperator",
    "DocumentOperator",
    "IntakeOperator",
    "JudgeOperator",
    "MeasureOperator",
    "MonitorReportOperator",
    "PackageOperator",
    "PublishOperator",
    "RemindOperator",
    "RemoveLeftoversOperator",
    "ReviewOperator",
    "ScoreOperator",
    "SnapshotOperator",
    "TrainOperator",
    "ValidateOperator",
    "VerifyLedgerOperator",
    "VerifyPredictionsOperator",
]

provide_earlier_modules()


def __getattr__(name: str) -> Any:
    if name in __all__:
        return OPERATORS.get(name)
    if name in EARLIER_MODULES:
        return sys.modules[f"{__name__}.{name}"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
