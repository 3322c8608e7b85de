"""What a DAG file with generated DAGs costs, beside the same DAGs written by hand.

Three files make the same DAGs: one that calls ``build_dags`` over a folder of specs, one that a
person could have written with our operators, and one with EmptyOperators, which do nothing. Each
is parsed and serialised as Airflow's DAG processor does it, in a fresh process, in turn. Files
and bytecode are warm, and Airflow itself is loaded before the count begins.

The cost of a file is its CPU time: parsing neither waits nor has threads, and on a busy machine
wall time is that of other processes as well.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from bench.harness import PROJECT, reach

MODEL = "flight_delay"
HEAVY = ("pandas", "sklearn", "adbc", "skops", "openlineage", "fastapi")
WAYS = {
    "ours": "ours: build_dags over the specs",
    "hand": "the same operators, by hand",
    "empty": "EmptyOperators, by hand",
}
# (specs, rounds, how many times the cost of the same operators by hand ours may be)
QUICK = ((100, 3, 1.25),)
FULL = ((100, 7, 1.25), (1_000, 5, 1.5))
# Of the serialised DAGs: the place of their file, which differs by its name only.
PLACES = ("fileloc", "relative_fileloc")
# What an EmptyOperator has in common with the task that it replaces.
SHAPE = ("task_id", "_task_display_name", "owner", "downstream_task_ids", "outlets")


@dataclass(frozen=True)
class Run:
    """One file parsed and serialised in one process.

    :param parse_s, serialise_s: wall time.
    :param cpu_s: CPU time of both.
    :param process_s: wall time of the whole process, with the loading of Airflow.
    :param content: digest of each serialised DAG, by its id.
    :param shape: digest of what is left of it if every task is an EmptyOperator.
    :param heavy: the modules of :data:`HEAVY` that were loaded in the end.
    """

    dags: int
    tasks: int
    parse_s: float
    serialise_s: float
    cpu_s: float
    content: dict[str, str]
    shape: dict[str, str]
    heavy: list[str]
    process_s: float = 0.0

    @property
    def wall_s(self) -> float:
        """Parse and serialise."""
        return self.parse_s + self.serialise_s


Runs = dict[str, list[Run]]


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print a table for 100 specs and, unless ``quick``, one for 1,000."""
    for specs, rounds, limit in QUICK if quick else FULL:
        with tempfile.TemporaryDirectory(prefix="mlops-bench-") as folder:
            runs = compare(Path(folder), specs=specs, rounds=rounds)
        print_table(runs, specs=specs)
        reach("ours / the same operators by hand, CPU", ratio(runs, "ours", "hand"), limit)
        reach("heavy modules loaded by ours", len(_heavy(runs["ours"])), 0)


def compare(folder: Path, *, specs: int, rounds: int) -> Runs:
    """Write the three files below ``folder`` and run each ``rounds`` times, in turn.

    :raises RuntimeError: a process failed, or the files do not make the same DAGs.
    """
    prepare(folder, specs=specs)
    names = list(WAYS)
    for way in names:  # leaves the bytecode and the pages of the files warm
        measure(folder, way)
    runs: Runs = {way: [] for way in names}
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            runs[way].append(measure(folder, way))
    must_agree(runs)
    return runs


def prepare(folder: Path, *, specs: int) -> None:
    """Write ``specs`` specs, and the three DAG files ``ours.py``, ``hand.py`` and ``empty.py``."""
    write_include(folder / "include", specs=specs)
    _python(folder, "write")


def measure(folder: Path, way: str) -> Run:
    """Parse and serialise one of the files of ``folder`` in a fresh process."""
    started = time.perf_counter()
    printed = _python(folder, "parse", way)
    process_s = time.perf_counter() - started
    return Run(**{**json.loads(printed.splitlines()[-1]), "process_s": process_s})


def write_include(root: Path, *, specs: int) -> None:
    """An include folder with ``specs`` copies of the flight model, its SQL and its policy."""
    source = PROJECT / "demo" / "include"
    text = (source / "models" / f"{MODEL}.yml").read_text(encoding="utf-8")
    line = f"model: {MODEL}\n"
    if text.count(line) != 1:
        raise RuntimeError(f"{MODEL}.yml should name its model in one line, as {line!r}")
    shutil.copytree(source / "policies", root / "policies")
    (root / "models").mkdir()
    for number in range(specs):
        name = f"{MODEL}_{number:04d}"
        spec = root / "models" / f"{name}.yml"
        spec.write_text(text.replace(line, f"model: {name}\n"), encoding="utf-8")
        shutil.copytree(source / "sql" / MODEL, root / "sql" / name)


def ratio(runs: Runs, way: str, base: str) -> float:
    """The median of the ratios of CPU time, round by round."""
    return float(median(a.cpu_s / b.cpu_s for a, b in zip(runs[way], runs[base], strict=True)))


