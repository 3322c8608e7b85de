"""The ledger: appends by eight processes beside plain inserts, and the walk over a long chain.

``python -m bench.ledger <way> <job as JSON>`` runs one way and prints a :class:`bench.harness.Run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import psycopg

from bench import server, ways
from bench.harness import PROJECT, QUICK_ROUNDS, ROUNDS, Run, reach

PROCESSES, APPENDS = 8, 50
ENTRIES, QUICK_ENTRIES = 1_000_000, 20_000
PEAK_MB = 200
COLUMNS = "seq, at, actor, action, subject, payload, prev_digest, digest"


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print appends a second and the walk's time and peak, with their targets."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    server.server().ensure_database("ledger_bench")
    url = server.server().url("ledger_bench")
    _upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY, x text)")
    print(f"\nLedger: {APPENDS} appends each by {PROCESSES} processes at once; medians of {rounds}")
    rates = {way: median(_together(way, url) for _ in range(rounds)) for way in ("plain", "append")}
    for way, what in (("plain", "plain inserts"), ("append", "ours: entries of one chain")):
        print(f"{what:<58}{rates[way]:>12,.0f} a second")
    count = _entries(url)
    print(f"plain inserts / ours{rates['plain'] / rates['append']:>50.1f}")
    run = _measure("verify", {"url": url})
    reach("entries of one unbroken chain / appends", run.rows / count, 1, at_least=True)
    length = QUICK_ENTRIES if quick else ENTRIES
    _fill(url, length)
    run = _measure("verify", {"url": url})
    print(f"\nLedger: verify {run.rows:,} entries")
    print(f"{'ours: streamed':<58}{run.wall_s:>8.1f} s{run.rows / run.wall_s:>12,.0f} entries/s")
    reach("peak of memory above imports, MB", run.peak_mb, PEAK_MB, quick=quick)


def _upgrade(url: str) -> None:
    from mlops.store.migrate import upgrade

    upgrade(url)


def _together(way: str, url: str) -> float:
    """Appends a second of all processes together, from the first one's start to the last's end."""
    with psycopg.connect(url) as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        runs: list[Run] = []
        job = {"url": url}
        threads = [
            threading.Thread(target=lambda: runs.append(_measure(way, job)))
            for _ in range(PROCESSES)
        ]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while gate.execute(waiting).fetchone() != (PROCESSES,):
            gate.rollback()
            time.sleep(0.05)
        begin = time.perf_counter()
        gate.execute("SELECT pg_advisory_unlock(1)")
        gate.commit()
        for thread in threads:
            thread.join()
    # What counts is from the moment that the gate opens until the last commit.
    return PROCESSES * APPENDS / max(run.check - begin for run in runs)


def _measure(way: str, job: ways.Job) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "bench.ledger", way, json.dumps(job)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"bench.ledger {way} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def _entries(url: str) -> int:
    with psycopg.connect(url) as connection:
        return int(connection.execute("SELECT count(*) FROM mlops.ledger").fetchone()[0])


def _fill(url: str, length: int) -> None:
    """Add entries to the chain until it is so long, by COPY."""
    from mlops.digests import canonical_json
    from mlops.store import ledger
    from mlops.store.connect import Store

    with Store(url).engine.connect() as connection:
        seq, prev = ledger.head(connection)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY mlops.ledger ({COLUMNS}) FROM STDIN") as copy:
            for number in range(seq + 1, length + 1):
                draft = ledger.Entry(
                    seq=number,
                    at=begin + timedelta(seconds=number),
                    actor=f"task:model_{number % 50}_score.publish",
                    action="batch.published",
                    subject=f"model_{number % 50}/2026-01",
                    payload=canonical_json({"rows": number, "package": prev, "run": {"try": 1}}),
                    prev_digest=prev,
                    digest="",
                )
                entry = replace(draft, digest=draft.recompute())
                prev = entry.digest
                copy.write_row([getattr(entry, name) for name in COLUMNS.split(", ")])
        cursor.execute("ANALYZE mlops.ledger")


def _append(job: ways.Job) -> ways.Work:
    from mlops.store.connect import Store

    store = Store(job["url"])

    def work() -> tuple[int, float]:
        _wait(job["url"])
        for number in range(APPENDS):
            with store.transaction() as transaction:
                transaction.note(
                    actor="bench", action="thing.happened", subject="bench", payload={"n": number}
                )
        return APPENDS, time.perf_counter()

    with store.transaction():  # the first one also looks at the schema's revision
        pass
    return work


def _plain(job: ways.Job) -> ways.Work:
    def work() -> tuple[int, float]:
        _wait(job["url"])
        for number in range(APPENDS):
            # A connection for each, as our store does: a task opens one and ends.
            with psycopg.connect(job["url"]) as connection:
                connection.execute("INSERT INTO plain (x) VALUES (%s)", [f'{{"n":{number}}}'])
        return APPENDS, time.perf_counter()

    return work


def _wait(url: str) -> None:
    """Wait until the gate opens for all."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(1)")


def _verify(job: ways.Job) -> ways.Work:
    from mlops.store import ledger
    from mlops.store.connect import Store

    store = Store(job["url"])

    def work() -> tuple[int, float]:
        with store.engine.connect() as connection:
            count, broken = ledger.verify(connection)
        if broken is not None:
            raise RuntimeError(f"broken at {broken.seq}: {broken.reason}")
        return count, 0.0

    return work


if __name__ == "__main__":
    ways.WAYS.update(append=_append, plain=_plain, verify=_verify)
    print(json.dumps(ways.run(sys.argv[1], json.loads(sys.argv[2]))))
