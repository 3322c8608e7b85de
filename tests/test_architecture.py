"""Imports go down only: the layers that ``docs/architecture.md`` draws, and nothing beside them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

PROJECT = Path(__file__).parents[1]
PLUGINS = PROJECT / "plugins"
PACKAGE = PLUGINS / "mlops"

CONTRACTS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [layer.split(" : ") for layer in CONTRACTS["contracts"][0]["layers"]]
LINE = LAYERS.index(["settings"]) + 1
BELOW_THE_LINE = [name for layer in LAYERS[LINE:] for name in layer]

# What costs a second to import has no place where DAGs are built: it is imported in the task.
HEAVY = (
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "fastapi",
    "matplotlib",
    "numpy",
    "openlineage",
    "pandas",
    "psycopg",
    "pyarrow",
    "scipy",
    "skops",
    "sklearn",
    "sqlglot",
)


def modules() -> dict[str, Path]:
    """Every module of the package, without its first name: ``core.drift``."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = file
    return found


MODULES = modules()


def test_the_page_shows_the_layers_that_are_enforced() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text()
    (drawn,) = re.findall(r"^plugins/mlops/\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    above, below = drawn.split("  ───", 1)
    assert list(layers_drawn(above)) == LAYERS[:LINE]
    assert list(layers_drawn(below)) == LAYERS[LINE:]


def layers_drawn(text: str) -> Iterator[list[str]]:
    """The names at the beginning of each line of the page's list."""
    for line in text.splitlines():
        if found := re.match(r"  ((?:\w+(?:/|\.py) ?)+)", line):
            yield re.findall(r"(\w+)(?:/|\.py)", found[1])


def test_the_line_of_the_page_is_the_one_that_no_import_of_airflow_passes() -> None:
    (contract,) = (
        it for it in CONTRACTS["contracts"] if it.get("forbidden_modules") == ["airflow"]
    )
    assert contract["source_modules"] == [f"mlops.{name}" for name in BELOW_THE_LINE]


def lint_imports(package: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of ``pyproject.toml`` on the package in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", PROJECT / "pyproject.toml"],
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_imports_keep_the_contracts() -> None:
    done = lint_imports(PACKAGE)
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS['contracts'])} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("core/drift/statistic.py", "from mlops.store import ledger", "Imports go down only"),
        ("core/drift/statistic.py", "def late():\n    import mlops.flow.train", "Imports go down"),
        ("flow/load_version.py", "import mlops.flow.package", "No imports go round in a circle"),
        ("errors.py", "import airflow.sdk", "Below settings, nothing knows of Airflow"),
        ("plugin.py", "import demo.life", "The library needs neither"),
        ("another.py", "", "Imports go down only"),
    ],
)
def test_an_import_that_breaks_a_contract_is_found(
    tmp_path: Path, module: str, line: str, broken: str
) -> None:
    """A module without a layer as well."""
    copy = tmp_path / "mlops"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert re.search(rf"^{broken}.* BROKEN$", done.stdout, re.MULTILINE)


LOADED = "import json, sys\nprint(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"


def test_importing_all_below_the_line_loads_no_airflow() -> None:
    """What is imported by way of others counts as well; the lowest module that does it is named."""
    names = sorted(
        (name for name in MODULES if name.partition(".")[0] in BELOW_THE_LINE),
        key=lambda name: BELOW_THE_LINE.index(name.partition(".")[0]),
        reverse=True,
    )
    # Alembic runs this one by itself, inside a migration.
    names.remove("store.migrations.env")
    assert {name.partition(".")[0] for name in names} == set(BELOW_THE_LINE)
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module('mlops.' + name)\n"
        "    assert 'airflow' not in sys.modules, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_building_the_dags_imports_nothing_heavy(run_airflow: Run) -> None:
    """Airflow parses DAG files again and again, in a fresh process each time."""
    code = (
        "from mlops.lifecycle import build_dags, report_broken_specs\n"
        "dags = build_dags()\n"
        "report_broken_specs()\n"
        "assert len(dags) >= 3, dags\n"
    )
    include = {"AIRFLOW__MLOPS__INCLUDE_FOLDER": str(PROJECT / "demo" / "include")}
    found = run_airflow(code + LOADED, **include)
    assert "airflow" in found
    assert sorted(set(found) & set(HEAVY)) == []


def test_the_plugin_imports_nothing_heavy(run_airflow: Run) -> None:
    """Every Airflow process imports it."""
    found = run_airflow(f"from mlops.plugin import MlopsPlugin\n{LOADED}")
    assert "airflow" in found
    before = run_airflow(f"from airflow.plugins_manager import AirflowPlugin\n{LOADED}")
    assert sorted((set(found) - set(before)) & set(HEAVY)) == []
