"""Every code block of every page is run, or is held against what it is written for.

A block in a language that is not listed here, or a command that no check knows, is an error: write
the check with the block.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlops.cli.init import init
from mlops.cli.main import _parser
from mlops.spec.schema import json_schema
from tests.docs.blocks import PAGES, PROJECT, Block, blocks, commands, spans
from tests.reference.commands import find_commands
from tests.reference.pages import setting_rows

# What is done with a block of each language: here, in test_python.py or in test_sql.py.
CHECKED = ("console", "ini", "json", "python", "sh", "sql", "text", "toml", "yaml")
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
DISTRIBUTION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
DEMO = set(
    re.findall(r'^    "([a-z]+)": [a-z]+,$', (PROJECT / "demo/__main__.py").read_text(), re.M)
)
PACKAGE = PROJECT / "plugins" / "mlops"
GROUPS = set(
    re.findall(r'group="(mlops\.\w+)"', "".join(f.read_text() for f in PACKAGE.rglob("*.py")))
)


def test_each_block_is_in_a_language_that_is_checked() -> None:
    others = [f"{block}: '{block.language}'" for block in blocks() if block.language not in CHECKED]
    assert others == [], "name the language of the block, and write a check for a new one"
    assert sum(1 for _ in blocks()) > 30


def test_no_fence_is_left_out() -> None:
    """As one that is indented in another way, or not closed."""
    for page in PAGES:
        fences = len(re.findall(r"^\s*(?:```|~~~)", page.read_text(), re.MULTILINE))
        assert fences == 2 * sum(1 for block in blocks() if block.page == page), page


def test_a_text_has_no_command() -> None:
    for block in blocks("text"):
        assert not re.search(r"(?m)^\$ ", block.text), f"{block}: write it as console"


# ── commands ──


def check_mlops(words: list[str]) -> None:
    """The program's own parser reads it."""
    try:
        _parser().parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0, f"mlops {shlex.join(words)}"


def check_python(words: list[str]) -> None:
    """It runs the demo, or a command of ``mlops`` with the demo's connections."""
    assert words[:2] == ["-m", "demo"]
    if words[2] == "mlops":
        check_mlops(words[3:])
    else:
        assert words[2:] in [[command] for command in DEMO]


def check_make(words: list[str]) -> None:
    """The targets are there."""
    assert words
    assert set(words) <= TARGETS


def check_pip(words: list[str]) -> None:
    """It names this distribution, and extras that it has."""
    assert words[0] in {"install", "uninstall"}
    for name in (word for word in words[1:] if not word.startswith("-")):
        found = re.fullmatch(r"([a-z-]+)(?:\[([a-z,]+)\])?", name)
        assert found, name
        assert found[1] == DISTRIBUTION["name"]
        extras = set(filter(None, (found[2] or "").split(",")))
        assert extras <= DISTRIBUTION["optional-dependencies"].keys()


def check_copy(words: list[str]) -> None:
    """What is copied is there, and so is the folder that it goes to."""
    paths = [word for word in words if not word.startswith("-")]
    assert len(paths) > 1
    for path in paths:
        assert (PROJECT / path).exists(), path


def check_pre_commit(words: list[str]) -> None:
    """Its own parser knows the command."""
    from pre_commit.main import main

    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0


# Commands of Airflow are read by its own parser: see test_shown_output.py.
CHECKS: dict[str, Callable[[list[str]], None]] = {
    "mlops": check_mlops,
    "make": check_make,
    "pip": check_pip,
    "cp": check_copy,
    ".venv/bin/python": check_python,
    ".venv/bin/pre-commit": check_pre_commit,
    "airflow": lambda words: None,
}


@pytest.mark.parametrize(("place", "text"), commands())
def test_a_command_is_understood_by_what_it_calls(place: str, text: str) -> None:
    bare = re.sub(r"^(?:\w+=\S+ )*(?:python -m )?", "", text)
    program, *words = shlex.split(bare.partition(" > ")[0])
    assert program in CHECKS, f"{place}: no check knows {program}"
    CHECKS[program](words)


