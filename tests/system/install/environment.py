"""A fresh virtual environment that has Airflow, and an Airflow of it that is not the demo's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.environment import Urls
from demo.platform import Platform
from demo.ports import free_port
from demo.postgres import EmbeddedPostgres
from demo.users import USERS

PROJECT = Path(__file__).parents[3]
PINS = PROJECT / "requirements.txt"
GUIDE = PROJECT / "docs" / "install" / "index.md"
UV = str(Path(sys.executable).parent / "uv")
# Of the fresh environment: as a rule the one that runs the tests.
PYTHON = os.environ.get("MLOPS_TEST_PYTHON", sys.executable)


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(
        self, *command: str | Path, variables: dict[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """One of its commands, in a folder that holds nothing of this project."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))
        }
        done = subprocess.run(
            [self.folder / "bin" / str(command[0]), *command[1:]],
            cwd=self.folder,
            env={**kept, **(variables or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def install(self, *what: str | Path) -> None:
        """What ``pip install`` with the pinned set as constraints does, in seconds."""
        uv("pip", "install", "--quiet", "--python", self.python, "-c", PINS, *what)


def make_environment(folder: Path) -> Environment:
    """An environment that holds pip and nothing else."""
    uv("venv", "--quiet", "--python", PYTHON, "--seed", folder, "--clear")
    return Environment(folder)


def uv(*arguments: str | Path) -> None:
    """The installer; it links files from its cache, so that a second environment takes seconds."""
    done = subprocess.run([UV, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class InstalledPlatform(Platform):
    """An Airflow of the fresh environment, with the folders of a company.

    :ivar changes: variables that differ from the demo's.
    :ivar people: roles by the user's name, which is the password as well.
    """

    environment_of: Environment
    changes: dict[str, str]
    people: dict[str, str]

    def environment(self) -> dict[str, str]:
        """The demo's variables, with the commands of the fresh environment."""
        found = super().environment()
        found["AIRFLOW__MLOPS__INCLUDE_FOLDER"] = str(self.places.project / "include")
        # As at most companies; the demo's executor is the one of mlops.preload.
        found["AIRFLOW__CORE__EXECUTOR"] = "LocalExecutor"
        found["PATH"] = f"{self.environment_of.folder / 'bin'}{os.pathsep}{found['PATH']}"
        found = {name: text for name, text in found.items() if not name.startswith("PYTHONPATH")}
        found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = ",".join(
            f"{user}:{role}" for user, role in self.people.items()
        )
        return {**found, **self.changes}

    def _make_folders(self) -> None:
        super()._make_folders()
        self.places.passwords.write_text(json.dumps({user: user for user in self.people}))


@contextmanager
def company(environment: Environment) -> Iterator[InstalledPlatform]:
    """A running Postgres and empty folders ``dags`` and ``plugins``; Airflow is not started yet."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-install-"))
    folder.chmod(0o711)
    project = folder / "company"
    for name in ("plugins", "dags"):
        (project / name).mkdir(parents=True)
    places = Urls(
        folder=folder / "demo",
        project=project,
        dags=project / "dags",
        plugins=project / "plugins",
    )
    postgres = EmbeddedPostgres(
        places.folder / "postgres", settings={"fsync": "off"}, needed_bytes=0
    )
    made = InstalledPlatform(places, postgres, port=free_port())
    made.environment_of, made.changes = environment, {}
    made.people = {user.name: user.role for user in USERS}
    try:
        made.start_postgres()
        yield made
    finally:
        made.stop()
        postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)
