"""A real Marquez of our own: Java in a process of its own, over a database of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from demo import processes
from demo.errors import DemoError
from demo.marquez_parts import (
    MAIN_CLASS,
    fetch_jars,
    have_jars,
    java,
    locked,
    maven,
    write_configuration,
)
from demo.ports import LOOPBACK, free_port, require_free
from demo.postgres import EmbeddedPostgres
from demo.processes import Leader, Record

PORT_VARIABLE = "MLOPS_DEMO_MARQUEZ_PORT"
SWITCH_VARIABLE = "MLOPS_DEMO_MARQUEZ"
DEFAULT_PORT = 5000
DATABASE = "marquez"
START_SECONDS = 180.0
GRACE_SECONDS = 8.0
START_TRIES = 3
PORT_TAKEN = "Address already in use"


def url_from_environment() -> str | None:
    """The Marquez that runs elsewhere, when ``MLOPS_DEMO_MARQUEZ`` names one by its URL.

    :raises DemoError: when the variable is anything but a URL, ``on`` or ``off``.
    """
    wanted = os.environ.get(SWITCH_VARIABLE, "").strip()
    if wanted.startswith(("http://", "https://")):
        return wanted
    if wanted not in ("", "on", "off"):
        raise DemoError(
            f"environment variable {SWITCH_VARIABLE}",
            found=repr(wanted),
            expected="on, off, or the URL of a Marquez that runs: http://host:port",
        )
    return None


def is_wanted() -> bool:
    """Whether the demo starts a Marquez of its own: not when the variable is ``off`` or a URL."""
    return url_from_environment() is None and os.environ.get(SWITCH_VARIABLE, "").strip() != "off"


class EmbeddedMarquez:
    """One Marquez over one folder; every method may be called again, also by a later process.

    :param folder: for its configuration and its log.
    :param postgres: the server on which it gets a role and a database of its own.
    :param port: of the loopback interface; None takes any free one at each start.
    :param database: the name of that database and of that role.
    :param library: the folder of the jars, which several may share; ``lib`` below ``folder`` when
        None.
    """

    def __init__(
        self,
        folder: Path,
        postgres: EmbeddedPostgres,
        port: int | None = DEFAULT_PORT,
        *,
        database: str = DATABASE,
        library: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.postgres = postgres
        self.library = (library or self.folder / "lib").absolute()
        self._wanted_port = port
        self._database = database

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "marquez.log"

    @property
    def running(self) -> bool:
        """Whether the server of this folder is alive."""
        return any(processes.is_alive(leader) for leader in self._leaders())

    @property
    def url(self) -> str:
        """Of the running server, or of the one that will be started; without ``/api/v1``.

        :raises DemoError: when it does not run and has no port of its own.
        """
        record = processes.load(self._file)
        port = record.port if record else self._wanted_port
        if port is None:
            raise DemoError(f"the Marquez of {self.folder} is not running", action="start it first")
        return f"http://{LOOPBACK}:{port}"

    def missing(self) -> str | None:
        """Why it cannot be started on this machine, as one line; None when it can be tried."""
        try:
            java()
            if not have_jars(self.library):
                maven()
        except DemoError as error:
            return str(error)
        return None

    def start(self, say: Callable[[str], None]) -> None:
        """Start the server if it does not run, and return when it answers.

        The database server must run. The first start downloads Marquez.

        :param say: is called with a line for each step.
        :raises DemoError: port taken, Java or Maven missing, no download, or a server that ends.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            if self.running:
                self._wait_ready(0)
                return
            program = java()
            fetch_jars(self.library, say)
            begin = time.monotonic()
            self.postgres.ensure_role(self._database)
            self.postgres.ensure_database(self._database, owner=self._database)
            for tries_left in reversed(range(START_TRIES)):
                try:
                    self._launch(program)
                    break
                except DemoError as error:
                    # Another process was given the free port in the meantime.
                    if self._wanted_port or not tries_left or PORT_TAKEN not in str(error):
                        raise
        say(f"Marquez is ready at {self.url} ({time.monotonic() - begin:.1f} s)")

    def stop(self) -> None:
        """End the server, also one that another process started, and wait until it has ended."""
        processes.end(self._leaders(), grace_seconds=GRACE_SECONDS)
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.folder / "process.json"

    def _leaders(self) -> tuple[Leader, ...]:
        record = processes.load(self._file)
        return record.leaders if record else ()

    def _launch(self, program: str) -> None:
        self.stop()
        port = self._wanted_port
        if port is None:
            port = free_port()
        else:
            require_free(port, user="Marquez", variable=PORT_VARIABLE)
        admin_port = free_port()
        file = self.folder / "marquez.yml"
        write_configuration(
            file,
            database_url=self.postgres.url(self._database, user=self._database),
            port=port,
            admin_port=admin_port,
        )
        log_before = self.log.stat().st_size if self.log.exists() else 0
        leader = processes.start(
            "marquez",
            [
                program, "-Xmx512m", "-Duser.timezone=UTC", "-cp", f"{self.library}/*",
                MAIN_CLASS, "server", str(file),
            ],
            environment=os.environ,
            folder=self.folder,
            log=self.log,
        )  # fmt: skip
        processes.save(self._file, Record(port=port, leaders=(leader,)))
        self._wait_ready(log_before, admin_port)

    def _wait_ready(self, log_before: int, admin_port: int | None = None) -> None:
        """Wait for the health check of its database, if its port is known, and for the API."""
        wanted = [f"{self.url}/api/v1/namespaces"]
        if admin_port is not None:
            wanted.insert(0, f"http://{LOOPBACK}:{admin_port}/healthcheck")
        deadline = time.monotonic() + START_SECONDS
        while wanted:
            if _answers(wanted[0]):
                wanted.pop(0)
                continue
            alive = self.running
            if not alive or time.monotonic() > deadline:
                line = self._last_line(log_before)
                self.stop()
                fault = f"is not ready after {START_SECONDS:.0f} s" if alive else "has ended"
                raise DemoError(
                    f"Marquez {fault}; the last line of its log {self.log} is", found=line
                )
            time.sleep(0.2)

    def _last_line(self, log_before: int) -> str:
        """The last line of the log behind a place that is not part of a stack trace."""
        text = self.log.read_bytes()[log_before:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and line[0].strip()]
        return lines[-1] if lines else "nothing"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == HTTPStatus.OK
    except httpx.HTTPError:
        return False
