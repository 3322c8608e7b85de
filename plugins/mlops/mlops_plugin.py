"""The only file that Airflow executes here; it does so under its bare name, ``mlops_plugin``."""

from pathlib import Path

import mlops

_HERE = Path(__file__).resolve().parent
_IMPORTED = Path(getattr(mlops, "__file__", None) or "").resolve().parent

# A plugin with a second name for the same thing would hide the plugins that are loaded after it.
if _IMPORTED != _HERE:
    raise ImportError(
        f"two packages are named mlops: found {_HERE} and, imported in its place, {_IMPORTED}; "
        f"expected one; what to do: remove {_HERE} to use an installed airflow-mlops, "
        "or uninstall the other package to use this folder"
    )

from mlops.plugin import MlopsPlugin  # noqa: E402, F401
