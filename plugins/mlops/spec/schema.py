"""JSON Schema of what a person writes, for editors."""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal, get_args

from pydantic import BaseModel

from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy

Kind = Literal["model", "policy"]
RECORDS: dict[Kind, type[ModelSpec] | type[Policy]] = {"model": ModelSpec, "policy": Policy}


def json_schema(kind: Kind) -> dict[str, Any]:
    """The schema of a spec or of a policy; rules between keys are checked by ``mlops check`` only.

    Keys of earlier versions are read and not in the schema, so that an editor marks them.
    """
    schema = RECORDS[kind].model_json_schema()
    for record in records_of(RECORDS[kind]):
        _describe(schema if record is RECORDS[kind] else schema["$defs"][record.__name__], record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def records_of(record: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """A record and all that it is made of, once each, in the order of their keys."""
    found = [record]
    for field in record.model_fields.values():
        for part in _records_in(field.annotation):
            found += records_of(part)
    return tuple(dict.fromkeys(found))


def meaning(record: type[BaseModel]) -> str:
    """What a record is for: its docstring, without the list of its keys."""
    return inspect.cleandoc(record.__doc__ or "").partition("\n:ivar ")[0].strip()


def meanings(record: type[BaseModel]) -> dict[str, str]:
    """What each key of a record is for, by name, from the ``:ivar`` lines of its docstring."""
    text = inspect.cleandoc(record.__doc__ or "")
    lines = re.findall(r"^:ivar (\w+): (.*?)(?=^:ivar|\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: " ".join(words.split()) for name, words in lines}


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [record for part in get_args(annotation) for record in _records_in(part)]


def _describe(schema: dict[str, Any], record: type[BaseModel]) -> None:
    """Put in what an editor shows of a record and of each key."""
    schema["description"] = _without_markup(meaning(record))
    for name, words in meanings(record).items():
        schema["properties"][name]["description"] = _without_markup(words)


def _without_markup(text: str) -> str:
    """A text as an editor shows it: a sentence without backticks and line breaks."""
    plain = " ".join(text.replace("``", "'").split())
    return plain[:1].upper() + plain[1:]
