"""``keys``: make, list, rotate and revoke the keys with which the API server signs approvals."""

from __future__ import annotations

import getpass
from pathlib import Path

from mlops.approvals.key_register import (
    read_key_register,
    register_key,
    revoke_key,
    rotate_key,
)
from mlops.approvals.secret_file import create_key_file, load_key_file
from mlops.store.connect import Store


def create(url: str, path: Path, *, replaces: Path | None = None) -> int:
    """Make a key file, and register its public key in the ledger.

    :param url: of the role that owns the ledger.
    :param replaces: the key file whose place it takes, which signs the change.
    :raises KeyUnusable: the file is there already, or the key to replace does not count.
    """
    store, actor = Store(url), getpass.getuser()
    old = load_key_file(replaces) if replaces is not None else None
    key = create_key_file(path)
    try:
        with store.transaction() as transaction:
            if old is None:
                register_key(transaction, key, actor=actor)
            else:
                rotate_key(transaction, old, key, actor=actor)
    except BaseException:
        # A key that the ledger does not know would sign what does not count.
        path.unlink()
        raise
    print(f"key {key.fingerprint} is in {path}, and its public half is in the ledger")
    print(f"next: give {path} to the user of the API server, set there")
    print(f"    [mlops] approval_key_file = {path}")
    print("and for the API server, the tasks and the commands")
    print(f"    [mlops] approval_keys = {key.fingerprint}")
    return 0


def show(url: str, pinned: frozenset[str]) -> int:
    """Print every key that the ledger knows, and whether the settings pin it; always 0."""
    with Store(url).transaction() as transaction:
        register = read_key_register(transaction)
    for key in register.keys.values():
        state = "counts" if key.through is None else f"counts up to entry {key.through}"
        if key.revoked:
            state += f", revoked: {key.revoked}"
        trust = "pinned" if key.fingerprint in pinned else "not pinned in [mlops] approval_keys"
        print(f"{key.fingerprint}  since entry {key.since}, {state}; {trust}")
    if not register.keys:
        print("the ledger has no key; make one: mlops keys create")
    return 0


def revoke(url: str, fingerprint: str, *, reason: str, through: int) -> int:
    """Revoke a key in the ledger.

    :raises KeyUnusable: the ledger does not know it.
    """
    with Store(url).transaction() as transaction:
        revoke_key(
            transaction, fingerprint, actor=getpass.getuser(), reason=reason, through=through
        )
    print(f"key {fingerprint} is revoked; its approvals count up to entry {through}")
    return 0
