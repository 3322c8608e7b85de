"""Further secrets from the one that is kept, so that nothing else needs a file."""

from __future__ import annotations

import base64
import hashlib
import hmac


def derived_key(secret: str, purpose: str) -> str:
    """32 bytes in URL-safe base64, always the same for a secret and a purpose (HMAC, RFC 2104).

    The form is that of a Fernet key, and serves for passwords as well.
    """
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
