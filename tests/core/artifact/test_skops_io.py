"""skops is imported without its own lists of trusted types, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parents[3] / "plugins"
MODEL = """
from sklearn.linear_model import LogisticRegression
from mlops.core.artifact.skops_format import SKOPS
model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])
data = SKOPS.dump(model)
score = SKOPS.load(data).predict_proba([[0.5]])[0, 1] == model.predict_proba([[0.5]])[0, 1]
"""


def run(code: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}\nprint(json.dumps(found))"],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_skops_constructs_only_what_the_audit_named() -> None:
    """Its lists would trust the estimator; and making them loads scikit-learn's tests."""
    found = run(
        MODEL + "import skops.io\n"
        "names = skops.io.get_untrusted_types(data=data)\n"
        "found = [bool(score), names, 'sklearn.utils._testing' in sys.modules]"
    )
    assert found[0] is True
    assert "sklearn.linear_model._logistic.LogisticRegression" in found[1]
    assert found[2] is False


def test_code_that_imports_skops_first_keeps_its_lists() -> None:
    found = run(
        "import skops.io\n" + MODEL + "names = skops.io.get_untrusted_types(data=data)\n"
        "found = [bool(score), names]"
    )
    assert found == [True, []]


def test_a_skops_that_needs_more_than_the_lists_is_imported_as_it_is() -> None:
    found = run(
        "import numpy as np\n"
        "from types import ModuleType\n"
        "made, get = [], ModuleType.__getattribute__\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'skops.io._general' and not made:\n"
        "            made.append(name)\n"
        "            raise ImportError('cannot import name more_than_lists')\n"
        "sys.meta_path.insert(0, Finder())\n" + MODEL + "import skops.io\n"
        "found = [made, bool(score), skops.io.get_untrusted_types(data=data)]"
    )
    assert found == [["skops.io._general"], True, []]
