"""What loading the plugin adds to the start of an Airflow process, without preloading.

Each Airflow process loads all plugins once. Beside our plugin the same process loads Airflow's own
plugin machinery, which counts for nothing here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.harness import PROJECT, QUICK_ROUNDS

ROUNDS = 9
LIMIT_MS = 150.0
# What each process has loaded before it loads plugins.
PROCESSES = {
    "scheduler": "import airflow.jobs.scheduler_job_runner",
    "DAG processor": "import airflow.dag_processing.manager, airflow.sdk",
    "worker": "import airflow.sdk.execution_time.task_runner",
}
CODE = """
import json, sys, time
{before}
import airflow.plugins_manager, airflow.sdk.plugins_manager
# Where the package is installed, Airflow has read who provides it; that counts as ours.
for name in [name for name in sys.modules if name.partition(".")[0] == "mlops"]:
    del sys.modules[name]
begin = time.process_time()
from mlops.plugin import MlopsPlugin
MlopsPlugin()
print(json.dumps((time.process_time() - begin) * 1000))
"""


def added_ms(before: str, rounds: int) -> list[float]:
    """CPU milliseconds that importing the plugin takes in fresh processes."""
    found = []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(rounds + 1):
            done = subprocess.run(
                [sys.executable, "-c", CODE.format(before=before)],
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "PYTHONPATH": str(Path(PROJECT) / "plugins"),
                    "AIRFLOW_HOME": home,
                    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                },
                capture_output=True,
                text=True,
                check=True,
            )
            found.append(float(json.loads(done.stdout.splitlines()[-1])))
    return found[1:]  # the first one compiles


def main(quick: bool) -> None:  # noqa: FBT001 (as the other benches)
    """Print what the plugin adds to each process; it must stay below the limit.

    :raises SystemExit: it does not.
    """
    rounds = QUICK_ROUNDS if quick else ROUNDS
    print(
        f"\nImporting the plugin, CPU ms in a fresh process, median of {rounds} "
        f"(limit {LIMIT_MS:.0f})"
    )
    slow = []
    for name, before in PROCESSES.items():
        times = added_ms(before, rounds)
        print(f"  {name:<14} {median(times):7.1f}   {min(times):.1f} to {max(times):.1f}")
        if median(times) > LIMIT_MS:
            slow.append(name)
    if slow:
        sys.exit(f"the plugin adds more than {LIMIT_MS:.0f} ms to: {', '.join(slow)}")
