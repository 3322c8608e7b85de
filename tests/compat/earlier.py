"""What version 0.1.0 left behind, and what it recorded about it, for the tests that hold it.

``v0_1_0/`` was made once by ``make_v0_1_0.py``, with the code of version 0.1.0: a store with the
life of a model, its artifacts and predictions, the files that people had written, and packages.
Nothing there may be made again. Where a test fails, the code of today breaks a promise that was
made to those who run 0.1.0.
"""

from __future__ import annotations

import json
import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.version import Version
from threadpoolctl import threadpool_info

from mlops.workspace.workspace import RunIdentity
from tests.fixtures.life import Life, elsewhere

FILES = Path(__file__).parent / "v0_1_0"
# Words that pages and messages show, and nothing stores; they have changed since.
NEW_WORDS = {
    '"upcoming"': '"pending"',
    "The request stands in Airflow": "The request is in Airflow",
    "marked the gate as": "marked the task as",
    "nobody of lin, lea, leo answered in time": "none of lin, lea, leo answered in time",
}


def in_words_of_today(text: str) -> str:
    """A text of 0.1.0, with what is shown in the words of today."""
    for old, new in NEW_WORDS.items():
        assert old in text, f"{old} is in none of the texts"
        text = text.replace(old, new)
    return text


EXPECTED = json.loads(in_words_of_today((FILES / "life.json").read_text()))
SPECS = json.loads((FILES / "specs.json").read_text())
PACKAGES = FILES / "packages"
KINDS = json.loads((PACKAGES / "scores.json").read_text())["kinds"]
MODEL, LIVE = "late", 1
AT = datetime.fromisoformat(EXPECTED["at"])
OWNER = "compat_owner"  # the role that restores a store need not be a superuser
MARQUEZ = "http://marquez.example.org:5000"
# The windows that the model scored and that are shown, and the steps' results of each.
LIVED = EXPECTED["lived"]
WINDOWS = {
    "2013-07-02": LIVED["second"]["rolled_back"],
    "2013-07-04": LIVED["third"]["resumed"],
}
FRESH = EXPECTED["fresh"]
# For each module: people go on using the files that they wrote, with the keys of then.
EARLIER = [
    pytest.mark.filterwarnings("ignore:.*keys have new names:FutureWarning"),
    pytest.mark.usefixtures("one_thread"),
]


def made_on() -> dict[str, Any]:
    """What exact scores depend on, as it is here: versions, and the routines that sum up."""
    sums = {item["architecture"] for item in threadpool_info() if "architecture" in item}
    made_with = EXPECTED["made_by"]["on"]["libraries"]
    return {
        "libraries": {
            name: platform.python_version() if name == "python" else version(name)
            for name in made_with
        },
        "machine": platform.machine(),
        "sums": sorted(sums),
    }


AS_MADE = made_on() == EXPECTED["made_by"]["on"]
only_as_made = pytest.mark.skipif(
    not AS_MADE,
    reason=f"made on {EXPECTED['made_by']['on']}; with other versions or another processor, rows, "
    "models and scores may differ in their last bits",
)


# What a model needs may be unknown to libraries that are older than those that made it.
OLDER = [
    name
    for name in ("scikit-learn", "skops")
    if Version(version(name)) < Version(EXPECTED["made_by"]["on"]["libraries"][name])
]
loads_models = pytest.mark.skipif(bool(OLDER), reason=f"models were made with later {OLDER}")


def in_run(left: Life, run_id: str, task_id: str = "step", *, dag: str = "release") -> Life:
    """The same life in a run of its own."""
    run = RunIdentity(dag_id=f"{MODEL}_{dag}", run_id=run_id, task_id=task_id, triggered_by="dora")
    return elsewhere(left, run=run)


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, moments as text."""
    return json.loads(json.dumps(value, default=lambda moment: moment.isoformat()))


def as_hex(scores: np.ndarray) -> list[str]:
    """Scores to the last bit."""
    return [float(item).hex() for item in scores]


def assert_same_scores(found: list[str], expected: list[str]) -> None:
    """The same scores: to the last bit, or close where versions or the processor are others."""
    if AS_MADE:
        assert found == expected
    numbers = [[float.fromhex(item) for item in items] for items in (found, expected)]
    np.testing.assert_allclose(*numbers, rtol=0, atol=1e-6)
