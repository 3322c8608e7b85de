"""The benches are there, compare in pairs, and run."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
import time

import pytest

from bench import drift, drift_ways, memory, peers, score, server, snapshot, ways
from bench import write as write_bench
from bench.__main__ import BENCHES
from bench.harness import PROJECT, Run, compare, measure, must_agree, ratio, reach, run


def timed(wall_s: float, check: float = 1.0) -> Run:
    return Run(wall_s=wall_s, cpu_s=0.0, peak_mb=0.0, rows=1, check=check)


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_has_its_entry(name):
    main = importlib.import_module(f"bench.{name}").main
    assert list(inspect.signature(main).parameters) == ["quick"]


def test_every_way_that_is_compared_exists():
    known = ways.WAYS.keys() | drift_ways.WAYS.keys()
    for listed in (snapshot.WAYS, score.WAYS, write_bench.WAYS, memory.WAYS):
        assert listed.keys() <= known
    assert {*drift.FROM_TABLE, *drift.IN_MEMORY} <= known
    assert drift.TARGETS.keys() == drift.PEERS.keys()
    assert all(callable(getattr(peers, name)) for name in drift.PEERS)


def test_a_ratio_is_the_median_over_rounds():
    runs = {"a": [timed(2.0), timed(9.0), timed(4.0)], "b": [timed(1.0), timed(3.0), timed(4.0)]}
    assert ratio(runs, "a", "b") == 2.0


def test_ways_that_did_different_things_are_not_compared():
    must_agree({"a": [timed(1.0, 5.0)], "b": [timed(1.0, 5.0 + 1e-9)]}, "a", "b")
    with pytest.raises(RuntimeError, match="did not do the same thing"):
        must_agree({"a": [timed(1.0, 5.0)], "b": [timed(1.0, 6.0)]}, "a", "b")


@pytest.mark.parametrize(
    ("measured", "at_least", "quick", "verdict"),
    [
        (1.5, False, False, "reached"),
        (1.7, False, False, "NOT REACHED"),
        (1.7, True, False, "reached"),
        (1.5, True, False, "NOT REACHED"),
        (1.5, True, True, "too few rows to say"),
    ],
)
def test_a_target_is_judged_by_what_was_measured(capsys, measured, at_least, quick, verdict):
    reach("a / b", measured, 1.6, at_least=at_least, quick=quick)
    assert capsys.readouterr().out.endswith(f"{measured:.2f}, {verdict}\n")


def test_a_way_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'nonsense'"):
        measure("nonsense", {})


def test_every_way_runs_with_the_threads_of_a_task(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    code = (
        "import json, os\n"
        "threads, policy = os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY']\n"
        "assert policy == 'passive', policy\n"
        "print(json.dumps(dict(wall_s=1, cpu_s=1, peak_mb=1, rows=1, check=float(threads))))"
    )
    assert run([sys.executable, "-c", code]).check == 1.0


def test_an_unknown_name_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nonsense"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no bench nonsense; there are snapshot" in done.stderr


@pytest.mark.system
def test_snapshots_are_compared():
    job = {"url": server.url(), "table": server.table(1_000), "folder": str(server.folder())}
    runs = compare(snapshot.WAYS, job, rounds=1)
    must_agree(runs, *snapshot.WAYS)
    assert {found[0].rows for found in runs.values()} == {1_000}


@pytest.mark.system
def test_a_bench_that_is_ended_leaves_no_server(tmp_path):
    started = subprocess.Popen(
        [sys.executable, "-m", "bench", "write"],
        cwd=PROJECT, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not list(tmp_path.glob("mlops-bench-*/postgres/postmaster.pid")):
            assert time.monotonic() < end
            time.sleep(0.2)
        time.sleep(1)
    finally:
        started.terminate()
    assert started.wait(60) == 143
    assert not list(tmp_path.glob("mlops-bench-*"))
