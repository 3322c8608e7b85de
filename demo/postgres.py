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

from demo import cluster
from demo.binaries import programs
from demo.cluster import SUPERUSER
from demo.errors import DemoError
from demo.keys import derived_key
from demo.ports import LOOPBACK

PORT_VARIABLE = "MLOPS_DEMO_POSTGRES_PORT"
NEEDED_BYTES = 3 * 10**9

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

    Beside ``data_dir`` are ``<data_dir>.password`` (mode 0600, the superuser's password, made
    once) and ``<data_dir>.lock``. When root runs the demo, the server runs as a lesser user; where
    that user cannot reach ``data_dir``, the data is in a private folder below ``/var/lib`` and
    ``data_dir`` is a link to it. Removing the link and starting again begins with an empty server.

    :param data_dir: where the data shall be.
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
        return cluster.read_pid_file(self.data_dir) is not None

    @property
    def port(self) -> int:
        """The port that the running server listens on.

        :raises DemoError: when the server does not run.
        """
        lines = cluster.read_pid_file(self.data_dir)
        if lines is None:
            raise DemoError(
                f"the database server of {self.data_dir} is not running", action="start it first"
            )
        return int(lines[3])

    @property
    def password(self) -> str:
        """The superuser's password.

        :raises DemoError: when its file cannot be read.
        """
        file = self._beside("password")
        try:
            return file.read_text().strip()
        except OSError as error:
            raise DemoError(
                f"the database's password file {file}",
                found=error.strerror,
                action=f"stop the server and remove {self.data_dir} to begin with an empty one",
            ) from error

    def start(self) -> None:
        """Make the server's folder if it is new, and start the server if it is not running.

        :raises DemoError: port taken, disk full, a server that does not come up, or a folder that
            another user made.
        """
        with self._locked():
            if self.running:
                cluster.wait_ready(self.data_dir)
                return
            self._require_space()
            account = cluster.account_of(self.data_dir)
            bin_dir = programs(account)
            cluster.place(self.data_dir, account=account, bin_dir=bin_dir)
            if not cluster.is_made(self.data_dir):
                password = self._make_password()
                cluster.initialise(
                    self.data_dir, account=account, bin_dir=bin_dir, password=password
                )
            cluster.launch(
                self.data_dir,
                account=account,
                bin_dir=bin_dir,
                port=self._wanted_port,
                port_variable=PORT_VARIABLE,
                settings=self._settings,
            )

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has ended.

        :raises DemoError: when it does not end.
        """
        if not self.data_dir.parent.is_dir():
            return
        with self._locked():
            if self.running:
                cluster.stop(self.data_dir, bin_dir=programs(cluster.account_of(self.data_dir)))

    def destroy(self) -> None:
        """Stop the server and remove all that it kept."""
        self.stop()
        if self.data_dir.is_symlink():
            shutil.rmtree(self.data_dir.readlink().parent, ignore_errors=True)
            self.data_dir.unlink()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        for kind in ("password", "lock"):
            self._beside(kind).unlink(missing_ok=True)

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """``postgresql://`` address of a database; for the superuser when no user is named.

        :param password: of the user; None for the superuser's, and for roles that
            :meth:`ensure_role` made without one.
        """
        login = f"{quote(user, safe='')}:{quote(password or self._password_of(user), safe='')}"
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def ensure_role(self, name: str, password: str | None = None) -> None:
        """Make a login role, or set the password of the one that is there.

        :param password: None takes one that :meth:`url` knows, in later processes as well.
        """
        with self._superuser() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    sql.SQL("ALTER" if known.fetchone() else "CREATE"),
                    sql.Identifier(name),
                    sql.Literal(password or self._password_of(name)),
                )
            )

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

    def _password_of(self, role: str) -> str:
        if role == SUPERUSER:
            return self.password
        # Without the padding, which would have to be escaped in every URL.
        return derived_key(self.password, f"role {role}").rstrip("=")

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
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("w")
            readable = os.access(self.data_dir, os.R_OK | os.X_OK) or not self.data_dir.exists()
        except PermissionError:
            readable = False
        if not readable:
            raise DemoError(
                f"{self.data_dir} belongs to another user",
                action="run as the user who made it, or have that user remove it",
            )
        with file:
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

    def _make_password(self) -> str:
        """A new password in a file that only we can read, from its first byte on."""
        file = self._beside("password")
        file.unlink(missing_ok=True)
        password = secrets.token_urlsafe(24)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(password + "\n")
        return password
