"""Python that a page shows is run: a module by its test in ``tests/extend``, the rest here."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PROJECT, Block, blocks

MODULE = re.compile(r"# (\w+)\.py\n")
MODULES = [block for block in blocks("python") if MODULE.match(block.text)]
OTHERS = [block for block in blocks("python") if not MODULE.match(block.text)]
pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("block", MODULES, ids=str)
def test_a_module_has_a_test_that_adds_it(block: Block) -> None:
    test = PROJECT / "tests" / "extend" / f"test_{block.page.stem.replace('-', '_')}.py"
    assert f'"{block.page.name}"' in test.read_text()


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_python_that_uses_a_module_of_its_page_runs(block: Block, tmp_path: Path) -> None:
    """Tests are run by pytest, as a customer runs them; anything else by Python."""
    (module,) = [other for other in MODULES if other.page == block.page]
    name = MODULE.match(module.text)[1]  # type: ignore[index]
    (tmp_path / f"{name}.py").write_text(module.text)
    has_tests = any(isinstance(node, ast.ClassDef) for node in ast.parse(block.text).body)
    if has_tests:
        (tmp_path / "test_shown.py").write_text(block.text)
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "."]
    else:
        command = ["-c", f"from {name} import *\n{block.text}"]
    path = os.pathsep.join([str(tmp_path), str(PROJECT / "plugins")])
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not has_tests or re.search(r"\d+ passed", done.stdout)
