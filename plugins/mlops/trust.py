"""Which approvals the readers of a store count, and what signs them.

A store is read by tasks, pages and commands; each is given the same trust, from the settings of the
process that it runs in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol


def never(policy: str) -> date | None:  # noqa: ARG001
    """No policy accepts approvals that are not signed."""
    return None


@dataclass(frozen=True)
class Trust:
    """What makes an approval count.

    :ivar keys: the fingerprints that the settings pin; a signature by any other key is refused,
        whatever the ledger has about it.
    :ivar unsigned_until: for a policy's name, the last day on which approvals count that were
        recorded before the ledger had a key; none if they do not.
    """

    keys: frozenset[str] = frozenset()
    unsigned_until: Callable[[str], date | None] = never


class Signer(Protocol):
    """A key that signs."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in hexadecimal digits."""

    @property
    def public_key(self) -> bytes:
        """The public key itself."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""


@dataclass(frozen=True)
class NoSigner:
    """A process that cannot sign.

    :ivar reason: why, for the person who answers and for the operator of the platform.
    """

    reason: str = "only the API server signs approvals"
