"""Import paths of version 0.1.0: DAGs that people wrote by hand go on working, with one warning.

Version 0.1.0 had a module for each operator. Each of those names is a module here without a file,
which gives what is asked for from where it is today, when it is asked for.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

# By the module's name below mlops.operators: where its names are today.
EARLIER_MODULES: Mapping[str, str] = {
    "alarm": "mlops.operators",
    "check_data": "mlops.operators",
    "check_input": "mlops.operators",
    "deploy": "mlops.operators",
    "document": "mlops.operators",
    "intake": "mlops.operators",
    "judge": "mlops.operators",
    "measure": "mlops.operators",
    "moments": "mlops.operators.run_params",
    "monitor_report": "mlops.operators",
    "package": "mlops.operators",
    "publish": "mlops.operators",
    "score": "mlops.operators",
    "snapshot": "mlops.operators",
    "train": "mlops.operators",
    "validate": "mlops.operators",
    "workspace": "mlops.connections",
}
_WARNED: set[str] = set()


class DeprecatedImport(FutureWarning):
    """A file imports from where version 0.1.0 had a name."""


class _EarlierModule(ModuleType):
    """A module of 0.1.0 by its name; ``current`` is the module that has its names today."""

    def __init__(self, name: str, current: str) -> None:
        super().__init__(name, f"The names of 0.1.0; today they are in {current}.")
        self.current = current

    def __getattr__(self, name: str) -> Any:
        # Whatever looks through all loaded modules asks for names such as __file__.
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(import_module(self.current), name)
        warn_of_earlier_name(f"from {self.current} import {name}", stacklevel=3)
        return found


def provide_earlier_modules() -> None:
    """Make the modules of 0.1.0 importable; ``mlops.operators`` does so when it is imported."""
    for name, current in EARLIER_MODULES.items():
        path = f"mlops.operators.{name}"
        sys.modules.setdefault(path, _EarlierModule(path, current))


def warn_of_earlier_name(current: str, *, stacklevel: int) -> None:
    """Warn once of a file that uses names of 0.1.0, however many it uses.

    :param current: what the file should have instead of the first of them.
    :param stacklevel: whose file it is: 2 for the caller of the caller.
    """
    file = sys._getframe(stacklevel - 1).f_code.co_filename
    if file not in _WARNED:
        _WARNED.add(file)
        warnings.warn(
            f"{file}: uses names of mlops 0.1.0, write '{current}' and so on; the earlier names "
            "still work",
            DeprecatedImport,
            stacklevel=stacklevel,
        )
