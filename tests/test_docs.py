"""The reference names every setting, command, operator and key, and none that is not there."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from mlops import operators
from mlops.cli.main import _parser
from mlops.core.targets.binary.target import BINARY
from mlops.operators.registry import OPERATORS
from mlops.spec.model import Candidate, ModelSpec
from mlops.spec.policy import Policy

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "plugins" / "mlops"
REFERENCE = (PROJECT / "docs" / "reference.md").read_text()
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
COMMON = {"model", "warehouse_conn_id", "store_conn_id"}


def section(title: str) -> str:
    """The text below a heading of the reference, up to the next heading."""
    found = [part for part in REFERENCE.split("\n## ")[1:] if part.startswith(title)]
    assert len(found) == 1, title
    return found[0]


def rows(title: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[1:]


def names(text: str) -> set[str]:
    """What stands in backticks as one word, or as a word with its value: ``against: champion``."""
    return set(re.findall(r"`([A-Za-z_][\w.]*)(?:: [^`]+)?`", text))


def functions(file: Path) -> dict[str, str]:
    """The public functions of a module, with their docstrings."""
    tree = ast.parse(file.read_text())
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: ast.get_docstring(node) or "" for node in found if node.name[0] != "_"}


@dataclass(frozen=True)
class Shell:
    """An operator or a sensor, as its source says."""

    name: str
    module: str
    docstring: str
    parameters: frozenset[str]
    templated: frozenset[str]


def shells() -> Iterator[Shell]:
    """Every operator and every sensor that a DAG may use."""
    for file in sorted([*PACKAGE.glob("operators/*.py"), *PACKAGE.glob("sensors/*.py")]):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name in OPERATORS.names():
                yield Shell(
                    name=node.name,
                    module=_public_module(file, node.name),
                    docstring=ast.get_docstring(node) or "",
                    parameters=frozenset(_parameters(node)),
                    templated=frozenset(_templated(node)),
                )


def _public_module(file: Path, name: str) -> str:
    """Where a DAG imports the class from."""
    if name in operators.__all__:
        return operators.__name__
    return f"mlops.{file.parent.name}.{file.stem}"


def _parameters(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            yield from (argument.arg for argument in item.args.kwonlyargs)


def _templated(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "template_fields":
            assert isinstance(item.value, ast.Tuple)
            yield from (e.value for e in item.value.elts if isinstance(e, ast.Constant))


SHELLS = list(shells())


@dataclass(frozen=True)
class Command:
    """A command of ``python -m mlops``: its words, its arguments and its flags."""

    words: str
    arguments: tuple[str, ...]
    flags: frozenset[str]


def commands(parser: argparse.ArgumentParser, words: str = "python -m mlops") -> Iterator[Command]:
    """Every command of the parser."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, f"{words} {name}")
    if not groups:
        yield Command(
            words=words,
            arguments=tuple(a.dest for a in parser._actions if not a.option_strings),
            flags=frozenset(f for a in parser._actions for f in a.option_strings)
            - {"-h", "--help"},
        )


COMMANDS = list(commands(_parser()))


def keys(record: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Each key of a record and of those within it, with the record's name."""
    for name, field in record.model_fields.items():
        yield record.__name__, name
        for inner in records_in(field.annotation):
            yield from keys(inner)


def records_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The records that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from records_in(part)


def test_every_setting_is_in_the_reference_and_none_else() -> None:
    settings = functions(PACKAGE / "settings.py")
    assert len(settings) >= 4
    table = rows("Settings")
    assert [row[0] for row in table] == [f"`{name}`" for name in settings]
    assert [row[1] for row in table] == [f"`AIRFLOW__MLOPS__{name.upper()}`" for name in settings]
    for name, docstring in settings.items():
        assert docstring.startswith(f"``[mlops] {name}``: ")


def test_every_command_is_in_the_reference_with_all_its_flags() -> None:
    table = {row[0].strip("`"): row for row in rows("Commands")}
    described = {re.split(r" (?=\[|--|[A-Z])", text)[0]: text for text in table}
    assert set(described) == {command.words for command in COMMANDS}
    for command in COMMANDS:
        text = described[command.words]
        assert set(re.findall(r"--[a-z-]+", text)) == set(command.flags), command.words
        rest = re.sub(r"\[[^]]*\]|--[a-z-]+ [A-Z]+", "", text.removeprefix(command.words))
        assert rest.split() == [name.upper() for name in command.arguments], command.words


def test_every_command_that_a_page_shows_is_one() -> None:
    known = {command.words for command in COMMANDS}
    shown = [
        (page.name, text)
        for page in PAGES
        for text in re.findall(r"python -m mlops(?: [a-z]+)+", page.read_text())
    ]
    assert shown
    for page, text in shown:
        assert any(f"{text} ".startswith(f"{words} ") for words in known), f"{page}: {text}"


def test_every_make_target_that_a_page_shows_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        shown = re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text())
        assert set(shown) <= targets, page.name


def test_every_operator_and_sensor_is_in_the_reference_and_none_else() -> None:
    table = {row[0].strip("`"): row[1].strip("`") for row in rows("Operators and sensors")}
    assert table == {shell.name: shell.module for shell in SHELLS}
    assert set(table) == set(OPERATORS.names())


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)
def test_an_operator_s_parameters_are_described(shell: Shell) -> None:
    """In the reference by name; in the docstring with what they are and whether templated."""
    (row,) = [row for row in rows("Operators and sensors") if row[0] == f"`{shell.name}`"]
    own = shell.parameters - COMMON
    assert own <= names(row[2]), row[2]
    assert names(row[2]) - {"outlet"} <= own, row[2]
    described = dict(re.findall(r":param (\w+):(.*?)(?=\n:|\Z)", shell.docstring, re.DOTALL))
    assert own <= set(described), shell.docstring
    for name, text in described.items():
        assert ("(templated)" in text) == (name in shell.templated), name


@pytest.mark.parametrize(
    ("title", "record"), [("The spec", ModelSpec), ("The policy", Policy)], ids=["spec", "policy"]
)
def test_every_key_is_in_the_reference_and_none_else(title: str, record: type[BaseModel]) -> None:
    known = dict.fromkeys(name for _, name in keys(record))
    text = section(title)
    missing = [f"{owner}.{name}" for owner, name in keys(record) if name not in names(text)]
    assert missing == []
    for row in rows(title):
        assert names(row[0]) <= set(known), row[0]


def test_every_metric_is_in_the_reference() -> None:
    (line,) = [line for line in section("The spec").splitlines() if line.startswith("Metrics: ")]
    assert names(line) == {metric.name for metric in BINARY.metrics}
    assert set(Candidate.model_fields) <= names(section("The spec"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target in re.findall(r"(?<!!)\[[^]]*\]\(([^)]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_a_page_names_files_that_are_there(page: Path) -> None:
    """Those of the project's own folders; ``<model>`` and the like stand for any name."""
    folders = "plugins|docs|demo|bench|tests|docker"
    for place in re.findall(rf"`((?:{folders})/[\w./*-]*)`", page.read_text()):
        assert any(PROJECT.glob(place.rstrip("/"))), place
