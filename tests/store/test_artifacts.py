"""Artifacts in a folder, in Airflow's object storage and in memory: the same rules everywhere."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from mlops.digests import digest_bytes
from mlops.errors import ArtifactChanged, ArtifactMissing
from mlops.store.artifacts import Artifacts

DATA = b"what people signed" * 1000
DIGEST = digest_bytes(DATA)
SHA_OF_HALLO = "d3751d33f9cd5049c4af2b462735457e4d3baf130bcbb87f389e349fbaeb20b9"


AIRFLOWS = [
    pytest.param(name, marks=pytest.mark.airflow) for name in ("airflow_file", "airflow_memory")
]


@pytest.fixture(params=["path", "upath", "memory", *AIRFLOWS])
def root(request: Any, tmp_path: Path) -> Iterator[Any]:
    """One root of each kind, empty at first."""
    if request.param == "path":
        yield tmp_path / "artifacts"
    elif request.param == "upath":
        yield UPath(tmp_path / "artifacts")
    elif request.param == "airflow_file":
        from airflow.sdk import ObjectStoragePath

        yield ObjectStoragePath(f"file://{tmp_path}/artifacts")
    else:
        memory = fsspec.filesystem("memory")
        if request.param == "memory":
            yield UPath("memory://bucket/artifacts")
        else:
            from airflow.sdk import ObjectStoragePath
            from airflow.sdk.io import attach

            attach("memory", fs=memory)
            yield ObjectStoragePath("memory://bucket/artifacts")
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]


@pytest.fixture
def artifacts(root: Any) -> Artifacts:
    return Artifacts(root)


def files(root: Any) -> list[str]:
    """The names of all files below a root."""
    return sorted(str(path.name) for path in root.rglob("*") if path.is_file())


def place(root: Any, digest: str) -> Any:
    return root / "sha256" / digest[:2] / digest


def test_bytes_come_back_under_their_digest(artifacts, root):
    assert artifacts.put_bytes(b"hallo") == SHA_OF_HALLO
    assert artifacts.read(SHA_OF_HALLO) == b"hallo"
    assert place(root, SHA_OF_HALLO).exists()
    assert artifacts.location(SHA_OF_HALLO).endswith(f"artifacts/sha256/d3/{SHA_OF_HALLO}")
    assert files(root) == [SHA_OF_HALLO]


def test_putting_twice_is_putting_once(artifacts, root, tmp_path):
    source = tmp_path / "source"
    for _ in range(2):
        assert artifacts.put_bytes(DATA) == DIGEST
        source.write_bytes(DATA)
        assert artifacts.put_file(source, DIGEST) == DIGEST
        assert not source.exists()
    assert files(root) == [DIGEST]


def test_a_file_is_moved(artifacts, root, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert artifacts.put_file(source) == DIGEST
    assert not source.exists()
    assert artifacts.read(DIGEST) == DATA
    assert files(root) == [DIGEST]


def test_a_file_that_is_not_what_its_writer_says_is_refused_and_kept(artifacts, root, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    with pytest.raises(ArtifactChanged, match=f"found sha256 {DIGEST}"):
        artifacts.put_file(source, SHA_OF_HALLO)
    assert source.read_bytes() == DATA
    assert files(root) == []


def test_an_empty_artifact(artifacts, tmp_path):
    digest = artifacts.put_bytes(b"")
    assert artifacts.read(digest) == b""
    assert artifacts.fetch(digest, tmp_path).read_bytes() == b""


def test_fetch_gives_a_local_file(artifacts, tmp_path):
    artifacts.put_bytes(DATA)
    first = artifacts.fetch(DIGEST, tmp_path)
    assert isinstance(first, Path)
    assert first.read_bytes() == DATA
    assert artifacts.fetch(DIGEST, tmp_path) == first
    assert not list(tmp_path.rglob("*.part"))


def test_what_was_fetched_stays_as_it_was_checked_when_the_artifact_is_replaced(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    artifacts.put_bytes(DATA)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    fetched = artifacts.fetch(DIGEST, scratch)
    place(tmp_path / "artifacts", DIGEST).write_bytes(b"other rows")
    assert fetched == scratch / DIGEST
    assert fetched.read_bytes() == DATA
    assert fetched.stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("ask", ["read", "fetch", "verify"])
def test_what_is_not_a_file_is_refused_without_waiting(tmp_path, kind, ask):
    artifacts = Artifacts(tmp_path / "artifacts")
    artifacts.put_bytes(DATA)
    at = place(tmp_path / "artifacts", DIGEST)
    at.rename(tmp_path / "elsewhere")
    if kind == "link":
        at.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(at)
    else:
        at.mkdir()
    arguments = [tmp_path] if ask == "fetch" else []
    with pytest.raises(ArtifactChanged, match="is not a file"):
        getattr(artifacts, ask)(DIGEST, *arguments)


def test_an_artifact_is_removed_once(artifacts):
    artifacts.put_bytes(DATA)
    assert artifacts.remove(DIGEST)
    assert not artifacts.remove(DIGEST)
    with pytest.raises(ArtifactMissing):
        artifacts.read(DIGEST)


def test_a_spoilt_local_copy_is_fetched_again(tmp_path):
    fsspec.filesystem("memory").store.clear()
    artifacts = Artifacts(UPath("memory://bucket/again"))
    artifacts.put_bytes(DATA)
    artifacts.fetch(DIGEST, tmp_path).write_bytes(b"spoilt")
    assert artifacts.fetch(DIGEST, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("ask", ["read", "fetch"])
def test_a_missing_artifact_is_named_with_its_place(artifacts, root, tmp_path, ask):
    arguments = [tmp_path] if ask == "fetch" else []
    with pytest.raises(ArtifactMissing) as caught:
        getattr(artifacts, ask)(DIGEST, *arguments)
    assert f"artifact sha256 {DIGEST} is missing" in str(caught.value)
    assert f"nothing at {artifacts.location(DIGEST)}" in str(caught.value)
    assert "what to do" in str(caught.value)
    assert files(root) == []


@pytest.mark.parametrize("ask", ["read", "fetch", "put_bytes", "put_file"])
def test_bytes_that_were_changed_are_refused_everywhere(artifacts, root, tmp_path, ask):
    artifacts.put_bytes(DATA)
    changed = DATA[:-1] + b"!"
    place(root, DIGEST).write_bytes(changed)
    source = tmp_path / "source"
    source.write_bytes(DATA)
    calls = {
        "read": lambda: artifacts.read(DIGEST),
        "fetch": lambda: artifacts.fetch(DIGEST, tmp_path),
        "put_bytes": lambda: artifacts.put_bytes(DATA),
        "put_file": lambda: artifacts.put_file(source),
    }
    with pytest.raises(ArtifactChanged) as caught:
        calls[ask]()
    assert f"found sha256 {digest_bytes(changed)}" in str(caught.value)
    assert f"expected sha256 {DIGEST}" in str(caught.value)
    # Evidence: it is not written over.
    assert place(root, DIGEST).read_bytes() == changed
    assert not (tmp_path / DIGEST).exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "name", ["", "abc", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}\n", "../" * 21 + "e", "g" * 64]
)
def test_a_name_that_is_no_digest_is_refused(tmp_path, name):
    artifacts = Artifacts(tmp_path)
    for ask in (artifacts.read, artifacts.location):
        with pytest.raises(ArtifactMissing, match="not a digest"):
            ask(name)


@pytest.mark.airflow
def test_a_root_on_the_local_disk_is_a_plain_folder(tmp_path):
    from airflow.sdk import ObjectStoragePath

    artifacts = Artifacts(ObjectStoragePath(f"file://{tmp_path}"))
    artifacts.put_bytes(DATA)
    assert artifacts.location(DIGEST) == str(place(tmp_path, DIGEST))
    assert artifacts.read(DIGEST) == DATA


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    artifacts = Artifacts(tmp_path / "artifacts")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        artifacts.put_bytes(DATA)
    source = tmp_path / "source"
    source.write_bytes(DATA)
    with pytest.raises(OSError, match="No space left"):
        artifacts.put_file(source)
    assert source.read_bytes() == DATA
    assert files(tmp_path / "artifacts") == []
    monkeypatch.undo()
    assert artifacts.put_file(source) == DIGEST


def test_an_upload_that_breaks_leaves_nothing(tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    artifacts = Artifacts(UPath("memory://bucket/broken"))
    source = tmp_path / "source"
    source.write_bytes(DATA)

    def broken(*arguments: Any) -> None:
        raise ConnectionError("the line is dead")

    monkeypatch.setattr("mlops.store.artifacts.shutil.copyfileobj", broken)
    with pytest.raises(ConnectionError):
        artifacts.put_file(source)
    assert source.exists()
    assert not memory.store
    monkeypatch.undo()
    monkeypatch.setattr(type(memory), "mv", broken)
    with pytest.raises(ConnectionError):
        artifacts.put_bytes(DATA)
    assert not [path for path in memory.store if path.endswith(DIGEST)]
    assert not memory.store


def test_a_disk_of_its_own_gets_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr("mlops.store.artifacts._same_disk", lambda path, folder: False)
    artifacts = Artifacts(tmp_path / "artifacts")
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert artifacts.put_file(source) == DIGEST
    assert not source.exists()
    assert files(tmp_path / "artifacts") == [DIGEST]


def test_a_process_that_is_killed_leaves_nothing_under_a_digest(tmp_path):
    program = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from mlops.store.artifacts import Artifacts
        os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
        Artifacts(Path(sys.argv[1])).put_bytes(b"x" * 100_000)
        """
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root / "plugins")},
        check=False,
    )
    assert done.returncode == -9
    artifacts = Artifacts(tmp_path)
    (left,) = files(tmp_path)
    assert left.endswith(".part")
    assert artifacts.remove_leftovers() == 0
    os.utime(tmp_path / "incoming" / left, (0, 1))
    assert artifacts.remove_leftovers() == 1
    assert files(tmp_path) == []
    assert artifacts.put_bytes(b"x" * 100_000) == digest_bytes(b"x" * 100_000)


