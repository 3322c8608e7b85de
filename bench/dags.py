"""What a DAG file with generated DAGs costs, beside the same DAGs written by hand.

Three files make the same DAGs: one that calls ``build_dags`` over a folder of specs, one that a
person could have written with our operators, and one with EmptyOperators, which do nothing and
are the least that DAGs of this shape can cost. Each is parsed and serialised as Airflow's DAG
processor does it, in a fresh process, in turn. Files and bytecode are warm in all three, and
importing Airflow itself stands outside the count, in the seconds of the whole process.
"""

from __future__ import annotations

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

PROJECT = Path(__file__).resolve().parents[1]
MODEL = "flight_delay"
HEAVY = ("pandas", "sklearn", "adbc", "skops", "openlineage", "fastapi")
WAYS = {
    "ours": "ours: build_dags over the specs",
    "hand": "the same operators, by hand",
    "empty": "EmptyOperators, by hand",
}
# (specs, pairs, how many times the cost of the same operators by hand ours may be)
QUICK = ((100, 3, 1.25),)
FULL = ((100, 7, 1.25), (1_000, 5, 1.5))
# Of the serialised DAGs: where their file lies, which differs by its name only.
PLACES = ("fileloc", "relative_fileloc")
# What an EmptyOperator has in common with the task in whose place it stands.
SHAPE = ("task_id", "_task_display_name", "owner", "downstream_task_ids", "outlets")


@dataclass(frozen=True)
class Run:
    """One file parsed and serialised in one process. Times are seconds of wall time, or of CPU.

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
    heavy: tuple[str, ...]
    process_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Parse and serialise."""
        return self.parse_s + self.serialise_s


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print a table for 100 specs and, unless ``quick``, one for 1,000."""
    for specs, pairs, limit in QUICK if quick else FULL:
        with tempfile.TemporaryDirectory(prefix="mlops-bench-") as folder:
            print_table(compare(Path(folder), specs=specs, pairs=pairs), specs=specs, limit=limit)


def compare(folder: Path, *, specs: int, pairs: int) -> dict[str, list[Run]]:
    """Write the three files below ``folder`` and run each ``pairs`` times, in turn.

    :raises RuntimeError: a process failed, or the files do not make the same DAGs.
    """
    write_include(folder / "include", specs=specs)
    _python(folder, "write")
    for way in WAYS:  # leaves the bytecode and the pages of the files warm
        measure(folder, way)
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for turn in range(pairs):
        order = list(WAYS)[turn % len(WAYS) :] + list(WAYS)[: turn % len(WAYS)]
        for way in order:
            runs[way].append(measure(folder, way))
    ours = runs["ours"][0]
    for run in (run for way in WAYS for run in runs[way]):
        _must_agree("shape", ours.shape, run.shape)
    for run in runs["hand"]:
        _must_agree("content", ours.content, run.content)
    return runs


def measure(folder: Path, way: str) -> Run:
    """Parse and serialise one of the files of ``folder`` in a fresh process."""
    started = time.perf_counter()
    printed = _python(folder, "parse", way)
    process_s = time.perf_counter() - started
    return Run(**{**json.loads(printed.splitlines()[-1]), "process_s": process_s})


def write_include(root: Path, *, specs: int) -> None:
    """An include folder with ``specs`` copies of the flight model, its SQL and its policy."""
    source = PROJECT / "include"
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


def print_table(runs: dict[str, list[Run]], *, specs: int, limit: float) -> None:
    """Medians, and the medians of the ratios pair by pair."""
    one, pairs = runs["ours"][0], len(runs["ours"])
    print(
        f"\nDAG files: {specs:,} specs make {one.dags:,} DAGs with {one.tasks:,} tasks; "
        f"medians of {pairs} runs, in turn"
    )
    print(
        f"{'':34}{'parse s':>9}{'serialise s':>13}{'sum s':>8}{'CPU s':>8}{'process s':>11}"
        f"{'ours is':>10}{'(CPU)':>9}  heavy modules"
    )
    for way, title in WAYS.items():
        print(_row(title, runs[way], runs["ours"]))
    ratio = _ratio(runs["ours"], runs["hand"], "seconds")
    heavy = sorted({name for run in runs["ours"] for name in run.heavy})
    kept = "kept" if ratio <= limit and not heavy else "MISSED"
    print(f"promise: at most {limit:.2f} × the same operators by hand, no heavy module: {kept}")


def _row(title: str, runs: list[Run], ours: list[Run]) -> str:
    numbers = {
        name: median(getattr(run, name) for run in runs)
        for name in ("parse_s", "serialise_s", "seconds", "cpu_s", "process_s")
    }
    heavy = sorted({name for run in runs for name in run.heavy})
    return (
        f"{title:34}{numbers['parse_s']:9.3f}{numbers['serialise_s']:13.3f}"
        f"{numbers['seconds']:8.3f}{numbers['cpu_s']:8.3f}{numbers['process_s']:11.2f}"
        f"{_ratio(ours, runs, 'seconds'):8.2f} ×{_ratio(ours, runs, 'cpu_s'):7.2f} ×"
        f"  {', '.join(heavy) or 'none'}"
    )


def _ratio(ours: list[Run], others: list[Run], name: str) -> float:
    return float(
        median(getattr(a, name) / getattr(b, name) for a, b in zip(ours, others, strict=True))
    )


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
        raise RuntimeError(f"bench.dags {' '.join(command)} failed:\n{done.stderr}")
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
        heavy=tuple(sorted(heavy)),
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
