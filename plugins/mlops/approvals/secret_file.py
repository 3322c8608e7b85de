"""Files that only the API server may read: its signing key, and the URL of its database role.

They are never an Airflow connection, a variable or a secret of a backend: a task gets every one of
those by its name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mlops.approvals.signing_key import SigningKey
from mlops.errors import KeyUnusable

_MOST_BYTES = 4096
_OWNER_ONLY = 0o600
_OTHERS = 0o077


def create_key_file(path: Path) -> SigningKey:
    """Make a new key and write it to a file that only its owner can read.

    :raises KeyUnusable: the file is there already, or cannot be written.
    """
    key = SigningKey(Ed25519PrivateKey.generate())
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret_file(path, pem)
    return key


def load_key_file(path: Path) -> SigningKey:
    """Read a key.

    :raises KeyUnusable: as :func:`read_secret_file`, or the file holds something else.
    """
    try:
        private = load_pem_private_key(read_secret_file(path), password=None)
    except (ValueError, TypeError):  # neither shows what the file holds
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusable(
            f"the key file {path}",
            found="something else",
            expected="an Ed25519 private key in PEM, without a passphrase",
            action="make one: mlops keys create",
        )
    return SigningKey(private)


def write_secret_file(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600.

    :raises KeyUnusable: the file is there already, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    except OSError as error:
        raise KeyUnusable(
            f"the file {path}",
            found=error.strerror or type(error).__name__,
            expected="a new file in a folder of the API server's user",
            action="name another file; one that is there is never replaced",
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_secret_file(path: Path) -> bytes:
    """The content of a file that only its owner can read.

    :raises KeyUnusable: the file is missing, a link, not a regular file, owned by another user,
        or open to a group or to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from error
    try:
        fault = file_fault(os.fstat(descriptor), user=os.geteuid())
        if fault is not None:
            raise _unusable(path, fault)
        content = os.read(descriptor, _MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _MOST_BYTES:
        raise _unusable(path, f"more than {_MOST_BYTES} bytes")
    return content


def file_fault(found: os.stat_result, *, user: int) -> str | None:
    """Why a secret may not be kept in a file; none if it may.

    :param user: the user of the process that reads it.
    """
    if not stat.S_ISREG(found.st_mode):
        return "something that is not a regular file"
    if found.st_uid not in (0, user):
        return f"a file of user {found.st_uid}"
    if found.st_mode & _OTHERS:
        return f"mode {stat.S_IMODE(found.st_mode):04o}"
    return None


def _unusable(path: Path, found: str) -> KeyUnusable:
    return KeyUnusable(
        f"the file {path}",
        found=found,
        expected="a regular file of mode 0600 that the API server's user owns",
        action=f"correct it, as: chown <user of the API server> {path}; chmod 600 {path}",
    )