def print_table(runs: Runs, *, specs: int) -> None:
    """Medians of the rounds, and each way's CPU time as a multiple of the second way's."""
    one, rounds = runs["ours"][0], len(runs["ours"])
    print(
        f"\nDAG files: {specs:,} specs make {one.dags:,} DAGs with {one.tasks:,} tasks; "
        f"medians of {rounds} rounds, in turn"
    )
    print(
        f"{'':<34}{'parse s':>9}{'serialise s':>13}{'wall s':>8}{'CPU s':>8}{'process s':>11}"
        f"{'× hand':>8}  heavy modules"
    )
    for way, title in WAYS.items():
        found = runs[way]
        parse, serialise, wall, cpu, process = (
            median(getattr(run, field) for run in found)
            for field in ("parse_s", "serialise_s", "wall_s", "cpu_s", "process_s")
        )
        print(
            f"{title:<34}{parse:>9.3f}{serialise:>13.3f}{wall:>8.3f}{cpu:>8.3f}{process:>11.2f}"
            f"{ratio(runs, way, 'hand'):>8.2f}  {', '.join(_heavy(found)) or 'none'}"
        )


def _heavy(runs: list[Run]) -> list[str]:
    return sorted({name for run in runs for name in run.heavy})


def must_agree(runs: Runs) -> None:
    """See to it that the files make the same DAGs, as far as their operators can.

    :raises RuntimeError: they do not.
    """
    ours = runs["ours"][0]
    for run in runs["ours"] + runs["hand"]:
        _must_agree("content", ours.content, run.content)
    for run in runs["empty"]:
        _must_agree("shape", ours.shape, run.shape)


def _must_agree(what: str, ours: dict[str, str], theirs: dict[str, str]) -> None:
    differ = sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))
    if differ:
        raise RuntimeError(
            f"the {what} of {len(differ)} DAGs differs between the files, first {differ[0]}, so "
            "that there is nothing to compare: bench/dags_by_hand.py must write them otherwise"
        )


def _python(folder: Path, *command: str) -> str:
    """Run a command of this module in a fresh process, with an Airflow of its own."""
    foreign = ("AIRFLOW", "_AIRFLOW", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    environment |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "plugins")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.dags", str(folder), *command],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"bench.dags {' '.join(command)} ended with {done.returncode}:\n{done.stderr}"
        )
    return done.stdout


def _write(folder: Path) -> None:
    """Write the three DAG files."""
    from bench.dags_by_hand import by_hand
    from mlops.lifecycle import build_dags

    include = folder / "include"
    dags = build_dags(include)
    texts = {
        "ours": f"from pathlib import Path\n\nfrom mlops.lifecycle import build_dags\n\n"
        f"DAGS = build_dags(Path({str(include)!r}))\n",
        "hand": by_hand(dags, empty=False),
        "empty": by_hand(dags, empty=True),
    }
    for way, text in texts.items():
        (folder / f"{way}.py").write_text(text, encoding="utf-8")


def _parse(folder: Path, way: str) -> Run:
    """What Airflow's DAG processor does with a file, the writing to its database left out."""
    from airflow.sdk import DAG, Asset, BaseOperator, Param, TaskGroup  # noqa: F401
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("first", schedule=None) as first:
        BaseOperator(task_id="first")
    DagSerialization.to_dict(first)  # which loads what Airflow leaves until then
    gc.collect()
    gc.freeze()  # as Airflow's manager does before it forks a process for each file
    cpu, started = time.process_time(), time.perf_counter()
    loader = SourceFileLoader(f"bench_{way}", str(folder / f"{way}.py"))
    module = ModuleType(loader.name)
    loader.exec_module(module)
    parsed = time.perf_counter()
    records = [DagSerialization.to_dict(dag) for dag in module.DAGS]
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    by_id = {record["dag"]["dag_id"]: record for record in records}
    heavy = {name.partition(".")[0] for name in sys.modules if name.startswith(HEAVY)}
    return Run(
        dags=len(records),
        tasks=sum(len(record["dag"]["tasks"]) for record in records),
        parse_s=parsed - started,
        serialise_s=ended - parsed,
        cpu_s=cpu,
        content={key: _digest({**r, "dag": _content(r["dag"])}) for key, r in by_id.items()},
        shape={key: _digest(_shape(r["dag"])) for key, r in by_id.items()},
        heavy=sorted(heavy),
    )


def _content(dag: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in dag.items() if key not in PLACES}
    return {**kept, "tags": sorted(dag["tags"])}  # a set's order is another in each process


def _shape(dag: dict[str, Any]) -> dict[str, Any]:
    tasks = [{key: task["__var"].get(key) for key in SHAPE} for task in dag["tasks"]]
    return {**_content(dag), "tasks": tasks}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    below, verb, *names = Path(sys.argv[1]), *sys.argv[2:]
    if verb == "write":
        _write(below)
    else:
        print(json.dumps(asdict(_parse(below, *names))))
