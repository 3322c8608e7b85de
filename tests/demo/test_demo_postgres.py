"""The embedded Postgres: started, stopped, broken and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from demo import account, binaries, cluster
from demo.errors import DemoError
from demo.ports import LOOPBACK, free_port
from demo.postgres import EmbeddedPostgres

FAST = {"fsync": "off"}
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="about a server that root starts")


@pytest.fixture
def server_folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="mlops-tests-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def own_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(server_folder / "a b" / "data", settings=FAST, needed_bytes=0)
    yield made
    made.destroy()


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_server_starts_once_and_keeps_its_settings(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    pid = (own_server.data_dir / "postmaster.pid").read_text()
    own_server.start()
    assert (own_server.data_dir / "postmaster.pid").read_text() == pid
    url = own_server.url("postgres")
    assert str(value(url, "SHOW server_version")).startswith("18")
    for setting, expected in {
        "timezone": "UTC",
        "server_encoding": "UTF8",
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "jit": "off",
        "autovacuum": "on",
        "password_encryption": "scram-sha-256",
    }.items():
        assert value(url, f"SHOW {setting}") == expected
    assert value(url, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert value(url, "SELECT lower('ÄÖÉ')") == "äöé"
    assert value(url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{a,B}'::text[]) x") == "Ba"


def test_the_password_is_kept_private_and_is_asked_for(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    file = own_server.data_dir.with_name("data.password")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() == own_server.password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(own_server.url("postgres", password="wrong"))
    before = own_server.password
    own_server.stop()
    own_server.start()
    assert own_server.password == before


def test_data_outlives_a_stop(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    own_server.ensure_role("owner", "p@ss/w: ö")
    own_server.ensure_role("derived")
    for _ in range(2):
        own_server.ensure_database("kept", owner="owner")
    with psycopg.connect(own_server.url("kept", user="owner", password="p@ss/w: ö")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    own_server.stop()
    assert not own_server.running
    with pytest.raises(DemoError, match="is not running"):
        own_server.url("kept")
    later = EmbeddedPostgres(own_server.data_dir, settings=FAST, needed_bytes=0)
    with later:
        assert value(later.url("kept"), "SELECT x FROM t") == 42
        assert value(later.url("kept", user="derived"), "SELECT current_user") == "derived"
    assert not own_server.running


def test_a_template_is_copied_and_a_database_dropped(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    own_server.ensure_database("first")
    with psycopg.connect(own_server.url("first")) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS x")
    own_server.ensure_database("second", template="first")
    assert value(own_server.url("second"), "SELECT count(*) FROM t") == 10
    own_server.drop_database("second")
    own_server.drop_database("second")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(own_server.url("second"))


def test_a_killed_server_starts_again_with_its_data(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    with psycopg.connect(own_server.url("postgres")) as connection:
        # What was committed a moment ago without waiting for the disk may be lost, and only that.
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    pid = int((own_server.data_dir / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while own_server.running:
        time.sleep(0.02)
    own_server.start()
    assert value(own_server.url("postgres"), "SELECT x FROM t") == 1


def test_the_pid_file_of_a_crash_does_not_hurt(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    own_server.stop()
    # The worst case: another program, ourselves, has been given the process id.
    stale = [os.getpid(), own_server.data_dir, 1, 5432, "", LOOPBACK, "1 1", "ready"]
    pid_file = own_server.data_dir / "postmaster.pid"
    pid_file.write_text("\n".join(map(str, stale)) + "\n")
    assert not own_server.running
    own_server.start()
    assert own_server.running
    assert int(pid_file.read_text().split()[0]) != os.getpid()


def test_a_taken_port_is_named_with_the_way_out(server_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = EmbeddedPostgres(server_folder / "data", port, needed_bytes=0)
        with pytest.raises(DemoError) as caught:
            server.start()
    text = str(caught.value)
    assert f"127.0.0.1:{port}" in text
    assert "MLOPS_DEMO_POSTGRES_PORT" in text
    assert "\n" not in text
    server.start()
    assert server.port == port
    server.destroy()


def test_a_full_disk_is_found_before_anything_is_written(server_folder: Path) -> None:
    server = EmbeddedPostgres(server_folder / "data", needed_bytes=10**18)
    with pytest.raises(DemoError, match=r"too full; found .* GB free; expected 1000000000.0 GB"):
        server.start()
    assert [path.name for path in server_folder.iterdir()] == ["data.lock"]


def test_a_server_that_does_not_come_up_shows_its_log(server_folder: Path) -> None:
    server = EmbeddedPostgres(
        server_folder / "data", settings={"shared_buffers": "no"}, needed_bytes=0
    )
    with pytest.raises(DemoError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    mended = EmbeddedPostgres(server_folder / "data", settings=FAST, needed_bytes=0)
    mended.start()
    mended.destroy()
    assert list(server_folder.iterdir()) == []


def test_a_broken_making_of_the_folder_leaves_nothing_half_made(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(server_folder / "data", settings=FAST, needed_bytes=0)

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", broken)
        with pytest.raises(KeyboardInterrupt):
            server.start()
    assert sorted(path.name for path in server_folder.iterdir()) == ["data.lock", "data.password"]
    with server:
        assert value(server.url("postgres"), "SELECT 1") == 1
    server.destroy()


@only_root
def test_root_runs_the_server_as_a_lesser_user(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    assert own_server.data_dir.stat().st_uid != 0
    assert not own_server.data_dir.is_symlink()
    pid = int((own_server.data_dir / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{pid}").stat().st_uid == own_server.data_dir.stat().st_uid


@only_root
def test_root_in_a_private_folder_gets_a_link_and_a_fresh_start_without_it(
    server_folder: Path,
) -> None:
    private = server_folder / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "data", settings=FAST, needed_bytes=0)
    server.start()
    assert server.data_dir.is_symlink()
    holder = server.data_dir.readlink().parent
    assert stat.S_IMODE(holder.stat().st_mode) == 0o711
    server.ensure_database("old")
    shutil.rmtree(private)
    private.mkdir(mode=0o700)
    server.start()
    with pytest.raises(psycopg.OperationalError, match='"old" does not exist'):
        psycopg.connect(server.url("old"))
    server.destroy()
    assert not holder.exists()
    assert list(private.iterdir()) == []


@only_root
def test_root_copies_programs_that_the_lesser_user_cannot_reach(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = server_folder / "private"
    private.mkdir(mode=0o700)
    source = binaries.installation()
    packages = source.parent.parent
    shutil.copytree(source, private / source.relative_to(packages))
    shutil.copytree(packages / binaries.LIBRARIES, private / binaries.LIBRARIES)
    hidden = private / source.relative_to(packages)
    monkeypatch.setattr(binaries, "installation", lambda: hidden)
    lesser = account.server_account()
    first = binaries.programs(lesser)
    try:
        assert not first.is_relative_to(private)
        assert binaries.programs(lesser) == first
        with EmbeddedPostgres(server_folder / "data", settings=FAST, needed_bytes=0) as server:
            assert value(server.url("postgres"), "SELECT 1") == 1
        server.destroy()
    finally:
        shutil.rmtree(first.parents[3])


@only_root
def test_a_stand_in_folder_of_somebody_else_is_refused(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = account.private_folder(server_folder / "x")
    try:
        os.chown(holder, 65534, 65534)
        with pytest.raises(DemoError, match="found something of user 65534"):
            account.private_folder(server_folder / "x")
    finally:
        holder.rmdir()


def test_the_package_is_never_imported() -> None:
    assert find_spec(binaries.PACKAGE) is not None
    import sys

    binaries.programs(account.server_account())
    assert binaries.PACKAGE not in sys.modules


def test_a_free_port_is_free_and_loopback_only(own_server: EmbeddedPostgres) -> None:
    port = free_port()
    pinned = EmbeddedPostgres(own_server.data_dir, port, settings=FAST, needed_bytes=0)
    pinned.start()
    lines = cluster.read_pid_file(own_server.data_dir)
    assert lines is not None
    assert int(lines[3]) == port == own_server.port
    with socket.socket() as outside:
        outside.settimeout(2)
        assert outside.connect_ex(("127.0.0.2", port)) != 0
