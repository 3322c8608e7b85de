"""The keys that a ledger knows: who replaced which, and up to where each counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mlops.approvals.key_register import (
    read_key_register,
    register_key,
    revoke_key,
    rotate_key,
)
from mlops.approvals.secret_file import load_key_file
from mlops.approvals.signing_key import SigningKey
from mlops.cli.main import main
from mlops.errors import KeyUnusable
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction, key_subject

AT = datetime(2026, 3, 14, tzinfo=UTC)


def new_key() -> SigningKey:
    """A key of its own."""
    return SigningKey(Ed25519PrivateKey.generate())


@pytest.fixture
def transaction(database: str) -> Iterator[Transaction]:
    """A transaction of the owner on an empty store."""
    upgrade(database)
    with Store(database).transaction() as found:
        yield found


def test_a_key_counts_after_its_entry_and_until_its_end(transaction: Transaction) -> None:
    assert read_key_register(transaction).first is None
    key = new_key()
    register_key(transaction, key, actor="ops", until=AT)
    register = read_key_register(transaction)
    found = register.keys[key.fingerprint]
    assert (register.first, found.since, found.public_key) == (1, 1, key.public_key)
    assert found.counts(2, AT - timedelta(seconds=1))
    assert not found.counts(2, AT)
    assert not found.counts(1, AT - timedelta(seconds=1))
    with pytest.raises(KeyUnusable, match="has it already"):
        register_key(transaction, key, actor="ops")


def test_a_key_that_was_replaced_counts_up_to_then(transaction: Transaction) -> None:
    old, new = new_key(), new_key()
    register_key(transaction, old, actor="ops")
    rotate_key(transaction, old, new, actor="ops")
    register = read_key_register(transaction)
    assert [key.fingerprint for key in register.current()] == [new.fingerprint]
    assert register.keys[old.fingerprint].counts(2, AT)
    assert not register.keys[old.fingerprint].counts(3, AT)
    assert register.keys[new.fingerprint].counts(3, AT)
    with pytest.raises(KeyUnusable, match="counts up to entry 2 only"):
        rotate_key(transaction, old, new_key(), actor="ops")


def test_a_rotation_that_the_old_key_did_not_sign_changes_nothing(
    transaction: Transaction,
) -> None:
    old, other = new_key(), new_key()
    register_key(transaction, old, actor="ops")
    transaction.note(
        actor="ops",
        action=LedgerAction.KEY_ROTATED,
        subject=key_subject(old.fingerprint),
        payload={
            "fingerprint": old.fingerprint,
            "public_key": other.public_key.hex(),
            "signature": other.sign(b"").hex(),
        },
    )
    register = read_key_register(transaction)
    assert list(register.keys) == [old.fingerprint]
    assert register.keys[old.fingerprint].through is None


def test_a_key_that_is_revoked_never_comes_back(transaction: Transaction) -> None:
    key = new_key()
    register_key(transaction, key, actor="ops")
    revoke_key(transaction, key.fingerprint, actor="ops", reason="lost", through=7)
    revoke_key(transaction, key.fingerprint, actor="ops", reason="stolen", through=3)
    found = read_key_register(transaction).keys[key.fingerprint]
    assert (found.through, found.revoked) == (3, "stolen")
    revoke_key(transaction, key.fingerprint, actor="ops", reason="not so bad", through=9)
    transaction.note(
        actor="ops",
        action=LedgerAction.KEY_REGISTERED,
        subject=key_subject(key.fingerprint),
        payload={"fingerprint": key.fingerprint, "public_key": key.public_key.hex()},
    )
    assert read_key_register(transaction).keys[key.fingerprint].through == 3
    with pytest.raises(KeyUnusable, match="no entry of the ledger"):
        revoke_key(transaction, "0" * 64, actor="ops", reason="lost")


def test_an_entry_that_names_another_fingerprint_is_passed_over(transaction: Transaction) -> None:
    for public_key in (new_key().public_key.hex(), "0", "x", ""):
        transaction.note(
            actor="ops",
            action=LedgerAction.KEY_REGISTERED,
            subject="key/1",
            payload={"fingerprint": "1" * 64, "public_key": public_key},
        )
    assert read_key_register(transaction).keys == {}


def test_the_commands_make_replace_list_and_revoke_keys(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade(database)
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    at = ["--url", database]
    assert main(["keys", "list", *at]) == 0
    assert "the ledger has no key" in capsys.readouterr().out
    assert main(["keys", "create", str(first), *at]) == 0
    fingerprint = load_key_file(first).fingerprint
    assert f"[mlops] approval_keys = {fingerprint}" in capsys.readouterr().out
    assert main(["keys", "create", str(first), *at]) == 1
    assert main(["keys", "create", str(second), "--replaces", str(first), *at]) == 0
    newer = load_key_file(second).fingerprint
    assert main(["keys", "revoke", newer, "--reason", "stolen", *at]) == 0
    capsys.readouterr()
    assert main(["keys", "list", *at]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].startswith(f"{fingerprint}  since entry 1, counts up to entry 2; not pinned")
    assert listed[1].startswith(f"{newer}  since entry 2, counts up to entry 0, revoked: stolen;")
    third = tmp_path / "third.pem"
    assert main(["keys", "create", str(third), "--replaces", str(second), *at]) == 1
    assert not third.exists()
