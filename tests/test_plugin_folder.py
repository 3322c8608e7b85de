"""Airflow executes every file that it finds below its plugins folder; here it must find one.

It does so recursively, under the file's bare name: a ``statistics.py`` of ours would take the
place of the standard library's. ``plugins/mlops/.airflowignore`` hides all files but one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
PLUGINS = PROJECT / "plugins"

# Run in a fresh process, as each of Airflow's components is.
LOAD = """
import json, statistics, sys
from pathlib import Path

import {loader} as loader

plugins, errors = loader._get_plugins()
import mlops, copy, profile

folder = Path({folder!r})
files = {{name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}}
below = {{name: file for name, file in files.items() if Path(file).is_relative_to(folder)}}
print(json.dumps({{
    "plugins": {{plugin.name: str(plugin.source) for plugin in plugins}},
    "errors": errors,
    "mlops": mlops.__file__,
    "bare": sorted(name for name in below if name.partition(".")[0] != "mlops"),
    "standard": sorted(name for name in below if name.partition(".")[0] in sys.stdlib_module_names),
}}))
"""
LOADERS = ["airflow.plugins_manager", "airflow.sdk.plugins_manager"]


def load(loader: str, folder: Path, home: Path) -> dict[str, Any]:
    """What one of Airflow's two loaders makes of a plugins folder."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(loader=loader, folder=str(folder))],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
            # Before the project's own folder, which the environment of the tests has on its path.
            "PYTHONPATH": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("loader", LOADERS)
def test_airflow_executes_one_file_of_ours(loader: str, tmp_path: Path) -> None:
    found = load(loader, PLUGINS, tmp_path)
    assert found["errors"] == {}
    assert found["plugins"]["mlops"] == "$PLUGINS_FOLDER/mlops/mlops_plugin.py"
    assert found["bare"] == ["mlops_plugin"]
    assert found["standard"] == []
    assert found["mlops"] == str(PLUGINS / "mlops" / "__init__.py")


@pytest.mark.parametrize("loader", LOADERS)
def test_a_file_added_to_the_package_is_not_executed(loader: str, tmp_path: Path) -> None:
    """Also one that is named as a module of the standard library; one beside the package is."""
    folder = tmp_path / "plugins"
    shutil.copytree(PLUGINS, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    marker = tmp_path / "executed"
    code = f"from pathlib import Path\nwith Path({str(marker)!r}).open('a') as file:\n"
    places = ("mlops/loose.py", "mlops/core/statistics.py", "mlops/new/deep/colour.py", "beside.py")
    for place in places:
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{code}    file.write('{place} ')\n")
    found = load(loader, folder, tmp_path / "home")
    assert found["errors"] == {}
    assert marker.read_text() == "beside.py "
    assert found["bare"] == ["beside", "mlops_plugin"]
    assert found["standard"] == []


def test_airflow_finds_the_package_though_its_folder_comes_last(tmp_path: Path) -> None:
    """A distribution called ``mlops`` in front of the folder would win; then we would know."""
    other = tmp_path / "site" / "mlops"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import mlops; print(mlops.__file__)"],
        env={"PYTHONPATH": os.pathsep.join([str(other.parent), str(PLUGINS)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(other / "__init__.py")
    import mlops

    assert mlops.__file__ == str(PLUGINS / "mlops" / "__init__.py")


def test_the_ignore_file_reaches_the_image() -> None:
    ignored = PLUGINS / "mlops" / ".airflowignore"
    assert ignored.read_text().split()[:2] == ["*", "!mlops_plugin.py"]
    # As Docker reads it: of the patterns that match a file or a folder above it, the last counts.
    places = ["plugins", "plugins/mlops", "plugins/mlops/.airflowignore"]
    kept = True
    for pattern in (PROJECT / ".dockerignore").read_text().split():
        bare = pattern.removeprefix("!").removeprefix("**/").removesuffix("/")
        if any(fnmatch(place, bare) or fnmatch(Path(place).name, bare) for place in places):
            kept = pattern.startswith("!")
    assert kept
