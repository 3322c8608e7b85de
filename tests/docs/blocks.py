"""The code blocks and commands that the pages show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = [
    *sorted(PROJECT.glob("*.md")),
    *sorted(PROJECT.glob(".github/**/*.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`(?:python -m )?(mlops [a-z][^`\n]*)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    :ivar line: of the page, at which its text begins.
    :ivar language: what is written behind the opening fence.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages, or those in some languages."""
    return [block for block in _all_blocks() if not languages or block.language in languages]


@cache
def _all_blocks() -> tuple[Block, ...]:
    found = []
    for page in PAGES:
        content = page.read_text()
        for match in _BLOCK.finditer(content):
            line = content.count("\n", 0, match.start()) + 2
            text = re.sub(rf"(?m)^{match[1]}", "", match[3])
            found.append(Block(page, line, match[2], text))
    return tuple(found)


def commands() -> list[tuple[str, str]]:
    """Place and text of each shell command, without prompt and comment."""
    found = []
    for block in blocks("sh", "console"):
        prompt = "$ " if block.language == "console" else ""
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.startswith(prompt) and line.strip():
                bare = line.removeprefix(prompt).partition("  #")[0].strip()
                found.append((str(block), bare))
    return found


def spans() -> list[tuple[str, str]]:
    """Place and text of each ``mlops`` command within a sentence."""
    found = []
    for page in PAGES:
        content = page.read_text()
        for match in _SPAN.finditer(content):
            line = content.count("\n", 0, match.start()) + 1
            found.append((f"{page.relative_to(PROJECT)}:{line}", match[1]))
    return found
