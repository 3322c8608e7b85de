"""Markdown that shows each text as it was given: names and texts cannot break out."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"[\\`*\[\]<>|~#]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


def plain(text: str) -> str:
    """``text`` on one line, with everything escaped that Markdown or HTML would act upon."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split())).replace("&", "&amp;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are escaped here."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bullets(items: Sequence[str]) -> str:
    """A list; items are escaped here."""
    return "\n".join(f"- {plain(item)}" for item in items)
