"""skops, imported without the lists of types that it would trust by itself.

While it is imported, skops makes these lists: it imports every module of scikit-learn, and looks
for each function of scipy in every module that the process has loaded. In an Airflow task that is
a second of CPU, 40 MB, and a thousand warnings of Airflow about old names.

:mod:`mlops.core.artifact.audit` has a list of its own, and names to skops each type that a file
may construct. So here the lists of skops are empty, and it constructs only what the audit named.
Code that wants the lists imports ``skops.io`` before this module; then nothing is changed.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import numpy as np

_LISTS = "skops.io._trusted_types"


class _NoLists(ModuleType):
    """The module of skops that makes the lists, with each of them empty."""

    # Not a list of what is trusted: the kinds of generators that skops can construct.
    NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES = tuple(
        f"numpy.random.{name}"
        for name, kind in vars(np.random).items()
        if isinstance(kind, type) and issubclass(kind, np.random.BitGenerator)
    )

    def __getattr__(self, name: str) -> list[str]:
        if name.isupper():
            return []
        raise AttributeError(name)


def _import_skops() -> ModuleType:
    if "skops.io" in sys.modules:
        return sys.modules["skops.io"]
    sys.modules[_LISTS] = _NoLists(_LISTS)
    try:
        return importlib.import_module("skops.io")
    except (AttributeError, ImportError, TypeError):
        # A version of skops that needs more of this module than lists.
        for name in [name for name in sys.modules if name.partition(".")[0] == "skops"]:
            del sys.modules[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("skops.io")


skops_io = _import_skops()
