"""The reference is what the code is, and pages name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reference.commands import find_commands
from tests.reference.operators import COMMON, Operator, find_operators
from tests.reference.pages import FOLDER, setting_rows
from tests.reference.pages import PAGES as GENERATED
from tests.reference.text import fields

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
OPERATORS = find_operators()


@pytest.mark.parametrize("name", GENERATED)
def test_a_page_of_the_reference_is_what_the_code_is(name: str) -> None:
    assert (FOLDER / name).read_text() == GENERATED[name](), "run `make reference` and commit it"


def test_the_reference_lists_all_of_its_pages() -> None:
    listed = re.findall(r"\]\(([a-z]+\.md)\)", (FOLDER / "README.md").read_text())
    assert listed == list(GENERATED)
    assert sorted(page.name for page in FOLDER.glob("*.md")) == sorted(["README.md", *listed])


def test_every_setting_is_explained() -> None:
    rows = setting_rows()
    assert len(rows) >= 9
    assert all(all(row) for row in rows)


def test_every_command_and_each_of_its_arguments_is_explained() -> None:
    commands = list(find_commands())
    assert len(commands) >= 13
    for command in commands:
        assert command.parser.description, command.words
        for argument in command.arguments:
            assert argument.help, f"{command.words} {argument.dest}"


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_an_operator_s_parameters_are_explained(operator: Operator) -> None:
    """In its docstring, with what they are and whether templated."""
    explained = fields(operator.docstring)
    assert operator.defaults.keys() - COMMON <= explained.keys()
    assert explained.keys() <= operator.defaults.keys()
    for name, text in explained.items():
        assert ("(templated)" in text) == (name in operator.templated), name


def test_most_operators_give_something() -> None:
    without = {operator.name for operator in OPERATORS if not operator.fields}
    assert without == {"ApprovalSensor", "AlarmOperator", "RemindOperator"}


def test_every_make_target_that_a_page_shows_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        shown = re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())
        assert set(shown) <= targets, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_a_page_names_files_that_are_there(page: Path) -> None:
    """Those of the project's own folders; ``<model>`` and the like stand for any name."""
    folders = "plugins|docs|demo|bench|tests|docker"
    for place in re.findall(rf"`((?:{folders})/[\w./*-]*)`", page.read_text()):
        assert any(PROJECT.glob(place.rstrip("/"))), place
