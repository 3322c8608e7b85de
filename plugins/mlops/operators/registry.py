"""The operators and sensors: those of the library, and those that extensions add.

An operator is found by the name of its class, which is what Airflow keeps of a task. Everything
that has to know all operators asks here: the listener, ``doctor`` and the reference.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from mlops.errors import ExtensionError
from mlops.registry import Registry

log = logging.getLogger(__name__)

OperatorClass = TypeVar("OperatorClass", bound=type[Any])

_MODULES: Mapping[str, tuple[str, ...]] = {
    "mlops.operators.release": (
        "IntakeOperator",
        "SnapshotOperator",
        "CheckDataOperator",
        "TrainOperator",
        "ValidateOperator",
        "PackageOperator",
        "DocumentOperator",
        "DeployOperator",
    ),
    "mlops.sensors.approval": ("ApprovalSensor",),
    "mlops.operators.scoring": ("CheckInputOperator", "ScoreOperator", "PublishOperator"),
    "mlops.operators.monitoring": (
        "MeasureOperator",
        "JudgeOperator",
        "MonitorReportOperator",
        "AlarmOperator",
    ),
    "mlops.operators.control": ("ControlOperator",),
    "mlops.operators.governance": (
        "VerifyLedgerOperator",
        "VerifyPredictionsOperator",
        "ReviewOperator",
        "RemindOperator",
        "DeliverLineageOperator",
        "RemoveLeftoversOperator",
    ),
}

OPERATORS: Registry[type[Any]] = Registry(
    "operator",
    group="mlops.operators",
    built_in={name: f"{module}:{name}" for module, names in _MODULES.items() for name in names},
    requires=("execute",),
)


def register_operator(operator: OperatorClass) -> OperatorClass:
    """Add an operator of an extension; a decorator of its class.

    :raises ExtensionError: the name of the class belongs to another operator.
    """
    OPERATORS.register(operator.__name__, operator)
    return operator


def is_known_operator(name: str) -> bool:
    """Whether an operator is the library's or an extension's, by the name that Airflow keeps.

    An extension that cannot be loaded is logged; its own operators are not known then.
    """
    if name in OPERATORS.built_in_names():
        return True
    try:
        return name in OPERATORS.names()
    except ExtensionError as error:
        log.warning("the operators of an extension are not known: %s", error)
        return False
