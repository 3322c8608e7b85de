"""Where the fixtures have their home, and which tests are quick.

Each fixture is defined in one module of ``tests/fixtures``; those modules import nothing heavy
before a test wants it. A test is quick if it needs neither Postgres nor Airflow, which follows from
the fixtures that it uses, from what its module imports, and from its folder. ``pytest --quick``
runs these only, in a process in which neither can be imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.fixtures.airflow",
    "tests.fixtures.browser",
    "tests.fixtures.lives",
    "tests.fixtures.postgres",
]

# Fixtures by which a test needs Postgres or Airflow.
SLOW_FIXTURES = {"browser", "own_server", "postgres", "run_airflow"}
SLOW_MARKERS = ("airflow", "system")
# Folders and files of this one whose tests start Airflow in processes of their own, or the demo.
SLOW_PARTS = (
    "bench",
    "cli/doctor",
    "demo",
    "lifecycle",
    "operators",
    "preload",
    "system",
    "test_installation.py",
    "test_plugin_folder.py",
    "web",
)
# Their tests must not import Airflow or the demo, as the packages of these names must not. In other
# folders a module that does is left out of the quick tests.
LIBRARY = {
    *("approvals", "core", "flow", "lineage", "reports", "spec", "store", "views", "warehouse"),
    "workspace",
}
# Packages whose import is an error, in the place of ``airflow``, of the programs of Postgres, and
# of the demo, which the library must do without.
WITHOUT = Path(__file__).parent / "fixtures" / "without"
NOT_IMPORTED = "a quick test may not import"


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


class QuickModule(pytest.Module):
    """A module of tests, empty if it imports what a quick test may not import."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """The module's tests."""
        try:
            return list(super().collect())
        except self.CollectError as error:
            parts = self.path.relative_to(self.config.rootpath / "tests").parts
            if NOT_IMPORTED in str(error) and parts[0] not in LIBRARY:
                return []
            raise


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """With ``--quick``, leave out the modules that import Airflow."""
    if parent.config.getoption("quick"):
        return QuickModule.from_parent(parent, path=module_path)
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--quick``, do not read the tests of what is made of Airflow."""
    tests = config.rootpath / "tests"
    slow = any(collection_path.is_relative_to(tests / name) for name in SLOW_PARTS)
    return True if slow and config.getoption("quick") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--quick``, keep only the quick tests."""
    if config.getoption("quick"):
        kept = [item for item in items if is_quick(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def is_quick(item: pytest.Item) -> bool:
    """Whether a test has neither a fixture nor a marker that needs Postgres or Airflow."""
    if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
        return False
    return not any(item.get_closest_marker(name) for name in SLOW_MARKERS)
