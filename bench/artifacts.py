"""What it costs to load a model safely, beside skops as it comes, and joblib, which is not safe.

Each way loads the same fitted model from a file: in a fresh process, the ways in turn, several
rounds. Imports stand outside the count. Ours also checks the SHA-256 of the file first, the
types in it against our list, and the arrays after. skops is set to trust everything that the
file names; joblib unpickles, and would run all that the file holds.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
WAYS = {
    "skops": "skops.load, everything trusted",
    "ours": "ours: digest, allow list, skops, bounds",
    "joblib": "joblib.load (a pickle)",
}
LIMIT = 1.3  # ours against skops
ROUNDS, QUICK_ROUNDS = 7, 3
TRAINING_ROWS, FEATURES = 5_000, 20
MEGABYTE = 1_000_000
KIBIBYTE = 1024


@dataclass(frozen=True)
class Run:
    """One load in one process.

    :param wall_s, cpu_s: of the load alone.
    :param peak_mb: how far the peak of memory rose above what stood there after the imports.
    :param score: of one row, which must be the same for every way.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    score: float


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print a table for each of some models; ``quick`` takes small ones and fewer rounds."""
    for name, estimator in _models(quick).items():
        with tempfile.TemporaryDirectory(prefix="mlops-bench-") as folder:
            sizes = _write(estimator, Path(folder))
            runs = compare(Path(folder), rounds=QUICK_ROUNDS if quick else ROUNDS)
            print_table(name, runs, sizes)


def compare(folder: Path, *, rounds: int) -> dict[str, list[Run]]:
    """Load the files in ``folder`` in every way, ``rounds`` times, in turn.

    :raises RuntimeError: the ways do not give the same model.
    """
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for number in range(rounds):
        # Each way is once the first after a pause.
        ways = list(WAYS)[number % len(WAYS) :] + list(WAYS)[: number % len(WAYS)]
        for way in ways:
            runs[way].append(_run(folder, way))
    scores = {run.score for found in runs.values() for run in found}
    if len(scores) != 1:
        raise RuntimeError(f"the ways do not load the same model: scores {sorted(scores)}")
    return runs


def print_table(name: str, runs: dict[str, list[Run]], sizes: dict[str, int]) -> None:
    """Medians, and the median of the ratios round by round."""
    print(f"\nLoad a model: {name}, {len(runs['ours'])} rounds")
    print(f"{'way':<42}{'MB':>8}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'× skops':>9}{'× CPU':>8}")
    for way, title in WAYS.items():
        found = runs[way]
        pairs = list(zip(found, runs["skops"], strict=True))
        ratio = median(run.wall_s / base.wall_s for run, base in pairs)
        # On a busy machine wall time is mostly waiting; this column shows how far to trust it.
        cpu_ratio = median(run.cpu_s / base.cpu_s for run, base in pairs)
        wall, cpu, peak = (
            median(getattr(run, field) for run in found) for field in ("wall_s", "cpu_s", "peak_mb")
        )
        size = sizes[way] / MEGABYTE
        print(
            f"{title:<42}{size:>8.1f}{wall:>9.3f}{cpu:>9.3f}{peak:>9.0f}{ratio:>9.2f}{cpu_ratio:>8.2f}"
        )
        if way == "ours":
            verdict = "reached" if ratio <= LIMIT else "MISSED"
    print(f"reach: ours ≤ {LIMIT} × skops.load: {verdict}")


def _models(quick: bool) -> dict[str, Any]:  # noqa: FBT001
    import numpy as np
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )

    rng = np.random.default_rng(0)
    x = rng.normal(size=(TRAINING_ROWS, FEATURES))
    y = x[:, 0] + rng.normal(size=TRAINING_ROWS) > 0
    trees = 100 if quick else 500
    models = {
        f"RandomForest, {trees} trees": RandomForestClassifier(
            trees, min_samples_leaf=5, random_state=0
        ),
        "HistGradientBoosting, 200 trees": HistGradientBoostingClassifier(
            max_iter=200, random_state=0
        ),
    }
    if not quick:
        models["GradientBoosting, 200 trees"] = GradientBoostingClassifier(
            n_estimators=200, random_state=0
        )
    return {name: model.fit(x, y) for name, model in models.items()}


def _write(estimator: Any, folder: Path) -> dict[str, int]:
    import joblib
    import skops.io

    from mlops.core.artifact.skops_format import SKOPS

    skops.io.dump(estimator, folder / "skops")
    (folder / "ours").write_bytes(SKOPS.dump(estimator))
    joblib.dump(estimator, folder / "joblib")
    return {way: (folder / way).stat().st_size for way in WAYS}


def _run(folder: Path, way: str) -> Run:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.artifacts", str(folder), way],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"loading with {way} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout))


def _load_with(way: str, file: Path) -> Callable[[], Any]:
    """Import what a way needs; returns the call that counts."""
    import sklearn.ensemble  # noqa: F401 (all ways find it imported)

    if way == "joblib":
        import joblib

        return lambda: joblib.load(file)
    import skops.io

    if way == "skops":
        trusted = skops.io.get_untrusted_types(file=file)
        return lambda: skops.io.load(file, trusted=trusted)
    from mlops.core.artifact.skops_format import SKOPS
    from mlops.digests import digest_bytes

    expected = digest_bytes(file.read_bytes())

    def load() -> Any:
        data = file.read_bytes()
        if digest_bytes(data) != expected:
            raise RuntimeError("the file has changed")
        return SKOPS.load(data)

    return load


def _worker(folder: Path, way: str) -> Run:
    import numpy as np

    load = _load_with(way, folder / way)
    before = _peak_kib()
    cpu, wall = time.process_time(), time.perf_counter()
    estimator = load()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = _peak_kib()
    score = float(estimator.predict_proba(np.zeros((1, FEATURES)))[0, 1])
    return Run(wall, cpu, (after - before) * KIBIBYTE / MEGABYTE, score)


def _peak_kib() -> int:
    """Highest memory of this process so far; getrusage gives the parent's, which is inherited."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(asdict(_worker(Path(sys.argv[1]), sys.argv[2]))))
