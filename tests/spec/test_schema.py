"""The published JSON Schemas accept what is sound and mark what an editor can mark."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlops.spec.schema import RECORDS, json_schema, meaning, meanings, records_of

PROJECT = Path(__file__).parents[2]
SPECS = [*PROJECT.glob("demo/include/models/*.yml"), *PROJECT.glob("docs/example/models/*.yml")]


def errors(kind: Any, content: Any) -> list[tuple[str, str]]:
    """Each error's place and kind, as an editor marks them."""
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    found = jsonschema.Draft202012Validator(schema).iter_errors(content)
    return [(".".join(map(str, error.path)), str(error.validator)) for error in found]


def misspelt(content: Any) -> Iterator[tuple[str, Any]]:
    """The content with one key misspelt, for each of its keys; with the misspelt key."""
    if not isinstance(content, dict):
        return
    for key, inner in content.items():
        wrong = f"{key}_"
        yield wrong, {wrong if name == key else name: value for name, value in content.items()}
        for name, changed in misspelt(inner):
            yield name, {**deepcopy(content), key: changed}


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_sound_specs_have_no_error(file: Path) -> None:
    assert errors("model", yaml.safe_load(file.read_text())) == []


def test_a_sound_policy_has_no_error() -> None:
    file = PROJECT / "demo" / "include" / "policies" / "standard.yml"
    assert errors("policy", yaml.safe_load(file.read_text())) == []


def test_an_editor_marks_a_wrong_value_a_wrong_key_and_a_missing_one() -> None:
    spec = yaml.safe_load(SPECS[0].read_text())
    spec["manage"]["exposure"] = "enormous"
    spec["deploy"] = {"shard": 2}
    del spec["develop"]["gates"]
    assert sorted(errors("model", spec)) == [
        ("deploy", "additionalProperties"),
        ("develop", "required"),
        ("manage.exposure", "enum"),
    ]


def test_an_editor_shows_what_a_key_is_about() -> None:
    schema = json_schema("model")
    assert "`" not in schema["$defs"]["Kpi"]["description"]
    assert "\n" not in schema["$defs"]["Kpi"]["description"]
    assert schema["$defs"]["Manage"]["properties"]["exposure"]["enum"] == ["low", "medium", "high"]


def test_an_editor_marks_every_key_that_is_misspelt() -> None:
    spec = yaml.safe_load(SPECS[0].read_text())
    for free in ("features", "candidates"):  # their keys are names and arguments of the user's own
        del spec["develop"][free]
    validator = jsonschema.Draft202012Validator(json_schema("model"))
    changed = list(misspelt(spec))
    assert len(changed) > 50
    for key, content in changed:
        messages = [error.message for error in validator.iter_errors(content)]
        assert any(f"'{key}' was unexpected" in message for message in messages), key


@pytest.mark.parametrize("kind", RECORDS)
def test_an_editor_explains_every_key(kind: Any) -> None:
    schema = json_schema(kind)
    for record in records_of(RECORDS[kind]):
        assert list(meanings(record)) == list(record.model_fields), record.__name__
        assert meaning(record).endswith(".")
        part = schema if record is RECORDS[kind] else schema["$defs"][record.__name__]
        assert ":ivar" not in part["description"]
        for key in part["properties"].values():
            assert key["description"].endswith("."), key


def test_the_schema_has_no_record_that_is_not_explained() -> None:
    for kind, record in RECORDS.items():
        known = {part.__name__ for part in records_of(record)} - {record.__name__}
        assert set(json_schema(kind)["$defs"]) == known