@pytest.mark.parametrize(("place", "text"), spans())
def test_a_command_within_a_sentence_is_one(place: str, text: str) -> None:
    """Its words are those of a command or of a group of them; its options are the command's."""
    known = {command.words: command for command in find_commands()}
    for alternative in _alternatives(text):
        words = re.match(r"mlops(?: [a-z]+)*", alternative)
        assert words, place
        found = [name for name in known if f"{words[0]} ".startswith(f"{name} ")]
        assert found, f"{place}: {alternative}"
        options = {o for a in known[found[0]].arguments for o in a.option_strings}
        assert set(re.findall(r"--[a-z-]+", alternative)) <= options, f"{place}: {alternative}"


def _alternatives(text: str) -> list[str]:
    """``mlops lineage deliver | verify`` is two commands, with the name of their group once."""
    first, *rest = text.split(" | ")
    groups = {command.words.rpartition(" ")[0] for command in find_commands()} - {"mlops"}
    group = first.rpartition(" ")[0]
    return [first, *(f"{group if group in groups else 'mlops'} {words}" for words in rest)]


# ── YAML, INI, TOML ──


def without_required(schema: Any) -> Any:
    """The schema of a part that is cut out: nothing of it must be there."""
    if isinstance(schema, dict):
        kept = {name: value for name, value in schema.items() if name != "required"}
        return {name: without_required(value) for name, value in kept.items()}
    return [without_required(item) for item in schema] if isinstance(schema, list) else schema


def fragment_schemas() -> list[tuple[set[str], Any]]:
    """The keys of a spec, of a policy and of each of their sections, with the schema."""
    found = []
    for kind in ("model", "policy"):
        schema = without_required(json_schema(kind))  # type: ignore[arg-type]
        for part in (schema, *schema["$defs"].values()):
            whole = {**deepcopy(part), "$defs": schema["$defs"]}
            found.append((set(part["properties"]), whole))
    return found


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_is_of_a_spec_or_of_a_policy(block: Block) -> None:
    content = yaml.safe_load(block.text)
    if content is None:
        schema_line = "# yaml-language-server: $schema=../schema/"
        assert all(line.startswith(schema_line) for line in block.text.splitlines()), block
        return
    schemas = [schema for keys, schema in fragment_schemas() if content.keys() <= keys]
    assert schemas, f"{block}: no section of a spec or of a policy has these keys"
    errors = [
        list(jsonschema.Draft202012Validator(schema).iter_errors(content)) for schema in schemas
    ]
    assert [] in errors, f"{block}: {errors[0]}"


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_maps_the_schemas_that_init_writes(block: Block, tmp_path: Path) -> None:
    assert init(tmp_path) == 0
    (mapped,) = json.loads(block.text).values()
    for schema, pattern in mapped.items():
        assert (tmp_path / schema).is_file()
        assert list((PROJECT / "demo").glob(pattern)), "where specs and policies are"


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_ini_sets_options_that_are_there(block: Block) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    assert parser.sections() == ["mlops"]
    options = {row[0].strip("`") for row in setting_rows()}
    assert set(parser["mlops"]) <= options


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_names_what_the_page_defines(block: Block) -> None:
    groups = tomllib.loads(block.text)["project"]["entry-points"]
    assert groups.keys() <= GROUPS
    for points in groups.values():
        assert set(points.values()) <= definitions(block.page)


def definitions(page: Path) -> set[str]:
    """What the page's module defines, as ``module:name``.

    A sentence may add a variable to it, as ``MEAN_GAP = MeanGap()``.
    """
    found = set(re.findall(r"`(\w+) = \w+\(\)`", page.read_text()))
    (module,) = [b for b in blocks("python") if b.page == page and b.text.startswith("# ")]
    for node in ast.parse(module.text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.Assign):
            found.add(ast.unparse(node.targets[0]))
    named = re.match(r"# (\w+)\.py\n", module.text)
    assert named, module
    return {f"{named[1]}:{name}" for name in found}
