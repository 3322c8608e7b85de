"""The table that leads to the code names files and functions that are there."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "plugins" / "mlops"
NAME = re.compile(r"`([\w./]+)`")


def rows() -> list[list[str]]:
    """The names in the second column of each row, in their order."""
    page = (PROJECT / "docs" / "architecture.md").read_text()
    table = page.partition("## Where to find what")[2].partition("\n## ")[0]
    found = re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE)
    return [NAME.findall(cell) for cell in found if not cell.startswith(("where", "---"))]


def test_each_file_is_there_and_defines_the_names_behind_it() -> None:
    assert len(rows()) >= 14
    for names in rows():
        text = ""
        assert "/" in names[0] or names[0].endswith(".py"), names
        for name in names:
            if "/" in name or name.endswith(".py"):
                assert (PACKAGE / name).exists(), name
                text = (PACKAGE / name).read_text() if name.endswith(".py") else ""
            else:
                assert re.search(rf"(def|class) {name}\b|^ *{name}\b.* =", text, re.MULTILINE), name
