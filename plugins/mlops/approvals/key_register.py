"""The public keys that sign approvals, as the ledger has them: registered, rotated, revoked.

Each is an entry that only the owner of the ledger can append. A key counts from the entry that
registers it up to the one that replaces or revokes it, in the ledger's order, which no clock moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from mlops.approvals.signing_key import (
    PUBLIC_KEY_BYTES,
    SigningKey,
    fingerprint_of,
    is_signed_by,
)
from mlops.digests import canonical_json
from mlops.errors import KeyUnusable
from mlops.store.ledger import read_object
from mlops.store.tables import LedgerRow
from mlops.store.transaction import Transaction
from mlops.trust import Signer
from mlops.vocabulary import LedgerAction, key_subject

ROTATION_FORMAT = "mlops key rotation 1"
_ACTIONS = (LedgerAction.KEY_REGISTERED, LedgerAction.KEY_ROTATED, LedgerAction.KEY_REVOKED)


@dataclass(frozen=True)
class RegisteredKey:
    """A public key, and between which entries of the ledger its signatures count.

    :ivar since: number of the entry that made it known.
    :ivar through: number of the last entry up to which it counts; none while it does.
    :ivar until: the moment from which it does not count any more; none if there is none.
    :ivar revoked: the reason of its revocation; empty if it was not revoked.
    """

    fingerprint: str
    public_key: bytes
    since: int
    through: int | None = None
    until: datetime | None = None
    revoked: str = ""

    def counts(self, seq: int, at: datetime) -> bool:
        """Whether its signature counts in entry ``seq``, of an approval given at ``at``."""
        ended = self.through is not None and seq > self.through
        return seq > self.since and not ended and self.counts_at(at)

    def counts_at(self, at: datetime) -> bool:
        """Whether its time has not ended."""
        return self.until is None or at < self.until


@dataclass(frozen=True)
class KeyRegister:
    """All keys of a ledger, by fingerprint.

    :ivar first: number of the entry with the first key; none if there is no key.
    """

    keys: Mapping[str, RegisteredKey]
    first: int | None

    def current(self) -> tuple[RegisteredKey, ...]:
        """The keys that were neither replaced nor revoked."""
        return tuple(key for key in self.keys.values() if key.through is None)


def read_key_register(transaction: Transaction) -> KeyRegister:
    """The keys of the ledger. An entry that does not fit is passed over: it trusts no key."""
    rows = transaction.session.execute(
        select(LedgerRow.seq, LedgerRow.action, LedgerRow.payload)
        .where(LedgerRow.action.in_([str(action) for action in _ACTIONS]))
        .order_by(LedgerRow.seq)
    )
    keys: dict[str, RegisteredKey] = {}
    for seq, action, text in rows:
        payload = read_object(text)
        if payload is None:
            continue
        if action == LedgerAction.KEY_REVOKED:
            _revoke(keys, payload)
        elif action == LedgerAction.KEY_REGISTERED:
            _register(keys, seq, payload)
        else:
            _rotate(keys, seq, payload)
    return KeyRegister(keys, min((key.since for key in keys.values()), default=None))


def register_key(
    transaction: Transaction, key: Signer, *, actor: str, until: datetime | None = None
) -> None:
    """Make a key known to the ledger.

    :raises KeyUnusable: the ledger knows it already.
    """
    _require_new(transaction, key)
    transaction.note(
        actor=actor,
        action=LedgerAction.KEY_REGISTERED,
        subject=key_subject(key.fingerprint),
        payload={
            "fingerprint": key.fingerprint,
            "public_key": key.public_key.hex(),
            "until": until,
        },
    )


def rotate_key(
    transaction: Transaction,
    old: SigningKey,
    new: Signer,
    *,
    actor: str,
    until: datetime | None = None,
) -> None:
    """Let a new key take the place of one, which signs the change.

    :raises KeyUnusable: the old key does not count, or the new one is known already.
    """
    _require_current(transaction, old.fingerprint)
    _require_new(transaction, new)
    public_key = new.public_key.hex()
    transaction.note(
        actor=actor,
        action=LedgerAction.KEY_ROTATED,
        subject=key_subject(old.fingerprint),
        payload={
            "fingerprint": old.fingerprint,
            "public_key": public_key,
            "signature": old.sign(_rotation(old.fingerprint, public_key)).hex(),
            "until": until,
        },
    )


def revoke_key(
    transaction: Transaction, fingerprint: str, *, actor: str, reason: str, through: int = 0
) -> None:
    """Take a key back.

    :param through: number of the last entry up to which its approvals go on counting; 0 for none.
    :raises KeyUnusable: the ledger does not know it.
    """
    if fingerprint not in read_key_register(transaction).keys:
        raise _unknown(fingerprint)
    transaction.note(
        actor=actor,
        action=LedgerAction.KEY_REVOKED,
        subject=key_subject(fingerprint),
        payload={"fingerprint": fingerprint, "reason": reason, "through": through},
    )


def _register(keys: dict[str, RegisteredKey], seq: int, payload: Mapping[str, Any]) -> None:
    public_key = _public_key(payload)
    if public_key is None or payload.get("fingerprint") != fingerprint_of(public_key):
        return
    _add(keys, seq, public_key, payload)


def _rotate(keys: dict[str, RegisteredKey], seq: int, payload: Mapping[str, Any]) -> None:
    old, public_key = keys.get(str(payload.get("fingerprint"))), _public_key(payload)
    if old is None or public_key is None or old.through is not None:
        return
    message = _rotation(old.fingerprint, public_key.hex())
    if is_signed_by(old.public_key, _from_hex(payload.get("signature")), message):
        keys[old.fingerprint] = replace(old, through=seq)
        _add(keys, seq, public_key, payload)


def _revoke(keys: dict[str, RegisteredKey], payload: Mapping[str, Any]) -> None:
    key, through = keys.get(str(payload.get("fingerprint"))), payload.get("through")
    if key is None:
        return
    last = through if isinstance(through, int) else 0
    # A key that was replaced or revoked before never counts for longer than it did.
    through = last if key.through is None else min(last, key.through)
    keys[key.fingerprint] = replace(
        key, through=through, revoked=str(payload.get("reason") or "no reason given")
    )


def _add(
    keys: dict[str, RegisteredKey], seq: int, public_key: bytes, payload: Mapping[str, Any]
) -> None:
    fingerprint, until = fingerprint_of(public_key), payload.get("until")
    # A key that was revoked cannot come back by another entry.
    keys.setdefault(
        fingerprint,
        RegisteredKey(
            fingerprint, public_key, since=seq, until=until and datetime.fromisoformat(until)
        ),
    )


def _public_key(payload: Mapping[str, Any]) -> bytes | None:
    found = _from_hex(payload.get("public_key"))
    return found if len(found) == PUBLIC_KEY_BYTES else None


def _from_hex(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        return b""


def _rotation(old: str, public_key: str) -> bytes:
    return canonical_json(
        {"format": ROTATION_FORMAT, "key": old, "public_key": public_key}
    ).encode()


def _require_new(transaction: Transaction, key: Signer) -> None:
    if key.fingerprint in read_key_register(transaction).keys:
        raise KeyUnusable(
            f"the key {key.fingerprint}",
            found="an entry of the ledger that has it already",
            expected="a key that the ledger does not know",
            action="make another one: mlops keys create",
        )


def _require_current(transaction: Transaction, fingerprint: str) -> None:
    register = read_key_register(transaction)
    known = register.keys.get(fingerprint)
    if known is None:
        raise _unknown(fingerprint)
    if known.through is not None:
        raise KeyUnusable(
            f"the key {fingerprint}",
            found=f"a key that counts up to entry {known.through} only",
            expected="a key that counts",
            action="name the key that took its place, or register a new one: mlops keys create",
        )


def _unknown(fingerprint: str) -> KeyUnusable:
    return KeyUnusable(
        f"the key {fingerprint}",
        found="no entry of the ledger that registers it",
        expected="a registered key",
        action="register one: mlops keys create; mlops keys list shows those that are known",
    )
