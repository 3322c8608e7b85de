"""Where the fixtures have their home, and which tests are quick.

Each fixture is defined in one module of ``tests/fixtures``; those modules import nothing heavy
before a test wants it. A test is quick where it needs neither Postgres nor Airflow, which follows
from the fixtures that it uses and from the folder that it is in. ``pytest --quick`` runs these
only, in a process in which neither can be imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.fixtures.airflow",
    "tests.fixtures.browser",
    "tests.fixtures.lives",
    "tests.fixtures.postgres",
]

TESTS = Path(__file__).parent
# A test that uses one of these fixtures needs what the marker names.
NEEDS = {
    "postgres": "postgres",
    "own_server": "postgres",
    "run_airflow": "airflow",
    "browser": "system",
}
# What is tested here is made of Airflow, or starts it.
AIRFLOW = (
    "api_server",
    "bench",
    "cli/doctor",
    "demo",
    "lifecycle",
    "operators",
    "sensors",
    "system",
    "test_installation.py",
    "test_plugin_folder.py",
    "test_provider_info.py",
    "web",
)
SLOW = ("airflow", "postgres", "system")
# Packages whose import is an error, in the place of ``airflow``, of the programs of Postgres, and
# of the demo, which the library must do without.
WITHOUT = TESTS / "fixtures" / "without"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick``: only the tests that need neither Postgres nor Airflow."""
    parser.addoption("--quick", action="store_true", help="only what needs no Postgres, no Airflow")


def pytest_configure(config: pytest.Config) -> None:
    """Put what a quick test may not import out of reach, for its child processes as well."""
    if config.getoption("quick"):
        blocked = [folder.name for folder in WITHOUT.iterdir()]
        assert not sys.modules.keys() & set(blocked), "imported before the first test"
        sys.path.insert(0, str(WITHOUT))
        os.environ["PYTHONPATH"] = str(WITHOUT)


def _needs_airflow(path: Path) -> bool:
    return any(path.is_relative_to(TESTS / name) for name in AIRFLOW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read the tests that import Airflow."""
    return True if config.getoption("quick") and _needs_airflow(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with what it needs, or as quick; with ``--quick`` keep only those."""
    for item in items:
        for name in NEEDS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(NEEDS[name])
        if _needs_airflow(item.path):
            item.add_marker("airflow")
        if not any(item.get_closest_marker(name) for name in SLOW):
            item.add_marker("quick")
    if config.getoption("quick"):
        kept = [item for item in items if item.get_closest_marker("quick")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
