"""When a task that waits for a person may be answered without a race inside Airflow.

Airflow resumes an answered task under the same try number. When the scheduler hears of the first
worker's end only after the second one is queued, it takes that for the second one's end and fails
the try. No person answers within that second; a test does.
"""

from __future__ import annotations

import time
from pathlib import Path

from demo.client import AirflowClient
from demo.tasks import TaskRef


def wait_until_parked(
    client: AirflowClient, task: TaskRef, folder: Path, *, seconds: float = 60
) -> None:
    """Wait until the scheduler has heard that the worker which asked is gone.

    :param task: in the state ``awaiting_input``.
    :param folder: of the platform, with its logs.
    """
    try_number = client.request("GET", task.instance_path)["try_number"]
    heard = (
        "Received executor event with state success for task instance TaskInstanceKey("
        f"dag_id='{task.dag_id}', task_id='{task.task_id}', run_id='{task.run_id}', "
        f"try_number={try_number},"
    )
    deadline = time.monotonic() + seconds
    while heard not in (folder / "logs" / "scheduler.log").read_text():
        assert time.monotonic() < deadline, f"the scheduler never wrote: {heard}"
        time.sleep(0.1)
