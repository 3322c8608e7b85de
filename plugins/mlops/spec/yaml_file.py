"""Read a YAML file into a frozen record, with errors that say file, line and what is expected.

The fast path costs one C parse and one validation. Line numbers are worked out only when
something is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mlops.errors import SpecError

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml: ten times slower, the same result
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

Record = TypeVar("Record", bound=BaseModel)

_DUPLICATE = "the same key twice"


class _StrictLoader(_Loader):
    """YAML keeps the last of two equal keys without a word; a spec must not."""


def _mapping(loader: Any, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=deep)
        if key in result:
            raise yaml.MarkedYAMLError(
                problem=f"{_DUPLICATE}: {key}", problem_mark=key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, record: type[Record]) -> Record:
    """Read ``path`` as ``record``.

    :raises SpecError: the file is missing, is not YAML, or does not fit; one error that names
        every place that does not fit, a line each.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read", found=error.strerror, expected="a YAML file"
        ) from error
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a subclass of the safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: is not YAML", found=error.problem) from error
    except yaml.YAMLError as error:
        raise SpecError(f"{path}:1: is not YAML", found=str(error)) from error
    try:
        # Through JSON, since strict validation takes a list for a tuple from JSON only.
        return record.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SpecError(_explain(path, text, error)) from error


def _explain(path: Path, text: str, error: ValidationError) -> str:
    root = yaml.compose(text, Loader=_Loader)
    lines = []
    for problem in error.errors(include_url=False):
        where = tuple(part for part in problem["loc"] if part not in ("numeric", "categorical"))
        line = _line(root, where)
        name = ".".join(str(part) for part in where) or "the file"
        lines.append(f"{path}:{line}: {name}: {_sentence(problem)}")
    return "\n".join(lines)


def _sentence(problem: Any) -> str:
    kind, message = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return str(message).removeprefix("Value error, ")
    found = problem.get("input")
    shown = type(found).__name__ if isinstance(found, dict | list) else repr(found)
    return f"{message[0].lower()}{message[1:]}; found {shown}"


def _line(node: Any, where: tuple[int | str, ...]) -> int:
    """The line of the deepest part of ``where`` that the file has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in where:
        step = _child(node, part)
        if step is None:
            break
        key_node, node = step
        line = key_node.start_mark.line + 1
    return int(line)


def _child(node: Any, part: int | str) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == str(part):
                return key_node, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
