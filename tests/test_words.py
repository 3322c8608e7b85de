"""The package and its pages use plain words, and names that say what they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.words import PROJECT, cryptic_names, figures, files, found

MAX_RATE = 0.5  # idioms in a thousand words
PARTS = ("plugins", "docs", "README.md", "CHANGELOG.md")


@pytest.mark.parametrize("part", PARTS)
def test_words_that_readers_trip_over_are_rare(part: str) -> None:
    counted = figures(files(PROJECT / part))
    assert counted.words > 500
    assert counted.rate < MAX_RATE, f"see: python -m tests.words --lines {part}"


def test_no_name_is_one_that_nobody_could_guess() -> None:
    assert list(cryptic_names(PROJECT / "plugins" / "mlops")) == []


def test_idioms_are_found_in_prose_names_and_comments() -> None:
    text = (
        "It says no more.\nThe clock is no\n# fact, and is no longer one.\n"
        "def tell_all(told): ...\nLies, and Anew; relies on tales of untold recorders.\n"
    )
    assert list(found(text)) == [
        (1, "says"), (2, "is no"), (4, "tell"), (4, "told"), (5, "lies"), (5, "anew"),
    ]  # fmt: skip


def test_names_are_found_where_they_are_defined(tmp_path: Path) -> None:
    (tmp_path / "naming.py").write_text("import told\n")
    (tmp_path / "other.py").write_text(
        "def _told(slot, failed): ...\n"
        "class Well: ...\n"
        "words = [named for named in told]\n"
        "def words(): folded = 1\n"
    )
    assert list(cryptic_names(tmp_path)) == [
        "naming.py:1: naming",
        "other.py:1: _told",
        "other.py:2: Well",
        "other.py:1: slot",
        "other.py:4: folded",
        "other.py:4: words",
    ]
