"""Zip files that are a pure function of their members: the same members give the same bytes.

Members are stored, not deflated: what a compressor writes depends on its version, and a digest
must not. It also leaves a reader nothing to inflate, so a small file cannot fill the memory.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable

from mlops.errors import ArtifactRefused

MAGIC = b"PK\x03\x04"

# What :mod:`zipfile` raises over bytes that were tampered with, here and there.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)

# The oldest time that the format knows. A zip must carry one; it may not be the clock.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE_FILE = 0o100644 << 16
_ENCRYPTED = 0x1

_KNOWN_STARTS = (
    (b"\x80", "a pickle"),
    (b"x\x01", "a compressed pickle"),
    (b"x^", "a compressed pickle"),
    (b"x\x9c", "a compressed pickle"),
    (b"x\xda", "a compressed pickle"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"PK\x05\x06", "an empty zip file"),
)


def write_stored_zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Bytes of a zip file with these members, in this order, stored, with a fixed time.

    :param members: names and contents; names must differ.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, content in members:
            entry = zipfile.ZipInfo(name, date_time=_TIME)
            entry.create_system = _UNIX
            entry.external_attr = _READABLE_FILE
            file.writestr(entry, content)
    return buffer.getvalue()


def open_stored_zip(data: bytes, *, what: str) -> zipfile.ZipFile:
    """Open a zip file whose members are all stored, plain and named once.

    :param what: what the bytes should be, for the message: "a model file", "a model package".
    :raises ArtifactRefused: for anything else; nothing of it was interpreted.
    """
    if not data.startswith(MAGIC):
        raise ArtifactRefused(
            f"{what} was expected",
            found=_looks_like(data),
            expected="a zip file that this library wrote",
            action="package the model again from its training run; pickles are never opened",
        )
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except ZIP_ERRORS as error:
        raise _damaged(what, error) from error
    _check_entries(file.infolist(), len(data), what)
    return file


def read_members(data: bytes, *, what: str) -> dict[str, bytes]:
    """All members by name, each checked against the checksum of its entry.

    :raises ArtifactRefused: for anything but a zip file of stored members.
    """
    with open_stored_zip(data, what=what) as file:
        try:
            return {name: file.read(name) for name in file.namelist()}
        except ZIP_ERRORS as error:
            raise _damaged(what, error) from error


def _check_entries(entries: list[zipfile.ZipInfo], size: int, what: str) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ArtifactRefused(
            f"{what} names a member twice",
            found=next(name for name in names if names.count(name) > 1),
            expected="each name once",
        )
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
            raise ArtifactRefused(
                f"{what} holds a compressed or encrypted member, {entry.filename!r}",
                expected="stored members only",
            )
    if sum(entry.file_size for entry in entries) > size:
        raise ArtifactRefused(
            f"{what} holds members that share their bytes",
            found=f"more than the {size:,} bytes of the file",
            expected="members beside each other",
        )


def _looks_like(data: bytes) -> str:
    for start, name in _KNOWN_STARTS:
        if data.startswith(start):
            return name
    return f"bytes that start with {data[:4].hex() or 'nothing'}"


def _damaged(what: str, error: Exception) -> ArtifactRefused:
    return ArtifactRefused(
        f"{what} is damaged",
        found=str(error) or type(error).__name__,
        expected="a complete zip file",
        action="bring back the bytes that were approved, or package the model again",
    )
