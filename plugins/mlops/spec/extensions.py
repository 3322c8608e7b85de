"""The registries of what a spec names and customers can add from outside.

The protocols that their items keep to are in :mod:`mlops.core`. The registries are here, since a
spec file is checked against them when it is read, so that a wrong name has its line. A registered
spec is not: it stays readable in a process without the extension, which needs it to be shown only.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationInfo

from mlops.errors import ExtensionError
from mlops.registry import Registry

DEFAULT_TARGET = "binary"

CRITERIA: Registry[Any] = Registry(
    "acceptance criterion",
    group="mlops.criteria",
    built_in={
        "metric": "mlops.core.acceptance.metric:METRIC",
        "slice": "mlops.core.acceptance.slices:SLICE",
        "champion": "mlops.core.acceptance.champion:CHAMPION",
    },
    requires=("name", "problem", "title", "measure"),
)
TARGETS: Registry[Any] = Registry(
    "target",
    group="mlops.targets",
    built_in={"binary": "mlops.core.targets.binary.target:BINARY"},
    requires=(
        "name",
        "metrics",
        "main_metric",
        "kpi_measures",
        "predicts_with",
        "estimator_advice",
        "score_range",
        "undefined",
        "require_label_type",
        "read_labels",
        "label_counter",
        "label_facts",
        "remaining_facts",
        "check_labels",
        "check_side",
        "predict",
        "require_scores",
        "prediction_columns",
        "prediction_values",
        "measure",
        "kpi",
        "describe_rows",
        "details",
    ),
)
DRIFT_STATISTICS: Registry[Any] = Registry(
    "drift statistic",
    group="mlops.drift_statistics",
    built_in={"psi": "mlops.core.drift.psi:PSI"},
    requires=("name", "title", "description", "bins", "measure"),
)
MODEL_FORMATS: Registry[Any] = Registry(
    "model format",
    group="mlops.model_formats",
    built_in={"skops": "mlops.core.artifact.skops_format:SKOPS"},
    requires=("name", "member", "libraries", "require_packable", "dump", "audit", "load"),
)


def require_in_file(registry: Registry[Any], name: str, info: ValidationInfo) -> None:
    """Check the name of an item that reading a spec does not need to ask anything.

    :raises ValueError: as :func:`named_in_file`.
    """
    if (info.context or {}).get("check_extensions"):
        try:
            registry.require(name)
        except ExtensionError as error:
            raise ValueError(str(error)) from error


def context_of_file(content: Any) -> dict[str, Any]:
    """The context with which the content of a spec file is validated.

    :param content: the file as it was written, sound or not.
    """
    develop = content.get("develop") if isinstance(content, dict) else None
    target = develop.get("target", DEFAULT_TARGET) if isinstance(develop, dict) else DEFAULT_TARGET
    return {"check_extensions": True, "target": target}


def target_in_file(info: ValidationInfo) -> Any | None:
    """The target of a spec file; None if its name is wrong, which has an error of its own."""
    try:
        return named_in_file(TARGETS, str((info.context or {}).get("target")), info)
    except ValueError:
        return None


def named_in_file(registry: Registry[Any], name: str, info: ValidationInfo) -> Any | None:
    """The item that a spec file names; None for a spec that is read from anywhere else.

    :raises ValueError: it is not known, or its extension cannot be loaded.
    """
    if not (info.context or {}).get("check_extensions"):
        return None
    try:
        return registry.get(name)
    except ExtensionError as error:
        raise ValueError(str(error)) from error
