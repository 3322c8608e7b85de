"""Markdown from docstrings and tables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; bars within cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def markdown(docstring: str) -> str:
    """The prose of a docstring: no roles of Sphinx, single backticks."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring)
    text = text.replace("``", "`")
    return re.sub(r"(?m)^    (?=\S)", "", text)


def prose(docstring: str) -> str:
    """A docstring up to its first field, as ``:param …:``."""
    text = inspect.cleandoc(docstring)
    return markdown(re.split(r"(?m)^:\w+[^:\n]*:", text)[0].strip())


def fields(docstring: str, kind: str = "param") -> dict[str, str]:
    """The fields of a kind in a docstring, by name."""
    text = inspect.cleandoc(docstring)
    found = re.findall(rf"(?ms)^:{kind} (\w+):(.*?)(?=^:|\Z)", text)
    return {name: " ".join(words.split()) for name, words in found}


def sentence(text: str) -> str:
    """The text with a capital letter, if it begins with a letter, and with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
