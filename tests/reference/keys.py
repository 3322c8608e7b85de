"""The keys of a spec and of a policy, from the records that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from mlops.spec import model
from mlops.spec.schema import RECORDS, Kind, meaning, meanings
from tests.reference.text import markdown, sentence, table

# What a text with one of these patterns is, for readers.
_KINDS = {
    "Name": "lower-case name",
    "ColumnName": "column name",
    "ItemName": "name",
    "SqlFile": "file, as `features.sql`",
    "DottedName": "dotted name",
}
_PATTERNS = {
    part.pattern: words
    for alias, words in _KINDS.items()
    for part in get_args(getattr(model, alias))[1:]
}
_BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def key_sections(kind: Kind) -> str:
    """A section for each part of a spec or of a policy: what it is for, and a table of its keys."""
    record = RECORDS[kind]
    schema = record.model_json_schema()
    places: dict[type[BaseModel], list[str]] = {}
    for place, part in _places(record, ""):
        places.setdefault(part, []).append(place)
    return "\n".join(
        _section(part, found, schema if part is record else schema["$defs"][part.__name__])
        for part, found in places.items()
    )


def _places(record: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Where each part is in the file, as ``develop.gates[]``."""
    yield place, record
    for name, field in record.model_fields.items():
        for more, part in _parts(field.annotation):
            yield from _places(part, f"{place}.{name}{more}".lstrip("."))


def _parts(annotation: Any, more: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield more, annotation
    step = {tuple: "[]", dict: ".<name>"}.get(get_origin(annotation) or object, "")
    for part in get_args(annotation):
        yield from _parts(part, more + step)


def _section(record: type[BaseModel], places: list[str], schema: Mapping[str, Any]) -> str:
    title = "The file" if places == [""] else ", ".join(f"`{place}`" for place in places)
    kind = schema["properties"].get("kind", {}).get("const")
    if kind is not None:
        title += f" of kind `{kind}`"
    words = meanings(record)
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            type_of(key),
            "**required**" if name in required else default_of(key),
            sentence(markdown(words[name])),
        )
        for name, key in schema["properties"].items()
    ]
    head = ("key", "type", "default", "what it is")
    return f"## {title}\n\n{markdown(meaning(record))}\n\n{table(head, rows)}"


def type_of(key: Mapping[str, Any]) -> str:
    """The type of a key in words."""
    if "const" in key or "enum" in key:
        return ", ".join(f"`{value}`" for value in key.get("enum", [key.get("const")]))
    if "anyOf" in key:
        return ", or ".join(type_of(part) for part in key["anyOf"] if part != {"type": "null"})
    if key.get("type") == "array":
        return _list_type(key)
    if key.get("type") == "object":
        return _mapping_type(key)
    return _scalar_type(key) if "type" in key else "section"


def _mapping_type(key: Mapping[str, Any]) -> str:
    if key.get("additionalProperties") is True:
        return "by name: any value"
    (values,) = key.get("patternProperties", {"": key.get("additionalProperties")}).values()
    return f"by name: {type_of(values)}"


def _list_type(key: Mapping[str, Any]) -> str:
    if "prefixItems" in key:
        (inner,) = {type_of(part) for part in key["prefixItems"]}
        return f"two of: {inner}"
    return f"list: {type_of(key['items'])}"


def _scalar_type(key: Mapping[str, Any]) -> str:
    if key["type"] == "string":
        return _PATTERNS.get(key.get("pattern"), "text")
    word = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    if {"minimum", "maximum"} <= key.keys():
        return f"{word[key['type']]}, {key['minimum']:,} to {key['maximum']:,}"
    bounds = [f"{sign} {key[name]:,}" for name, sign in _BOUNDS.items() if name in key]
    return " ".join([word[key["type"]], " and ".join(bounds)]).strip()


def default_of(key: Mapping[str, Any]) -> str:
    """The default of a key; none where it may be left out."""
    value = key.get("default")
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        return "its defaults"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"
