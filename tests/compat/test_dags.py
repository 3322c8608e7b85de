"""DAGs of specs of 0.1.0 keep their names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.compat.earlier import EARLIER, FILES

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

pytestmark = EARLIER
MADE = """
import json
from pathlib import Path
from mlops.lifecycle import build_dags, governance_dag

print(json.dumps({{
    dag.dag_id: {{
        "params": list(dag.params),
        "tasks": {{
            task.task_id: list(task.get_flat_relative_ids(upstream=True)) for task in dag.tasks
        }},
    }}
    for dag in [*build_dags(Path({root!r})), governance_dag()]
}}))
"""


def test_dags_tasks_and_forms_keep_their_names(run_airflow: Run) -> None:
    """Airflow's history goes by them, and so do runs in flight, signatures and people's scripts."""
    found = run_airflow(MADE.format(root=str(FILES / "specs")))
    for name, then in json.loads((FILES / "dags.json").read_text()).items():
        now = found[name]
        assert set(then["params"]) <= set(now["params"]), name
        for task, before in then["tasks"].items():
            assert set(before) <= set(now["tasks"][task]), (name, task)
