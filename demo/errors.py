"""The one error that the demo raises on purpose."""

from __future__ import annotations


class DemoError(Exception):
    """Something on this machine keeps the demo from going on; one line, meant for its reader.

    :param what: the thing that is wrong, by name.
    :param found: what was there.
    :param expected: what should have been there.
    :param action: what the reader can do now.
    """

    def __init__(
        self, what: str, *, found: object = None, expected: object = None, action: str | None = None
    ) -> None:
        self.what = what
        parts = [what.rstrip(".")]
        if found is not None:
            parts.append(f"found {found}".rstrip("."))
        if expected is not None:
            parts.append(f"expected {expected}")
        if action is not None:
            parts.append(f"what to do: {action.rstrip('.')}")
        super().__init__("; ".join(parts) + ".")
