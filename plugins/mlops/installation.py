"""One package named ``mlops``, and one copy of it.

Another distribution that brings a package of this name overwrites ours or hides it, and a copied
``plugins/mlops`` beside an installed wheel makes two versions of which Python picks one by the
order of its path. The plugin, the DAG builder and the commands refuse both before they do anything.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

import mlops
from mlops.errors import InstallationError

# Not imported by name: where another package's __init__.py replaced ours, it has no such name.
DISTRIBUTION = "airflow-mlops"
PACKAGE = Path(__file__).resolve().parent
# The distribution on PyPI that brings a package of our name.
FOREIGN_DISTRIBUTION = "mlops"


@cache
def require_one_installation() -> None:
    """Refuse a foreign package named ``mlops``, and a second copy of this one.

    :raises InstallationError: there is one; the message is one line that names both places.
    """
    if getattr(mlops, "DISTRIBUTION", None) != DISTRIBUTION:
        raise _foreign(f"another package's __init__.py in {PACKAGE}")
    for found in metadata.distributions(name=FOREIGN_DISTRIBUTION):
        raise _foreign(f"the distribution {FOREIGN_DISTRIBUTION} {found.version}")
    for found in metadata.distributions(name=DISTRIBUTION):
        place = Path(str(found.locate_file("mlops"))).resolve()
        if place != PACKAGE and (place / "__init__.py").exists():
            raise second_copy(place)


def second_copy(place: Path) -> InstallationError:
    """The error for a second copy of this package at ``place``."""
    return InstallationError(
        "two copies of the package mlops",
        found=f"{PACKAGE} and {place}",
        expected=f"one: the installed {DISTRIBUTION}, or the copied folder plugins/mlops",
        action=f"remove the copied folder, or run `pip uninstall {DISTRIBUTION}`",
    )


def _foreign(found: str) -> InstallationError:
    return InstallationError(
        "another package is named mlops",
        found=found,
        expected=f"the package of {DISTRIBUTION} alone",
        action=f"run `pip uninstall {FOREIGN_DISTRIBUTION}`, then install {DISTRIBUTION} again",
    )
