"""Who runs the database server: we ourselves, or, since Postgres refuses root, a lesser user."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.errors import DemoError

LESSER_USERS = ("postgres", "nobody")
PRIVATE_NAME = "mlops-demo"
DIGEST_CHARACTERS = 12


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The user that the server has to run as, or None for ourselves.

    :raises DemoError: for root on a machine without a lesser user.
    """
    if os.geteuid() != 0:
        return None
    for name in LESSER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise DemoError(
        "Postgres refuses to run as root",
        found=f"no user {' or '.join(LESSER_USERS)} on this machine",
        expected="one of them, to run it as",
        action="run the demo as an ordinary user",
    )


def run_as(
    account: Account | None, *command: str | Path, timeout_seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as ``account``, from ``/`` and with a bare environment.

    :raises DemoError: when we may not become that user.
    """
    arguments = [str(part) for part in command]
    become: dict[str, Any] = {}
    if account is not None:
        become = {"user": account.uid, "group": account.gid, "extra_groups": []}
    try:
        return subprocess.run(
            arguments,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            **become,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 124, "", f"no end in {timeout_seconds:g} s")
    except OSError as error:
        # Without a file name it is the change of user that failed, else the program itself.
        if error.filename is not None or account is None:
            return subprocess.CompletedProcess(arguments, 126, "", str(error))
        raise DemoError(
            f"root cannot become the user {account.name}, and Postgres refuses to run as root",
            found=error.strerror,
            action="run the demo as an ordinary user",
        ) from error


def can_use(account: Account, folder: Path) -> bool:
    """Whether the user can enter and write to a folder, asked of the system itself."""
    quoted = 'test -d "$1" && test -x "$1" && test -w "$1"'
    return run_as(account, "/bin/sh", "-c", quoted, "sh", folder).returncode == 0


def private_folder(wanted: Path) -> Path:
    """A folder of this user's that a lesser user can pass through, in the place of ``wanted``.

    It is named by our uid and the digest of the wanted path, so that each project on the machine
    finds its own again. Only we can write to it.

    :raises DemoError: when no such folder can be made, or another user's is there.
    """
    digest = hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:DIGEST_CHARACTERS]
    name = f"{PRIVATE_NAME}-{os.geteuid()}-{digest}"
    for parent in (Path("/var/lib"), Path(tempfile.gettempdir())):
        folder = parent / name
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
        except OSError:
            continue
        _require_ours(folder)
        return folder
    raise DemoError(
        f"no folder can stand in for {wanted}, which the database's user cannot reach",
        expected="/var/lib or the temporary folder to be writable",
        action="move the project to a folder that every user can enter, or run as another user",
    )


def _require_ours(folder: Path) -> None:
    """Refuse a folder that another user has put there."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DemoError(
            str(folder),
            found=f"something of user {found.st_uid}",
            expected=f"a folder of user {os.geteuid()}",
            action="look who made it, and remove it",
        )
    folder.chmod(0o711)
