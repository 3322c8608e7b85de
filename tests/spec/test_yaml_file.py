"""Files that are not what YAML, or a spec, may be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from mlops.errors import SpecError
from mlops.spec import yaml_file
from mlops.spec.model import ModelSpec

if TYPE_CHECKING:
    from tests.spec.conftest import Folder

TITLE = "title: Will this customer leave within three months?"


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        pytest.param(
            "  exposure: low\n",
            "  exposure: low\n  exposure: high\n",
            "exposure: high",
            "is not YAML: the same key twice: exposure",
            id="key twice",
        ),
        pytest.param(
            "{train: 3}",
            "{train: 3, train: 4}",
            "train",
            "is not YAML: the same key twice: train",
            id="key twice on one line",
        ),
        pytest.param(
            "{C: 0.1}",
            "{C: {deep: [{a: 1, a: 2}]}}",
            "deep",
            "is not YAML: the same key twice: a",
            id="key twice far below",
        ),
        pytest.param(
            "{train: 3}",
            "{train: 3",
            "candidates",
            "is not YAML: did not find expected ',' or '}'",
            id="brace left open",
        ),
        pytest.param(
            "  use:",
            "\tuse:",
            "use:",
            "is not YAML: found a tab character that violates indentation",
            id="tab",
        ),
        pytest.param(
            "age: {min",
            "on: {min",
            "on: {min",
            "is not YAML: the key True, which YAML does not read as text; put it into quotes",
            id="key that YAML reads as true",
        ),
        pytest.param(
            TITLE,
            "title: !!python/object/apply:os.getcwd []",
            "title",
            "is not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.getcwd'",
            id="tag that would run code",
        ),
        pytest.param(
            TITLE,
            "title: 2026-13-01",
            "title",
            "is not YAML: month must be in 1..12",
            id="date of no month",
        ),
        pytest.param(
            "{C: 0.1}",
            "{C: !!bool perhaps}",
            "perhaps",
            "is not YAML: no tag:yaml.org,2002:bool",
            id="boolean of no meaning",
        ),
        pytest.param(
            "{C: 0.1}",
            "{C: " + "[" * 500 + "]" * 500 + "}",
            "{C: ",
            "is not YAML: more than 50 levels, one within the other",
            id="nested deep",
        ),
        pytest.param(
            "{C: 0.1}",
            "[&a [x, x, x, x, x, x, x, x, x, x]"
            + "".join(f", &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in pairwise("abcdefghi"))
            + "]",
            "&i",
            "is not YAML: more than 100,000 values, with its aliases written out",
            id="aliases of aliases",
        ),
        pytest.param(
            TITLE,
            "title: a bell \a",
            "title",
            "is not YAML: control characters are not allowed",
            id="control character",
        ),
        pytest.param(
            "{C: 0.1}",
            "&p {a: *p}",
            "&p",
            "is not YAML: found unconstructable recursive node",
            id="loop",
        ),
    ],
)
def test_broken_yaml_is_one_line_with_its_place(
    folder: Folder, old: str, new: str, where: str, sentence: str
) -> None:
    lines = folder.spec_error({old: new})
    assert lines == [f"models/churn.yml:{folder.line(where)}: {sentence}."]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "None"), ("# nothing yet\n", "None"), ("- model: churn\n", "a list"), ("5\n", "5")],
)
def test_a_file_that_is_no_mapping(folder: Folder, text: str, found: str) -> None:
    folder.spec_file.write_text(text)
    with pytest.raises(SpecError) as raised:
        folder.include.read_spec(folder.spec_file)
    assert folder.lines(raised.value) == [
        f"models/churn.yml:1: the file: input should be an object; found {found}."
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2026-13-01", "month must be in 1..12"),
        ("[2026-13-01]", "month must be in 1..12"),
        # So deep that the parser in C would end the process, and every model's DAGs with it.
        ("[" * 100_000, "more than 50 levels, one within the other"),
        ("- " * 100_000, "more than 50 levels, one within the other"),
    ],
    ids=["date", "list of a date", "brackets", "dashes"],
)
def test_a_file_that_is_wrong_from_its_first_character(
    folder: Folder, text: str, sentence: str
) -> None:
    folder.spec_file.write_text(text)
    with pytest.raises(SpecError) as raised:
        folder.include.read_spec(folder.spec_file)
    assert folder.lines(raised.value) == [f"models/churn.yml:1: is not YAML: {sentence}."]


def test_a_second_document_is_refused(folder: Folder) -> None:
    with folder.spec_file.open("a") as file:
        file.write("---\nmodel: other\n")
    with pytest.raises(SpecError, match=r"churn\.yml:\d+: is not YAML: but found another"):
        folder.include.read_spec(folder.spec_file)


def test_bytes_that_are_not_utf_8_have_a_line(folder: Folder) -> None:
    folder.spec_file.write_bytes(b"model: churn\ntitle: caf\xe9\n")
    with pytest.raises(SpecError) as raised:
        folder.include.read_spec(folder.spec_file)
    assert folder.lines(raised.value) == [
        "models/churn.yml:2: is not UTF-8; found invalid continuation byte; expected UTF-8 text."
    ]


def test_a_file_that_is_not_there(tmp_path: Path, folder: Folder) -> None:
    with pytest.raises(SpecError) as raised:
        folder.include.spec("nobody")
    assert folder.lines(raised.value) == [
        "models/nobody.yml: cannot be read; found No such file or directory; expected a YAML file."
    ]


@pytest.mark.parametrize(
    "value", ["!!set {x, y}", "!!binary aGVsbG8="], ids=["set without order", "bytes"]
)
def test_a_value_whose_digest_would_not_be_stable_is_refused(folder: Folder, value: str) -> None:
    lines = folder.spec_error({"{C: 0.1}": f"{{C: {value}}}"})
    assert len(lines) == 1
    assert lines[0].startswith("models/churn.yml: holds a value that a spec cannot keep; found ")


def test_a_date_is_read_as_its_iso_text(folder: Folder) -> None:
    candidate = folder.content({"{C: 0.1}": "{since: 2026-03-14}"}).develop.candidates[0]
    assert candidate.params == {"since": "2026-03-14"}


def test_an_anchor_may_be_used_again(folder: Folder) -> None:
    features = folder.content(
        {"age: {min: 0, max: 120}": "age: &years {min: 0, max: 120}\n    tenure: *years"}
    ).develop.features
    assert features["age"] == features["tenure"]


def test_a_mapping_is_merged_and_goes_before_what_it_brings_in(folder: Folder) -> None:
    merged = "age: &years {min: 0, max: 120}\n    tenure: {<<: *years, max: 9}"
    features = folder.content({"age: {min: 0, max: 120}": merged}).develop.features
    assert (features["tenure"].min, features["tenure"].max) == (0, 9)
    assert features["age"].max == 120


@pytest.mark.parametrize("written", ["1e-1", "1E-1", "+.1e0", "10e-2"])
def test_a_number_with_an_exponent_is_a_number(folder: Folder, written: str) -> None:
    """As YAML 1.2 has it; YAML 1.1 takes it for text."""
    candidate = folder.content({"{C: 0.1}": f"{{C: {written}}}"}).develop.candidates[0]
    assert candidate.params == {"C": 0.1}


def test_parameters_may_have_numbers_and_truth_values_as_keys(folder: Folder) -> None:
    """JSON, in which a spec is kept, has them as text; quotes make no difference to the digest."""
    bare = {"{C: 0.1}": "{class_weight: {0: 1, 1: 5.5}, tree: [{true: 2}]}"}
    quoted = {"{C: 0.1}": '{class_weight: {"0": 1, "1": 5.5}, tree: [{"true": 2}]}'}
    candidate = folder.content(bare).develop.candidates[0]
    assert candidate.params == {"class_weight": {"0": 1, "1": 5.5}, "tree": [{"true": 2}]}
    assert folder.content(quoted).develop.candidates[0] == candidate


def test_two_spellings_of_one_key_are_the_same_key(folder: Folder) -> None:
    with pytest.raises(SpecError, match="the same key twice: 0"):
        folder.content({"{C: 0.1}": '{class_weight: {0: 1, "0": 5}}'})


def test_what_cannot_be_merged_is_refused(folder: Folder) -> None:
    with pytest.raises(SpecError, match="'<<' takes a mapping or a list of mappings"):
        folder.content({"age: {min: 0, max: 120}": "age: {<<: 3}"})


def test_the_pure_python_parser_finds_the_same(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PyYAML was built without libyaml, strictness and line numbers are the same."""
    fast = folder.spec().digest
    source = Path(yaml_file.__file__).read_text()
    assert "from yaml import CSafeLoader as _Loader" in source
    monkeypatch.delattr(yaml, "CSafeLoader")
    slow: dict[str, object] = {"__name__": "slow_yaml_file"}
    exec(compile(source, "slow_yaml_file", "exec"), slow)
    read = slow["read_yaml"]
    assert slow["_Loader"] is yaml.SafeLoader
    assert read(folder.spec_file, ModelSpec) == folder.spec().content
    assert folder.spec().digest == fast
    folder.spec_file.write_text("model: churn\ntitle: a\ntitle: b\n")
    with pytest.raises(SpecError, match=r"churn\.yml:3: is not YAML: the same key twice"):
        read(folder.spec_file, ModelSpec)
