"""Ed25519 keys (RFC 8032): sign, verify, and the fingerprints by which settings pin them."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mlops.digests import digest_bytes

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class SigningKey:
    """A private key in the memory of one process; its text shows the public half only."""

    private: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in 64 hexadecimal digits."""
        return fingerprint_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self.private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of a public key, in 64 hexadecimal digits."""
    return digest_bytes(public_key)


def is_signed_by(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is this key's signature of ``message``."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
