"""The folder of a database server: where it is, how it is made, and the server over it.

:mod:`demo.postgres` is what others use; these are its steps.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from demo.account import Account, can_use, private_folder, run_as, server_account
from demo.errors import DemoError
from demo.ports import free_port, require_free
from demo.processes import works_in

SUPERUSER = "postgres"
SETTINGS_FILE = "mlops-demo.conf"
LOG_FILE = "server.log"
SHOWN_LOG_LINES = 6
START_SECONDS = 60
# Long enough for the checkpoint of a full write-ahead log on a slow disk.
STOP_SECONDS = 90
START_TRIES = 4
# A port taken between our look and the server's; children of a killed server, soon to end.
PASSING_FAULTS = ("could not bind", "could not create any TCP/IP sockets", "pre-existing shared")


def is_made(data_dir: Path) -> bool:
    """Whether a complete data folder is there."""
    return (data_dir / "PG_VERSION").is_file()


def account_of(data_dir: Path) -> Account | None:
    """The user that the server over this folder runs as: its owner's, where root starts it."""
    if os.geteuid() == 0 and is_made(data_dir):
        found = (data_dir / "PG_VERSION").stat()
        return Account(name=str(found.st_uid), uid=found.st_uid, gid=found.st_gid)
    return server_account()


def read_pid_file(data_dir: Path) -> list[str] | None:
    """The lines of ``postmaster.pid`` if its server is alive: the fourth is the port.

    A file left by a crash does not count, even when another program has its process id by now:
    a server works in its own data folder.
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None
    return lines if works_in(pid, data_dir) else None


def place(data_dir: Path, *, account: Account | None, bin_dir: Path) -> None:
    """See to it that ``account`` can use ``data_dir``, if need be as a link to a private folder."""
    if account is None or is_made(data_dir):
        return
    if data_dir.is_symlink():
        data_dir.unlink()
    probe = _make_folder(data_dir.with_name(f"{data_dir.name}.new"), account)
    usable = can_use(account, probe)
    probe.rmdir()
    if usable:
        return
    target = private_folder(data_dir) / "data"
    # What is there without a link to it belongs to a project folder that was removed.
    if read_pid_file(target):
        stop(target, bin_dir=bin_dir)
    shutil.rmtree(target, ignore_errors=True)
    data_dir.symlink_to(target)


def initialise(data_dir: Path, *, account: Account | None, bin_dir: Path, password: str) -> None:
    """Make the data folder: UTF-8, sorted by code point, UTC, passwords by SCRAM.

    It is made under another name and then renamed, so that a break leaves nothing half-made.

    :raises DemoError: when ``initdb`` fails.
    """
    target = _target(data_dir)
    unfinished = _make_folder(target.with_name(f"{target.name}.new"), account)
    secret = target.with_name(f"{target.name}.initial")
    try:
        secret.touch(mode=0o600)
        secret.write_text(f"{password}\n")
        _give(secret, account)
        done = run_as(
            account, bin_dir / "initdb", "-D", unfinished, "-U", SUPERUSER,
            "--pwfile", secret, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip
        if done.returncode != 0:
            raise DemoError(
                f"initdb failed in {target.parent}", found=_last_lines(done.stderr or done.stdout)
            )
        with (unfinished / "postgresql.conf").open("a") as file:
            file.write(f"include '{SETTINGS_FILE}'\n")
        if target.is_dir():
            target.rmdir()
        unfinished.rename(target)
    finally:
        secret.unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)


def launch(
    data_dir: Path,
    *,
    account: Account | None,
    bin_dir: Path,
    port: int | None,
    port_variable: str,
    settings: Mapping[str, str],
) -> None:
    """Start the server over a data folder and wait until it takes connections.

    :param port: of the loopback interface; None takes a free one.
    :raises DemoError: when the port is taken or the server does not come up.
    """
    log = data_dir / LOG_FILE
    output = ""
    for _ in range(START_TRIES):
        if port is not None:
            require_free(port, user="the demo's database", variable=port_variable)
        # Only a dead server's file can stand here: see read_pid_file.
        (data_dir / "postmaster.pid").unlink(missing_ok=True)
        _write_settings(data_dir, account, {**settings, "port": str(port or free_port())})
        before = log.stat().st_size if log.exists() else 0
        done = run_as(
            account, bin_dir / "pg_ctl", "start", "-w", "-D", data_dir.resolve(),
            "-l", log.resolve(), "-t", str(START_SECONDS), timeout_seconds=START_SECONDS + 30,
        )  # fmt: skip
        if done.returncode == 0 and read_pid_file(data_dir):
            return
        output = log.read_bytes()[before:].decode(errors="replace") if log.exists() else done.stderr
        if not any(fault in output for fault in PASSING_FAULTS):
            break
        time.sleep(1)
    raise DemoError(
        f"the database server did not start; the last lines of its log {log} are",
        found=_last_lines(output),
        action="correct that, or remove the folder to begin with an empty database",
    )


def wait_ready(data_dir: Path) -> None:
    """Wait for a server that another start has left in the middle of coming up.

    :raises DemoError: when it is not ready within a minute.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        lines = read_pid_file(data_dir) or []
        if len(lines) > 7 and lines[7].strip() == "ready":  # noqa: PLR2004 - the eighth line
            return
        time.sleep(0.1)
    raise DemoError(
        f"the database server of {data_dir} is not ready after {START_SECONDS} s",
        action=f"look into {data_dir / LOG_FILE}",
    )


def stop(data_dir: Path, *, bin_dir: Path) -> None:
    """Stop the server over a data folder and wait for its end.

    :raises DemoError: when it does not end.
    """
    output = ""
    for mode in ("fast", "immediate"):
        done = run_as(
            account_of(data_dir), bin_dir / "pg_ctl", "stop", "-w", "-D", data_dir.resolve(),
            "-m", mode, "-t", str(STOP_SECONDS), timeout_seconds=STOP_SECONDS + 30,
        )  # fmt: skip
        if not read_pid_file(data_dir):
            return
        output = done.stderr
    raise DemoError(
        f"the database server of {data_dir} does not stop",
        found=_last_lines(output),
        action=f"look into {data_dir / LOG_FILE}",
    )


def _target(data_dir: Path) -> Path:
    """Where the data really lie: a link's target need not exist yet."""
    return data_dir.readlink() if data_dir.is_symlink() else data_dir


def _make_folder(folder: Path, account: Account | None) -> Path:
    """An empty folder of the server's user."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    _give(folder, account)
    return folder


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _write_settings(data_dir: Path, account: Account | None, settings: Mapping[str, str]) -> None:
    lines = ["# Written again at each start of the demo."]
    for name, value in sorted(settings.items()):
        escaped = value.replace("'", "''")
        lines.append(f"{name} = '{escaped}'")
    file = data_dir / SETTINGS_FILE
    file.write_text("\n".join(lines) + "\n")
    _give(file, account)


def _last_lines(text: str) -> str:
    """The end of a program's output, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-SHOWN_LOG_LINES:]) or "nothing"
