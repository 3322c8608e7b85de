"""Imports go down only: the layers that ``docs/architecture.md`` draws, and nothing beside them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

PROJECT = Path(__file__).parents[1]
PLUGINS = PROJECT / "plugins"
PACKAGE = PLUGINS / "mlops"

ABOVE_THE_LINE = (
    ("plugin", "mlops_plugin", "provider_info", "__main__", "preload"),
    ("lifecycle",),
    ("operators", "sensors", "api_server", "web", "cli", "frames"),
    ("connections",),
    ("settings",),
)
BELOW_THE_LINE = (
    ("testing",),
    ("views",),
    ("flow",),
    ("approvals",),
    ("workspace",),
    ("reports",),
    ("lineage",),
    ("warehouse",),
    ("store",),
    ("core",),
    ("spec",),
    ("vocabulary",),
    ("digests", "installation", "extensions", "postgres_url", "registry"),
    ("errors",),
)
LAYERS = (*ABOVE_THE_LINE, *BELOW_THE_LINE)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FOLDERS_BELOW = [name for names in BELOW_THE_LINE for name in names if "." not in name]

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


def level(module: str) -> int:
    """How far down a module lies: 0 is the top."""
    first = module.partition(".")[0]
    return LEVEL.get(module, LEVEL.get(first, -1))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, in functions as well."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def ours(imported: str) -> str | None:
    """The module of ours that an import names, without its first name; none for others'."""
    if imported.partition(".")[0] != "mlops":
        return None
    name = imported.partition(".")[2]
    return name if name in MODULES else name.rpartition(".")[0]


def upward(module: str, file: Path) -> list[str]:
    """Each import of ``file``, taken as the file of ``module``, that goes up."""
    return [
        f"{file.name}:{line}: {module} imports {target}"
        for line, imported in imports(file)
        if (target := ours(imported)) and level(target) < level(module)
    ]


def test_every_module_has_a_layer() -> None:
    assert len(MODULES) > 50
    assert [name for name in MODULES if name and level(name) < 0] == []


def test_the_page_shows_the_layers_that_are_enforced() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text()
    (drawn,) = re.findall(r"^plugins/mlops/\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    above, below = drawn.split("  ───", 1)
    assert tuple(layers_drawn(above)) == ABOVE_THE_LINE
    assert tuple(layers_drawn(below)) == BELOW_THE_LINE


def layers_drawn(text: str) -> Iterator[tuple[str, ...]]:
    """The names at the beginning of each line of the page's list."""
    for line in text.splitlines():
        if found := re.match(r"  ((?:\w+(?:/|\.py) ?)+)", line):
            yield tuple(re.findall(r"(\w+)(?:/|\.py)", found[1]))


def test_imports_go_down_only() -> None:
    assert [line for name, file in MODULES.items() for line in upward(name, file)] == []


def circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Modules whose imports lead into a circle; none where there is no circle."""
    left = {name: set(targets) - {name} for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & set(left)]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_imports_go_round_in_a_circle() -> None:
    """Nor do those for types alone, or inside of functions: they hide a circle."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]
    graph = {
        name: {target for _, imported in imports(file) if (target := ours(imported)) is not None}
        for name, file in MODULES.items()
    }
    assert circle(graph) == []


def test_an_import_that_goes_up_is_found(tmp_path: Path) -> None:
    file = tmp_path / "drift.py"
    file.write_text(
        "from mlops.spec.model import Gate\n"
        "from mlops.store import ledger\n"
        "def later():\n"
        "    import mlops.flow.train\n"
        "    from mlops import settings\n"
        "    from mlops.errors import MlopsError\n"
    )
    assert upward("core.drift", file) == [
        "drift.py:2: core.drift imports store.ledger",
        "drift.py:4: core.drift imports flow.train",
        "drift.py:5: core.drift imports settings",
    ]
    assert upward("spec.load", file)[0] == "drift.py:2: spec.load imports store.ledger"
    file.write_text("from mlops.digests import digest_json\nfrom mlops.core import acceptance\n")
    assert upward("spec.load", file) == ["drift.py:2: spec.load imports core.acceptance"]


def test_the_package_below_the_line_knows_nothing_of_airflow() -> None:
    found = [
        f"{file.relative_to(PROJECT)}:{line}: {imported}"
        for name, file in MODULES.items()
        if level(name) > level("settings")
        for line, imported in imports(file)
        if imported.partition(".")[0] == "airflow"
    ]
    assert found == []


def test_no_folder_of_ours_imports_what_is_not_of_the_package() -> None:
    """The library stands without the demo, the benchmarks and the tests."""
    beside = {"demo", "bench", "tests"}
    found = [
        f"{file.relative_to(PROJECT)}:{line}: {imported}"
        for file in MODULES.values()
        for line, imported in imports(file)
        if imported.partition(".")[0] in beside
    ]
    assert found == []


LOADED = "import json, sys\nprint(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"


def test_importing_all_below_the_line_loads_no_airflow() -> None:
    """What is imported by way of others counts as well; the lowest module that does it is named."""
    names = sorted(
        (name for name in MODULES if level(name) > LEVEL["settings"]), key=level, reverse=True
    )
    # Alembic runs this one by itself, inside a migration.
    names.remove("store.migrations.env")
    assert {name.partition(".")[0] for name in names} == set(FOLDERS_BELOW)
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
