"""The result of a check of ``doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from mlops.errors import MlopsError

Severity = Literal["unsafe", "loses lineage", "advice"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    :ivar severity: ``unsafe``: the governance can be bypassed, or it is not known that it cannot;
        ``loses lineage``: events do not arrive, or arrive damaged; ``advice``: it works, and could
        be better.
    :ivar check: name of the check that found it.
    """

    severity: Severity
    check: str
    what: str
    found: str
    expected: str
    action: str


@dataclass(frozen=True)
class Passed:
    """Something that is as it should be, in one line."""

    what: str


CheckResult = Finding | Passed
Check = Callable[[], Iterator[CheckResult]]


def of_error(error: MlopsError, *, severity: Severity, check: str, action: str) -> Finding:
    """One of our own errors, which hold no secret, as a finding."""
    return Finding(
        severity=severity,
        check=check,
        what=error.what,
        found=str(error.found or "nothing"),
        expected=str(error.expected or "an answer"),
        action=error.action or action,
    )


def place(url: str) -> str:
    """Scheme, host and port of a URL: what may be shown of it."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something that is not a URL"
    return f"{parts.scheme}://{parts.hostname}{port}"
