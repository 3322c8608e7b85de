"""Files kept under the SHA-256 of their content, in a folder or a bucket.

The name of an artifact is computed from its bytes, so every reading checks them, and writing twice
is writing once. Bytes arrive under another name and get theirs by a rename when they are complete:
when a writer stops in the middle, nothing half-written is kept under a digest.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mlops.digests import CHUNK_BYTES, digest_bytes, digest_file
from mlops.errors import ArtifactChanged, ArtifactMissing

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOCAL_PROTOCOLS = ("file", "local")
_SECONDS_AN_HOUR = 3_600


class Artifacts:
    """Content-addressed files under one root.

    :param root: a :class:`pathlib.Path`, or anything with its interface: Airflow's
        ``ObjectStoragePath``, or a path of ``universal_pathlib``. A path of theirs on the local
        disk is treated as a plain one.
    """

    def __init__(self, root: Any) -> None:
        is_local = getattr(root, "protocol", None) in _LOCAL_PROTOCOLS
        self._root = Path(root.path) if is_local and not isinstance(root, Path) else root
        self._is_local = isinstance(self._root, Path)

    def put_bytes(self, data: bytes) -> str:
        """Keep some bytes; returns their SHA-256.

        :raises ArtifactChanged: other bytes stand under their digest already.
        """
        digest = digest_bytes(data)
        if not self._is_kept(digest):
            with self._arriving(digest) as file:
                file.write(data)
        return digest

    def put_file(self, path: Path, digest: str | None = None) -> str:
        """Keep a file; returns its SHA-256. The file is moved, not copied.

        :param digest: what the writer found while writing; checked.
        :raises ArtifactChanged: the file has another digest, or other bytes stand under its
            digest already.
        """
        found = digest_file(path)
        if digest is not None and found != digest:
            raise _changed(digest, found, str(path))
        if not self._is_kept(found):
            if self._is_local and _same_disk(path, self._folder(self._incoming())):
                self._move(path, found)
                return found
            with path.open("rb") as source, self._arriving(found) as file:
                shutil.copyfileobj(source, file, CHUNK_BYTES)
        path.unlink()
        return found

    def put_named(self, name: str, data: bytes) -> str:
        """Keep a copy under a name that people can read; returns its path or URL.

        The copy is for eyes only: what is relied upon is read by its digest.

        :param name: relative, as ``reports/flight_delay/v1/validation.html``.
        """
        place = self._root / name
        part = self._folder(self._incoming()) / f"{digest_bytes(data)}.{uuid.uuid4().hex}.part"
        try:
            part.write_bytes(data)
            self._folder(place.parent)
            part.replace(place) if self._is_local else part.rename(place)
        finally:
            if part.exists():
                part.unlink()
        return str(place)

    def read(self, digest: str) -> bytes:
        """The bytes of an artifact.

        :raises ArtifactMissing: nothing is kept under this digest.
        :raises ArtifactChanged: other bytes are there.
        """
        with self._opened(digest) as file:
            data = file.read()
        found = digest_bytes(data)
        if found != digest:
            raise _changed(digest, found, self.location(digest))
        return data

    def fetch(self, digest: str, directory: Path) -> Path:
        """A copy of an artifact, whose own bytes were compared.

        The artifact itself is not looked at again: another file could stand there by then.

        :param directory: where the copy goes, private to the caller.
        :raises ArtifactMissing, ArtifactChanged: as :meth:`read`.
        """
        place = self._place(digest)
        copy = directory / digest
        if copy.exists() and digest_file(copy) == digest:
            return copy
        part = directory / f"{digest}.{uuid.uuid4().hex}.part"
        try:
            with part.open("xb") as file:
                found = self._copy_to(digest, file)
            if found != digest:
                raise _changed(digest, found, str(place))
            part.replace(copy)
        finally:
            part.unlink(missing_ok=True)
        return copy

    def verify(self, digest: str) -> None:
        """Read an artifact through, without keeping its bytes in memory.

        :raises ArtifactMissing, ArtifactChanged: as :meth:`read`.
        """
        found = self._copy_to(digest, None)
        if found != digest:
            raise _changed(digest, found, self.location(digest))

    def remove(self, digest: str) -> bool:
        """Remove an artifact; returns whether it was there."""
        place = self._place(digest)
        if not place.exists():
            return False
        with suppress(FileNotFoundError):
            place.unlink()
        return True

    def location(self, digest: str) -> str:
        """Where an artifact is, or would be: a path or a URL."""
        return str(self._place(digest))

    def remove_leftovers(self, *, older_than_hours: float = 24.0) -> int:
        """Remove what a crash left before it got its name; returns how many files.

        A file of unknown age is left alone, and so is one that another task removes or renames.

        :param older_than_hours: younger ones may still be arriving.
        """
        folder, removed = self._incoming(), 0
        if not folder.exists():
            return removed
        for part in list(folder.iterdir()):
            with suppress(FileNotFoundError):
                written_at = part.stat().st_mtime
                age_hours = (time.time() - written_at) / _SECONDS_AN_HOUR
                if written_at and age_hours >= older_than_hours:
                    part.unlink()
                    removed += 1
        return removed

    def _place(self, digest: str) -> Any:
        if not _DIGEST.fullmatch(digest):
            raise ArtifactMissing(
                "an artifact was asked for by a name that is not a digest",
                found=repr(digest),
                expected="a SHA-256 in 64 lower-case hexadecimal digits",
            )
        return self._root / "sha256" / digest[:2] / digest

    def _incoming(self) -> Any:
        return self._root / "incoming"

    def _folder(self, folder: Any) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _is_kept(self, digest: str) -> bool:
        if not self._place(digest).exists():
            return False
        self.verify(digest)
        return True

    def _copy_to(self, digest: str, target: IO[bytes] | None) -> str:
        """Read an artifact through; returns the digest that was found."""
        found = hashlib.sha256()
        with self._opened(digest) as source:
            while chunk := source.read(CHUNK_BYTES):
                found.update(chunk)
                if target is not None:
                    target.write(chunk)
        return found.hexdigest()

    @contextmanager
    def _opened(self, digest: str) -> Iterator[IO[bytes]]:
        """An artifact to be read; on the local disk a regular file, and no link to one.

        :raises ArtifactMissing: nothing is kept under this digest.
        :raises ArtifactChanged: something else than a regular file is there.
        """
        place = self._place(digest)
        try:
            if self._is_local:
                # A pipe must not be waited for.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                file: IO[bytes] = os.fdopen(os.open(place, flags), "rb")
            else:
                file = place.open("rb")
        except FileNotFoundError as error:
            raise _missing(digest, str(place)) from error
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR):
                raise
            raise _not_a_file(digest, str(place)) from error
        with file:
            if self._is_local and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _not_a_file(digest, str(place))
            yield file

    @contextmanager
    def _arriving(self, digest: str) -> Iterator[IO[bytes]]:
        """A file to write to, that gets the digest's name when the block ends without an error."""
        # Two tasks may write the same bytes at once: each has a name of its own.
        part = self._folder(self._incoming()) / f"{digest}.{uuid.uuid4().hex}.part"
        try:
            with part.open("wb") as file:
                yield file
                if self._is_local:
                    file.flush()
                    os.fsync(file.fileno())
            self._rename(part, digest)
        finally:
            if part.exists():
                part.unlink()

    def _move(self, path: Path, digest: str) -> None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        self._rename(path, digest)

    def _rename(self, part: Any, digest: str) -> None:
        place = self._place(digest)
        folder = self._folder(place.parent)
        part.replace(place) if self._is_local else part.rename(place)
        if self._is_local:
            _sync_folder(folder)


def _same_disk(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


def _sync_folder(folder: Path) -> None:
    """Bring the new name itself to the disk, not only the bytes behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(digest: str, place: str) -> ArtifactMissing:
    return ArtifactMissing(
        f"artifact sha256 {digest} is missing",
        found=f"nothing at {place}",
        expected="the bytes that were kept there",
        action="restore the artifact folder from its backup, or run again the step that made it",
    )


def _not_a_file(digest: str, place: str) -> ArtifactChanged:
    return ArtifactChanged(
        f"what is at {place} is not a file",
        found="a link, a pipe, a device or a folder",
        expected=f"a regular file with sha256 {digest}",
        action="find out who put it there; then restore the file from its backup",
    )


def _changed(digest: str, found: str, place: str) -> ArtifactChanged:
    return ArtifactChanged(
        f"the bytes at {place} have changed",
        found=f"sha256 {found}",
        expected=f"sha256 {digest}",
        action="find out who changed them; then restore the file from its backup, or remove it "
        "and run again the step that made it",
    )