def test_leftovers_whose_age_nobody_knows_stay(tmp_path):
    fsspec.filesystem("memory").store.clear()
    root = UPath("memory://bucket/old")
    artifacts = Artifacts(root)
    assert artifacts.remove_leftovers(older_than_hours=0) == 0
    (root / "incoming").mkdir(parents=True)
    (root / "incoming" / "x.part").write_bytes(b"x")
    assert artifacts.remove_leftovers(older_than_hours=0) == 0


def test_a_leftover_that_another_task_removes_first_is_no_error(tmp_path, monkeypatch):
    artifacts, part = Artifacts(tmp_path), tmp_path / "incoming" / "x.part"
    part.parent.mkdir()
    part.write_bytes(b"x")
    os.utime(part, (0, 1))
    unlink = Path.unlink

    def late(path: Path) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", late)
    assert artifacts.remove_leftovers() == 0
    assert files(tmp_path) == []


def _put_many(root: str) -> None:
    artifacts = Artifacts(Path(root))
    for number in range(20):
        artifacts.put_bytes(f"artifact {number}".encode() * 1000)


def test_two_writers_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.map(_put_many, [str(tmp_path)] * 4)
    expected = [digest_bytes(f"artifact {number}".encode() * 1000) for number in range(20)]
    assert files(tmp_path) == sorted(expected)
    for digest in expected:
        assert Artifacts(tmp_path).read(digest)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=200), position=st.integers(0, 199), flip=st.integers(1, 255))
def test_any_byte_that_changes_is_noticed(tmp_path, data, position, flip):
    artifacts = Artifacts(tmp_path)
    digest = artifacts.put_bytes(data)
    changed = bytearray(data or b"\0")
    changed[position % len(changed)] ^= flip
    place(tmp_path, digest).write_bytes(changed)
    with pytest.raises(ArtifactChanged):
        artifacts.read(digest)
    place(tmp_path, digest).unlink()
