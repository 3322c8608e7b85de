"""The demo's processes: started in sessions of their own, found again, and ended to the last one.

A process is named by its id *and* its start time, so that a recycled id does not mislead. Airflow
moves the processes of tasks into process groups of their own, but never into another session: so
a session is what we end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from demo.errors import DemoError

SAME_START_SECONDS = 2.0
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Leader:
    """The first process of a session.

    :param started: seconds since 1970.
    """

    name: str
    pid: int
    started: float


@dataclass(frozen=True)
class Record:
    """What was started.

    :param port: that it serves on.
    """

    port: int
    leaders: tuple[Leader, ...]


def works_in(pid: int, folder: Path) -> bool:
    """Whether a live process has this id and ``folder`` as its working folder."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()).samefile(folder)
    except (psutil.Error, OSError):
        return False


def start(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
) -> Leader:
    """Start a program in a session of its own; what it prints is added to ``log``.

    :param folder: its working folder.
    """
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = _started(process.pid)
    # Looked after by its id; Python need not warn that its end is not awaited.
    process.returncode = 0
    return Leader(name=name, pid=process.pid, started=started or time.time())


def is_alive(leader: Leader) -> bool:
    """Whether the very process is alive."""
    started = _started(leader.pid)
    return started is not None and abs(started - leader.started) < SAME_START_SECONDS


def save(file: Path, record: Record) -> None:
    """Write a record down, for a later process to find."""
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.write_text(json.dumps(asdict(record), indent=1) + "\n")
    unfinished.replace(file)


def load(file: Path) -> Record | None:
    """The record that :func:`save` wrote down; None without the file.

    :raises DemoError: when the file holds something else.
    """
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text())
        leaders = tuple(Leader(**entry) for entry in content["leaders"])
        return Record(port=int(content["port"]), leaders=leaders)
    except (ValueError, TypeError, KeyError) as error:
        raise DemoError(
            str(file),
            found=f"{type(error).__name__}: {error}",
            expected="the list of the demo's processes",
            action="end them by hand and remove the file",
        ) from error


def end(leaders: Sequence[Leader], *, grace_seconds: float) -> None:
    """Ask the leaders to end; after the grace, kill all that is left of their sessions.

    :raises DemoError: when something survives even that.
    """
    for leader in leaders:
        if is_alive(leader):
            _signal(leader.pid, signal.SIGTERM)
    _wait_for_end(leaders, seconds=grace_seconds)
    end_of_patience = time.monotonic() + KILL_SECONDS
    while left := _members(leaders):
        if time.monotonic() > end_of_patience:
            raise DemoError(
                "processes of the demo do not end",
                found=", ".join(str(pid) for pid in left),
                action="end them by hand: kill -9",
            )
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.1)
        _reap(leaders)


def _wait_for_end(leaders: Sequence[Leader], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _reap(leaders)
        if not _members(leaders):
            return
        time.sleep(0.1)


def _members(leaders: Sequence[Leader]) -> list[int]:
    """The live processes of the leaders' sessions, the leaders included."""
    sessions = {leader.pid: leader for leader in leaders}
    found = []
    for process in psutil.process_iter(["pid", "create_time", "status"]):
        leader = sessions.get(_session(process.pid))
        if leader is None or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if process.pid == leader.pid and not is_alive(leader):
            # The id was given to another program since; then the session has none of the demo's.
            sessions.pop(leader.pid)
        elif (process.info["create_time"] or 0) >= leader.started - SAME_START_SECONDS:
            found.append(process.pid)
    return [pid for pid in found if _session(pid) in sessions]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _started(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(leaders: Sequence[Leader]) -> None:
    """Take note of the end of our own children, which would stay as zombies otherwise."""
    for leader in leaders:
        try:
            os.waitpid(leader.pid, os.WNOHANG)
        except ChildProcessError:
            continue
