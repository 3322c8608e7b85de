"""A worker that has the steps loaded before it forks its tasks, each time in a fresh process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

PROJECT = Path(__file__).parents[2]
LAST_LINE = "\nimport json\nprint()\nprint(json.dumps(found))\n"
# A task of the worker computes with every library that has threads of its own.
COMPUTE = """
import os

def computed():
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits
    x = np.random.default_rng(7).normal(size=(5_000, 8))
    with threadpool_limits(limits=2):
        model = HistGradientBoostingClassifier(max_iter=10, random_state=1)
        scores = model.fit(x, x[:, 0] > x[:, 1]).predict_proba(x)[:, 1]
        product = float((x.T @ x).sum())
    counted = pc.value_counts(pa.array((x[:, 2] * 3).astype(int))).to_pylist()
    return [scores[:100].tolist(), product, len(counted)]

def in_child():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(computed()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert os.wait()[1] == 0
    return json.loads(text)
"""


def test_everything_is_loaded_and_no_thread_is_started(run_airflow: Run) -> None:
    found = run_airflow(
        "import os, sys\n"
        "from mlops.preload import LIBRARIES, STEPS, preload\n"
        "failed = preload()\n"
        "missing = [name for name in (*STEPS, *LIBRARIES) if name not in sys.modules]\n"
        "found = [failed, missing, len(os.listdir('/proc/self/task'))]" + LAST_LINE
    )
    assert found == [[], [], 1]


def test_the_tasks_of_a_preloaded_worker_compute_what_others_do(run_airflow: Run) -> None:
    """Several, one after the other and beside one another's threads: none hangs or differs."""
    with_preloading = run_airflow(
        "import json\nfrom mlops.preload import preload\npreload()"
        + COMPUTE
        + "found = [in_child(), in_child(), in_child()]"
        + LAST_LINE
    )
    alone = run_airflow("import json" + COMPUTE + "found = computed()" + LAST_LINE)
    assert with_preloading == [alone] * 3


def test_a_module_that_cannot_be_loaded_is_named_and_stops_nothing(run_airflow: Run) -> None:
    found = run_airflow(
        "import mlops.preload as module\n"
        "module.STEPS = ('mlops.flow.lost', 'mlops.flow.intake')\n"
        "module.LIBRARIES = ()\n"
        "import sys\n"
        "found = [module.preload(), 'mlops.flow.intake' in sys.modules]" + LAST_LINE
    )
    assert found == [["mlops.flow.lost"], True]


@pytest.mark.parametrize(
    ("executor", "loaded"),
    [
        ("mlops.preload.local.PreloadedLocalExecutor", True),
        ("airflow.executors.local_executor.LocalExecutor", False),
    ],
)
def test_the_workers_of_the_executor_are_forks_of_a_preloaded_process(
    run_airflow: Run, executor: str, *, loaded: bool
) -> None:
    """What a process has loaded of a compiled library is in its map of memory."""
    found = run_airflow(
        "from pathlib import Path\n"
        "from airflow.executors.executor_loader import ExecutorLoader\n"
        "executor = ExecutorLoader.get_default_executor()\n"
        "executor.start()\n"
        "maps = [Path(f'/proc/{pid}/maps').read_text() for pid in executor.workers]\n"
        "executor.end()\n"
        "found = ['sklearn' in text and '_multiarray_umath' in text for text in maps]" + LAST_LINE,
        AIRFLOW__CORE__EXECUTOR=executor,
        AIRFLOW__CORE__PARALLELISM="2",
    )
    assert found == [loaded, loaded]


def test_a_celery_worker_preloads_what_its_configuration_imports(run_airflow: Run) -> None:
    """Celery imports what ``imports`` names in the worker's own process, before its pool forks."""
    found = run_airflow(
        "import sys\nimport mlops.preload.celery\nfound = 'sklearn' in sys.modules" + LAST_LINE
    )
    assert found is True


def test_nothing_is_preloaded_by_default(run_airflow: Run) -> None:
    found = run_airflow(
        "import sys\nimport mlops.plugin, mlops.preload\n"
        "found = [name for name in ('sklearn', 'pyarrow', 'numpy') if name in sys.modules]"
        + LAST_LINE
    )
    assert found == []
    assert "preload" not in (PROJECT / "plugins" / "mlops" / "plugin.py").read_text()
