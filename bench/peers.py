"""Drift libraries as peers. They live in an environment of their own, with an older pandas.

``MLOPS_BENCH_PEERS`` names its Python. To make one::

    python -m venv peers && peers/bin/pip install "nannyml==0.13.1" "evidently==0.7.23" "pandas<3"
    MLOPS_BENCH_PEERS=peers/bin/python python -m bench drift

This file is run there, so it imports nothing of mlops: ``peers.py <library> <Parquet file>``. Both
sides are the file's rows, and are data frames in memory before anything is counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

# The libraries may not report that a bench ran.
os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}


def nannyml(frame: Any) -> Callable[[], object]:
    """Four distances and the chi-squared test, column by column, in one chunk."""
    import nannyml as nml

    calculator = nml.UnivariateDriftCalculator(
        column_names=list(frame.columns),
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
        categorical_methods=["chi2", "jensen_shannon"],
        chunk_number=1,
    )

    def work() -> object:
        calculator.fit(frame)
        return calculator.calculate(frame)

    return work


def evidently(frame: Any) -> Callable[[], object]:
    """The preset for drift."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda: Report([DataDriftPreset()]).run(frame, frame)


def main() -> None:
    """Run one library and print what it took, as :class:`bench.harness.Run` has it."""
    import pandas as pd

    warnings.simplefilter("ignore")
    frame = pd.read_parquet(sys.argv[2]).drop(columns=["id", "event_time"])
    work = {"nannyml": nannyml, "evidently": evidently}[sys.argv[1]](frame)
    # A process' peak cannot be separated from what the frame took: it is not compared.
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    took = {"wall_s": wall, "cpu_s": cpu, "peak_mb": 0.0}
    print(json.dumps({**took, "rows": len(frame), "check": len(frame)}))


if __name__ == "__main__":
    main()
