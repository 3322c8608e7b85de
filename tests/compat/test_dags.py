"""DAGs of 0.1.0: those of its specs keep their names, those that people wrote are loaded."""

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
BY_HAND = """
import json, runpy, warnings
import mlops.lifecycle  # with Airflow, which shows warnings in its own way

with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    dag = runpy.run_path({file!r})["dag"]
dag.check_cycle()
print(json.dumps({{
    "tasks": {{task.task_id: task.task_type for task in dag.tasks}},
    "warned": [str(item.message) for item in seen if "mlops" in str(item.message)],
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


def test_a_dag_that_was_written_by_hand_is_loaded_with_one_warning(run_airflow: Run) -> None:
    """It imports each operator from where the reference of 0.1.0 has it."""
    file = FILES / "dags" / "by_hand.py.txt"
    found = run_airflow(BY_HAND.format(file=str(file)))
    assert len(found["tasks"]) == 18
    assert found["tasks"]["train"] == "TrainOperator"
    assert found["tasks"]["ledger"] == "VerifyLedgerOperator"
    assert found["warned"] == [
        f"{file}: uses names of mlops 0.1.0, write 'from mlops.operators import AlarmOperator' and "
        "so on; the earlier names still work"
    ]
