"""A real Postgres of our own, in a folder, listening on the loopback interface only."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg
from psycopg import sql

from demo.account import Account, can_use, private_folder, run_as, server_account
from demo.binaries import programs
from demo.errors import DemoError
from demo.ports import LOOPBACK, free_port, require_free
from demo.processes import works_in

PORT_VARIABLE = "MLOPS_DEMO_POSTGRES_PORT"
SUPERUSER = "postgres"
SETTINGS_FILE = "mlops-demo.conf"
LOG_FILE = "server.log"
NEEDED_BYTES = 3 * 10**9
START_TRIES = 3
SHOWN_LOG_LINES = 8
# Long enough for the checkpoint of a full write-ahead log on a slow disk.
STOP_SECONDS = 90

SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    # No socket: its path may be too long, and every user of the machine could find it.
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "256MB",
    # Parallel queries find their memory here even where /dev/shm is 64 MB, as in containers.
    "min_dynamic_shared_memory": "64MB",
    "max_wal_size": "2GB",
    "synchronous_commit": "off",
    "jit": "off",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """One server over one folder; every method may be called again, also by a later process.

    Beside ``data_dir`` stand ``<data_dir>.password`` (mode 0600, the superuser's password, made
    once) and ``<data_dir>.lock``. When root runs the demo, the server runs as a lesser user; where
    that user cannot reach ``data_dir``, the data lies in a private folder below ``/var/lib`` and
    ``data_dir`` is a link to it. Removing the link and starting anew begins with an empty server.

    :param data_dir: where the data shall lie.
    :param port: of the loopback interface; None takes any free one at each start.
    :param settings: server settings that replace or complete :data:`SETTINGS`.
    :param needed_bytes: free disk space below which a start is refused.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        needed_bytes: int = NEEDED_BYTES,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._wanted_port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._needed_bytes = needed_bytes
        self._passwords: dict[str, str] = {}

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server of this folder is alive."""
        return self._pid_file() is not None

    @property
    def port(self) -> int:
        """The port that the running server listens on.

        :raises DemoError: when the server does not run.
        """
        lines = self._pid_file()
        if lines is None:
            raise DemoError(f"the database server of {self.data_dir} is not running")
        return int(lines[3])

    @property
    def password(self) -> str:
        """The superuser's password.

        :raises DemoError: when its file is gone.
        """
        file = self._beside("password")
        try:
            return file.read_text().strip()
        except OSError as error:
            raise DemoError(
                f"the password file {file} of the demo's database cannot be read",
                found=error.strerror,
                action=f"remove {self.data_dir} to begin with an empty database",
            ) from error

    def start(self) -> None:
        """Make the server's folder if it is new, and start the server if it is not running.

        :raises DemoError: port taken, disk full, or a server that does not come up.
        """
        with self._locked():
            if self.running:
                return
            self._require_space()
            account = server_account()
            bin_dir = programs(account)
            self._place(account)
            if not (self.data_dir / "PG_VERSION").is_file():
                self._initialise(account, bin_dir)
            self._drop_stale_pid_file()
            self._launch(account, bin_dir)

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has ended.

        :raises DemoError: when it does not end.
        """
        if not self._beside("lock").parent.is_dir():
            return
        with self._locked():
            if not self.running:
                return
            account = server_account()
            for mode in ("fast", "immediate"):
                run_as(
                    account, programs(account) / "pg_ctl", "stop", "-w",
                    "-D", self.data_dir.resolve(), "-m", mode, "-t", str(STOP_SECONDS),
                    timeout_seconds=STOP_SECONDS + 10,
                )  # fmt: skip
                if not self.running:
                    return
            raise DemoError(
                f"the database server of {self.data_dir} does not stop", found=self._log_tail(0)
            )

    def destroy(self) -> None:
        """Stop the server and remove all that it kept."""
        self.stop()
        if self.data_dir.is_symlink():
            shutil.rmtree(self.data_dir.resolve().parent, ignore_errors=True)
            self.data_dir.unlink()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        for kind in ("password", "lock"):
            self._beside(kind).unlink(missing_ok=True)

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """``postgresql://`` address of a database; for the superuser when no user is named.

        :raises DemoError: for a user whose password is neither given nor known from
            :meth:`ensure_role`.
        """
        if password is None:
            password = self.password if user == SUPERUSER else self._passwords.get(user)
        if password is None:
            raise DemoError(f"no password is known for the database user {user}")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def ensure_role(self, name: str, password: str) -> None:
        """Make a login role, or set the password of the one that is there."""
        with self._superuser() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
            verb = "ALTER" if known.fetchone() else "CREATE"
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(name), sql.Literal(password)
                )
            )
        self._passwords[name] = password

    def ensure_database(
        self, name: str, *, owner: str | None = None, template: str | None = None
    ) -> None:
        """Make a database unless it is there.

        :param owner: a role that exists; the superuser when None.
        :param template: a database without open connections, to be copied.
        """
        with self._superuser() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone():
                return
            statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(owner or SUPERUSER)
            )
            if template is not None:
                # A copy of the files costs less than a copy through the write-ahead log.
                statement += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(template)
                )
            connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Remove a database and end its connections; nothing happens when it is not there."""
        with self._superuser() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    @contextmanager
    def _superuser(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            yield connection

    def _beside(self, kind: str) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.{kind}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two starts at once would both make the folder."""
        lock = self._beside("lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.data_dir.parent).free
        if free < self._needed_bytes:
            raise DemoError(
                f"the disk of {self.data_dir.parent} is too full",
                found=f"{free / 1e9:.1f} GB free",
                expected=f"{self._needed_bytes / 1e9:.1f} GB",
                action="free some space, or move the project to another disk",
            )

    def _place(self, account: Account | None) -> None:
        """See to it that ``account`` can use ``data_dir``, if need be by a link."""
        if account is None or (self.data_dir / "PG_VERSION").is_file():
            return
        self.data_dir.unlink(missing_ok=True) if self.data_dir.is_symlink() else None
        probe = self._beside("new")
        self._make_folder(probe, account)
        usable = can_use(account, probe)
        probe.rmdir()
        if usable:
            return
        holder = private_folder(self.data_dir)
        # What lies there without a link to it belongs to a project that was removed.
        orphan = EmbeddedPostgres(holder / "data")
        if orphan.running:
            orphan.stop()
        shutil.rmtree(holder / "data", ignore_errors=True)
        self.data_dir.symlink_to(holder / "data")

    @staticmethod
    def _make_folder(folder: Path, account: Account | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
