"""A step loads what it uses: light steps load no library of models, data frames or SQL.

At a thousand models, what each task imports is the bill. ``python -m bench steps`` measures it;
this test names the libraries, so that an import that comes in by accident is found at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
DATA = {"adbc_driver_postgresql", "pandas", "pyarrow", "numpy"}
MODELS = {"sklearn", "skops", "scipy"}
SQL = {"alembic", "sqlglot"}
STEPS = {
    "mlops.approvals.responses": DATA | MODELS | SQL,
    "mlops.flow.check_data": DATA | MODELS | SQL,
    "mlops.flow.check_input": MODELS,
    "mlops.flow.control": MODELS,
    "mlops.flow.deploy": MODELS,
    "mlops.flow.document": DATA | MODELS | SQL,
    "mlops.flow.governance": DATA | MODELS | SQL,
    "mlops.flow.intake": DATA | MODELS | {"alembic"},
    "mlops.flow.judge": DATA | MODELS | SQL,
    "mlops.flow.measure": MODELS,
    "mlops.flow.publish": DATA | MODELS | SQL,
    # The reports, which are loaded when one is written.
    "mlops.workspace.report_kinds.monitoring": DATA | MODELS | SQL,
    "mlops.workspace.report_kinds.validation": DATA | MODELS | SQL,
    "mlops.reports.targets.binary.report": DATA | MODELS | SQL,
    # Each step maps its fact to lineage.
    "mlops.lineage.events.deploy": DATA | MODELS | SQL | {"openlineage"},
    "mlops.lineage.events.develop": DATA | MODELS | SQL | {"openlineage"},
    "mlops.lineage.events.monitor": DATA | MODELS | SQL | {"openlineage"},
    "mlops.lineage.events.operational": DATA | MODELS | SQL | {"openlineage"},
    # These construct models, when they run.
    "mlops.flow.package": MODELS,
    "mlops.flow.score": MODELS,
    "mlops.flow.train": MODELS,
    "mlops.flow.validate": MODELS,
}


# One process loads what all steps share, and forks one for each step.
LOAD = """
import importlib, json, os, sys
importlib.import_module("mlops.workspace.workspace")
for step in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        importlib.import_module(step)
        print(json.dumps([step, list(sys.modules)]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, step
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """First names of the modules that are loaded once each step is imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *STEPS],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (json.loads(line) for line in done.stdout.splitlines())
    return {step: {name.partition(".")[0] for name in names} for step, names in lines}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_loads_no_library_that_it_does_not_use(
    step: str, loaded: dict[str, set[str]]
) -> None:
    assert loaded[step] & STEPS[step] == set()
