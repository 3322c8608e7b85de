"""The documentation site builds without a warning, and its menu names every page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = [
    *sorted(PROJECT.glob("*.md")),
    *(page for page in sorted((PROJECT / "docs").rglob("*.md"))),
]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=PROJECT,
        env={
            "PATH": "/usr/bin:/bin",
            "NO_MKDOCS_2_WARNING": "1",
            "DISABLE_MKDOCS_2_WARNING": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    html = (tmp_path / "site" / "index.html").read_text()
    assert "Begin with your role" in html
    # Nothing of it is fetched from elsewhere when a page is read.
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|woff2?)"', html) == []


def test_the_menu_or_its_folder_s_list_names_every_page() -> None:
    docs = PROJECT / "docs"
    menu = (PROJECT / "mkdocs.yml").read_text()
    named = {docs / name for name in re.findall(r"- (?:\w+: )?([\w/-]+\.md)$", menu, re.M)}
    for folder in ("decisions", "extend"):
        listed = re.findall(r"\]\(([\w-]+\.md)", (docs / folder / "README.md").read_text())
        named |= {docs / folder / name for name in listed}
    assert sorted(named) == sorted(page for page in PAGES if docs in page.parents)
