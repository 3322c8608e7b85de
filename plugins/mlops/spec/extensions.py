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

# The context with which a file is validated.
OF_A_FILE = {"check_extensions": True}

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
