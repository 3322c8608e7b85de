"""JSON Schema of what a person writes, for editors."""

from __future__ import annotations

from typing import Any, Literal

from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy

Kind = Literal["model", "policy"]
_RECORDS: dict[Kind, type[ModelSpec] | type[Policy]] = {"model": ModelSpec, "policy": Policy}


def json_schema(kind: Kind) -> dict[str, Any]:
    """The schema of a spec or of a policy; rules between keys are checked by ``mlops check`` only.

    Keys of earlier versions are read and not in the schema, so that an editor marks them.
    """
    schema = _without_markup(_RECORDS[kind].model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_markup(value: Any) -> Any:
    """Descriptions as an editor shows them: no backticks of docstrings, no line breaks."""
    if isinstance(value, list):
        return [_without_markup(item) for item in value]
    if not isinstance(value, dict):
        return value
    cleaned = {name: _without_markup(item) for name, item in value.items()}
    if isinstance(text := cleaned.get("description"), str):
        cleaned["description"] = " ".join(text.replace("``", "'").split())
    return cleaned
