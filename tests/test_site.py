"""The documentation site builds without a warning, and what its pages show is right."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlops.cli.main import _parser

PROJECT = Path(__file__).parents[1]
PAGES = [
    *sorted(PROJECT.glob("*.md")),
    *(page for page in sorted((PROJECT / "docs").rglob("*.md"))),
]


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and text of every fenced block of a language."""
    for page in PAGES:
        for found in re.finditer(
            rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.M | re.S
        ):
            yield page.relative_to(PROJECT).as_posix(), found[2]


def commands() -> list[tuple[str, str]]:
    """Page and text of every ``mlops`` command in a block of shell commands."""
    shown = []
    for page, text in (*blocks("sh"), *blocks("console")):
        for line in text.replace("\\\n", " ").splitlines():
            bare = re.sub(r"^\s*(\$ )?(PYTHONPATH=\S+ )?(python -m )?", "", line)
            if bare.startswith("mlops "):
                shown.append((page, bare.partition(" #")[0]))
    return shown


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
    named = {docs / name for name in re.findall(r"- ([\w/-]+\.md)$", menu, re.M)}
    for folder in ("decisions", "extend"):
        listed = re.findall(r"\]\(([\w-]+\.md)", (docs / folder / "README.md").read_text())
        named |= {docs / folder / name for name in listed}
    assert sorted(named) == sorted(page for page in PAGES if docs in page.parents)


def test_every_command_that_a_page_shows_is_understood() -> None:
    shown = commands()
    assert len(shown) > 5
    for page, text in shown:
        try:
            _parser().parse_args(shlex.split(text)[1:])
        except SystemExit as ended:
            pytest.fail(f"{page}: {text}: {ended}")


def test_every_yaml_block_can_be_read() -> None:
    shown = list(blocks("ya?ml"))
    assert shown
    for page, text in shown:
        try:
            yaml.safe_load(text)
        except yaml.YAMLError as error:
            pytest.fail(f"{page}: {error}")
