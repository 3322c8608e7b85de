"""What each step of a model's life costs above an Airflow task that does nothing.

A worker of Airflow has Airflow's own modules loaded, and forks a process for each task. So one
process here is the worker: it forks a child for each task, which reads its DAG file as Airflow's
task runner does, and executes the operator. The task that does nothing is an EmptyOperator in a
DAG file of its own. What is counted is the child's alone: CPU and wall time, and how far its peak
of memory rose above what it had at the fork.

The data is small (two weeks of flights), so that what is seen is the price of a step and not of
its rows. The life is led twice: by a worker that has nothing of it loaded, and by one that has
preloaded the steps (:mod:`mlops.preload`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.dags import write_include
from bench.harness import PROJECT, QUICK_ROUNDS, ROUNDS, reach
from bench.steps_worker import EMPTY, LIGHT, STEPS
from demo.flights import load
from demo.postgres import EmbeddedPostgres

TASK_ROLE = "mlops_tasks"
KEY_FILE = "approvals.pem"
# CPU seconds and MB above the empty task.
LIGHT_CPU, LIGHT_MB, HEAVY_CPU, PRELOADED_CPU = 0.4, 60.0, 1.8, 0.3
PARSE_S, MANY_SPECS = 0.15, 1_000
WAYS = {"plain": "nothing preloaded", "preloaded": "steps preloaded"}

Cost = dict[str, float]
Costs = dict[str, list[Cost]]


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print the costs of all steps, then what a task pays to read its DAG among many models."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="mlops-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"})
        try:
            server.start()
            template = _prepare(server, folder / KEY_FILE)
            costs: dict[str, Costs] = {way: {} for way in WAYS}
            for number in range(rounds):
                for way in WAYS:
                    _live(server, template, folder / f"{way}-{number}", way, costs[way])
        finally:
            server.destroy()
        _print_steps(costs, rounds)
        _reach_steps(costs)
        _compare_parsing(folder, specs=100 if quick else MANY_SPECS, rounds=rounds)


def above(costs: Costs, step: str, figure: str) -> float:
    """The median of a step's figure above the same of the empty task, round by round."""
    pairs = zip(costs[step], costs[EMPTY], strict=True)
    return float(median(cost[figure] - empty[figure] for cost, empty in pairs))


def _prepare(server: EmbeddedPostgres, key_file: Path) -> str:
    """A database with two weeks of flights and an empty store, to be copied for each life."""
    from mlops.approvals.key_register import register_key
    from mlops.approvals.secret_file import create_key_file
    from mlops.store.connect import Store
    from mlops.store.migrate import upgrade

    server.ensure_database("template")
    server.ensure_role(TASK_ROLE)
    url = server.url("template")
    load(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM flights "
            "WHERE scheduled_departure NOT BETWEEN '2013-06-18' AND '2013-07-03'"
        )
    upgrade(url, task_role=TASK_ROLE)
    with Store(url).transaction() as transaction:
        register_key(transaction, create_key_file(key_file), actor="bench")
    return "template"


def _live(server: EmbeddedPostgres, template: str, folder: Path, way: str, costs: Costs) -> None:
    """Lead one life in a worker of its own, and add what each step cost to ``costs``."""
    from mlops.approvals.secret_file import load_key_file

    database = folder.name.replace("-", "_")
    server.ensure_database(database, template=template)
    shutil.copytree(PROJECT / "bench" / "steps_include", folder / "include")
    (folder / "airflow").mkdir()
    store = server.url(database, user=TASK_ROLE)
    key_file = folder.parent / KEY_FILE
    found = _worker(
        folder,
        way,
        AIRFLOW__MLOPS__APPROVAL_KEY_FILE=str(key_file),
        AIRFLOW__MLOPS__APPROVAL_KEYS=load_key_file(key_file).fingerprint,
        AIRFLOW__MLOPS__INCLUDE_FOLDER=str(folder / "include"),
        AIRFLOW__MLOPS__ARTIFACT_ROOT=(folder / "artifacts").as_uri(),
        AIRFLOW_CONN_MLOPS_STORE=store.replace("postgresql", "postgres", 1),
        AIRFLOW_CONN_WAREHOUSE=server.url(database).replace("postgresql", "postgres", 1),
    )
    for step, cost in found.items():
        costs.setdefault(step, []).append(cost)


def _worker(folder: Path, *words: str, **variables: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "bench.steps_worker", *words],
        env={
            **environment,
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
            **variables,
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _print_steps(costs: dict[str, Costs], rounds: int) -> None:
    print(f"\neach step above an empty task; medians of {rounds} rounds, in turn")
    print(f"{'':<18}" + "".join(f"{what:>32}" for what in WAYS.values()))
    print(f"{'':<18}" + f"{'CPU s':>12}{'wall s':>10}{'peak MB':>10}" * len(WAYS))
    for step in STEPS:
        figures = [
            f"{above(costs[way], step, 'cpu_s'):>12.2f}{above(costs[way], step, 'wall_s'):>10.2f}"
            f"{above(costs[way], step, 'peak_mb'):>10.0f}"
            for way in WAYS
        ]
        print(f"{step:<18}" + "".join(figures))


def _reach_steps(costs: dict[str, Costs]) -> None:
    plain, preloaded = costs["plain"], costs["preloaded"]
    light = {step: above(plain, step, "cpu_s") for step in LIGHT}
    heavy = {step: above(plain, step, "cpu_s") for step in STEPS if step not in LIGHT}
    warm = {step: above(preloaded, step, "cpu_s") for step in STEPS}
    memory = {step: above(plain, step, "peak_mb") for step in LIGHT}
    for what, found, limit in (
        ("CPU s of a light step", light, LIGHT_CPU),
        ("MB of a light step", memory, LIGHT_MB),
        ("CPU s of a heavy step", heavy, HEAVY_CPU),
        ("CPU s of a step, preloaded", warm, PRELOADED_CPU),
    ):
        step = max(found, key=lambda name: found[name])
        reach(f"{what}, at most ({step})", found[step], limit)


def _compare_parsing(folder: Path, *, specs: int, rounds: int) -> None:
    """What a task pays to read its DAG file among one model and among many."""
    found: dict[int, list[float]] = {1: [], specs: []}
    for count in found:
        write_include(folder / f"include-{count}", specs=count)
    (folder / "airflow").mkdir(exist_ok=True)
    for _ in range(rounds):
        for count, seconds in found.items():
            include = folder / f"include-{count}"
            model = sorted((include / "models").glob("*.yml"))[-1].stem
            cost = _worker(
                folder, "parse", f"{model}_score", AIRFLOW__MLOPS__INCLUDE_FOLDER=str(include)
            )
            seconds.append(cost["cpu_s"])
    one, many = (median(seconds) for seconds in found.values())
    print(f"\na task reads its DAG file: 1 spec {one:.2f} s, {specs:,} specs {many:.2f} s of CPU")
    reach(f"CPU s to read a DAG among {specs:,} specs, above one", many - one, PARSE_S)
