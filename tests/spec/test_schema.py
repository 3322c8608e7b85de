"""The published JSON Schemas accept what is sound and mark what an editor can mark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlops.spec.schema import json_schema

PROJECT = Path(__file__).parents[2]
SPECS = [*PROJECT.glob("demo/include/models/*.yml"), *PROJECT.glob("docs/example/models/*.yml")]


def errors(kind: Any, content: Any) -> list[tuple[str, str]]:
    """Each error's place and kind, as an editor marks them."""
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    found = jsonschema.Draft202012Validator(schema).iter_errors(content)
    return [(".".join(map(str, error.path)), str(error.validator)) for error in found]


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
