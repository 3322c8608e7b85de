"""A foreign package named mlops, and a second copy of ours, are refused with one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops import DISTRIBUTION, __version__

PLUGINS = Path(__file__).parents[1] / "plugins"
LOADERS = ["airflow.plugins_manager", "airflow.sdk.plugins_manager"]

# The other plugin is there to see that a refusal keeps no one else's plugin out.
LOAD = """
import json, {loader} as loader
plugins, errors = loader._get_plugins()
print(json.dumps({{"plugins": {{p.name: str(p.source) for p in plugins}}, "errors": errors}}))
"""
OTHER_PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
class OtherPlugin(AirflowPlugin):
    name = "other"
"""


def run(*command: str, home: Path, path: list[Path]) -> subprocess.CompletedProcess[str]:
    """A command in a process whose path begins with some folders."""
    return subprocess.run(
        [sys.executable, *command],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def load(loader: str, home: Path, path: list[Path]) -> dict[str, Any]:
    """The plugins that one of Airflow's two loaders has, and its import errors."""
    done = run("-c", LOAD.format(loader=loader), home=home, path=path)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def distribution(site: Path, name: str, version: str, entry_points: str = "") -> None:
    """What pip writes beside a package."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text(entry_points)


def copy_package(folder: Path) -> None:
    """The package as a person copies it."""
    shutil.copytree(
        PLUGINS / "mlops", folder / "mlops", ignore=shutil.ignore_patterns("__pycache__")
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An Airflow home with an empty plugins folder."""
    (tmp_path / "home" / "plugins").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder like site-packages, with our distribution and another plugin after it."""
    site = tmp_path / "site"
    copy_package(site)
    distribution(
        site, DISTRIBUTION, __version__, "[airflow.plugins]\nmlops = mlops.plugin:MlopsPlugin\n"
    )
    distribution(site, "zz-other", "1", "[airflow.plugins]\nother = zz_other:OtherPlugin\n")
    (site / "zz_other.py").write_text(OTHER_PLUGIN)
    return site


@pytest.mark.parametrize("loader", LOADERS)
def test_the_installed_package_alone_is_loaded(loader: str, home: Path, site: Path) -> None:
    found = load(loader, home, [site])
    assert found["errors"] == {}
    assert {"mlops", "other"} <= set(found["plugins"])
    assert DISTRIBUTION in found["plugins"]["mlops"]


@pytest.mark.parametrize("loader", LOADERS)
def test_of_wheel_and_copied_folder_the_wheel_wins_and_one_line_says_so(
    loader: str, home: Path, site: Path
) -> None:
    copy_package(home / "plugins")
    found = load(loader, home, [site])
    assert DISTRIBUTION in found["plugins"]["mlops"]
    assert "other" in found["plugins"]
    (error,) = found["errors"].values()
    assert re.fullmatch(r"two packages are named mlops: found .*; what to do: remove .*", error)
    assert str(home / "plugins" / "mlops") in error
    assert str(site / "mlops") in error


@pytest.mark.parametrize("loader", LOADERS)
def test_a_copied_folder_that_hides_the_wheel_is_refused_with_it(
    loader: str, home: Path, site: Path
) -> None:
    """With PYTHONPATH=plugins, old code would run under the new version's name."""
    copy_package(home / "plugins")
    found = load(loader, home, [home / "plugins", site])
    assert "mlops" not in found["plugins"]
    assert "other" in found["plugins"]
    for error in found["errors"].values():
        assert re.fullmatch(r"two copies of the package mlops; found .*; what to do: .*", error)
    assert len(found["errors"]) == 2


@pytest.mark.parametrize("loader", LOADERS)
def test_a_foreign_package_in_front_of_the_copied_folder_is_refused(
    loader: str, home: Path, tmp_path: Path
) -> None:
    copy_package(home / "plugins")
    foreign = tmp_path / "foreign"
    (foreign / "mlops").mkdir(parents=True)
    (foreign / "mlops" / "__init__.py").write_text("")
    found = load(loader, home, [foreign])
    assert "mlops" not in found["plugins"]
    (error,) = found["errors"].values()
    assert str(foreign / "mlops") in error
    assert "\n" not in error


@pytest.mark.parametrize("overwritten", [False, True], ids=["before", "after"])
def test_the_distribution_mlops_in_the_same_folder_is_refused(
    overwritten: bool, home: Path, site: Path
) -> None:
    """Both install into site-packages/mlops; the second one overwrites what the first brought."""
    distribution(site, "mlops", "0.1.1")
    if overwritten:
        (site / "mlops" / "__init__.py").write_text('__version__ = "0.1.1"\n')
    found = load(LOADERS[0], home, [site])
    assert "mlops" not in found["plugins"]
    (error,) = found["errors"].values()
    assert error.startswith("another package is named mlops; found ")
    assert "pip uninstall mlops" in error
    command = run("-c", "import mlops.plugin", home=home, path=[site])
    assert command.stderr.splitlines()[-1].endswith(error)


def test_a_command_and_a_dag_file_are_refused_too(home: Path, site: Path) -> None:
    distribution(site, "mlops", "0.1.1")
    command = run("-m", "mlops", "check", home=home, path=[site])
    assert command.returncode == 1
    assert command.stderr.count("\n") == 1
    assert command.stderr.startswith("another package is named mlops; found ")
    build = "from mlops.lifecycle import build_dags; build_dags()"
    dag_file = run("-c", build, home=home, path=[site])
    assert "another package is named mlops; found " in dag_file.stderr.splitlines()[-1]


def test_a_folder_of_ours_and_no_distribution_is_one_installation(home: Path) -> None:
    done = run("-m", "mlops", "--version", home=home, path=[PLUGINS])
    assert (done.returncode, done.stdout) == (0, f"mlops {__version__}\n")
