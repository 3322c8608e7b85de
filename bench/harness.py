"""Run the ways of doing one thing, each in a fresh process, in turn, and print them together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
ROUNDS, QUICK_ROUNDS = 3, 2


@dataclass(frozen=True)
class Run:
    """One way, once, in a process of its own. Imports and preparation stand outside the count.

    :param cpu_s: of the process itself, all its threads; not of the database server.
    :param peak_mb: how far the peak of memory rose above what stood there before.
    :param check: a number that ways of doing the same thing agree on.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    rows: int
    check: float


Runs = dict[str, list[Run]]


def measure(way: str, job: Mapping[str, Any]) -> Run:
    """Run one way of :mod:`bench.ways` in a fresh process.

    :raises RuntimeError: it failed.
    """
    return run([sys.executable, "-m", "bench.ways", way, json.dumps(job)])


def run(command: Sequence[str]) -> Run:
    """Run a program that prints a :class:`Run` as its last line.

    :raises RuntimeError: it failed.
    """
    environment = {
        **os.environ,
        # As the library's tasks run: one thread for each, since a machine has many tasks, and
        # threads that spin while they wait take the time of those that work.
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
    }
    done = subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:4])} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def compare(
    ways: Mapping[str, str],
    job: Mapping[str, Any],
    *,
    rounds: int,
    measure: Callable[[str, Mapping[str, Any]], Run] = measure,
) -> Runs:
    """Run all ways ``rounds`` times, in turn; each is once the first of a round.

    :param measure: runs one way in a fresh process.
    """
    runs: Runs = {way: [] for way in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            runs[way].append(measure(way, job))
    return runs


def must_agree(runs: Runs, *ways: str) -> None:
    """See to it that the ways did the same thing.

    :raises RuntimeError: their checks differ by more than rounding.
    """
    checks = [run.check for way in ways for run in runs[way]]
    if max(checks) - min(checks) > 1e-6 * max(1.0, abs(checks[0])):
        raise RuntimeError(f"{', '.join(ways)} did not do the same thing: {sorted(set(checks))}")


def ratio(runs: Runs, way: str, base: str) -> float:
    """The median of the ratios of wall time, round by round."""
    pairs = zip(runs[way], runs[base], strict=True)
    return float(median(a.wall_s / b.wall_s for a, b in pairs))


def print_table(title: str, ways: Mapping[str, str], runs: Runs, *, base: str) -> None:
    """Medians of the rounds, and each way's time as a multiple of ``base``."""
    rounds = len(runs[base])
    print(f"\n{title}; medians of {rounds} rounds, in turn")
    multiple = f"× {base}"
    print(f"{'':<58}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'rows/s':>12}{multiple:>12}")
    for way, what in ways.items():
        found = runs[way]
        wall, cpu, peak = (
            median(getattr(run, field) for run in found) for field in ("wall_s", "cpu_s", "peak_mb")
        )
        print(
            f"{what:<58}{wall:>8.2f}{cpu:>8.2f}{peak:>9.0f}{found[0].rows / wall:>12,.0f}"
            f"{ratio(runs, way, base):>12.2f}"
        )


def reach(
    what: str, measured: float, limit: float, *, at_least: bool = False, quick: bool = False
) -> None:
    """Print a target, what was measured, and whether it was reached.

    :param quick: there were too few rows to say.
    """
    sign, good = ("≥", measured >= limit) if at_least else ("≤", measured <= limit)
    verdict = "too few rows to say" if quick else "reached" if good else "NOT REACHED"
    print(f"reach: {what} {sign} {limit:g}: {measured:.2f}, {verdict}", flush=True)
