"""Links lead to pages, headings and files that are there; those to elsewhere are of known hosts."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.blocks import PAGES, PROJECT

# A link to another host is read again by a person before the host is added here.
HOSTS = {"keepachangelog.com", "semver.org", "www.contributor-covenant.org"}
_LINK = re.compile(
    r"\[[^]]*\]\(([^)\s]+)\)|<(https?://[^>]+)>|(?<![\w\"'`(<=])(https?://[^\s)`\"']+)"
)
_CODE = re.compile(r"^( *)```.*?^ *```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Every link of a page; none of its code."""
    text = _CODE.sub("", page.read_text())
    return [next(filter(None, found)) for found in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as mkdocs and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[\s-]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"(https?|mailto):", link):
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_to_elsewhere_are_encrypted_and_of_known_hosts(page: Path) -> None:
    for link in (link for link in links(page) if "://" in link):
        parts = urlsplit(link)
        assert parts.scheme == "https", link
        assert parts.hostname in HOSTS, link


def test_each_known_host_is_linked_to() -> None:
    linked = {urlsplit(link).hostname for page in PAGES for link in links(page) if "://" in link}
    assert linked == HOSTS


def test_links_are_found_and_code_is_not() -> None:
    text = "[a](b.md) <https://semver.org> https://github.com/x. `[c](d)`\n```sh\n[e](f)\n```\n"
    found = [next(filter(None, link)) for link in _LINK.findall(_CODE.sub("", text))]
    assert found == ["b.md", "https://semver.org", "https://github.com/x."]
