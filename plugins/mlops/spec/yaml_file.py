"""Read a YAML file into a frozen record, with errors that say file, line and what is expected.

The fast path costs one C parse and one validation. Line numbers are worked out only when
something is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mlops.errors import SpecError
from mlops.spec.section import deprecated_keys, warn_of_deprecated_keys

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml: ten times slower, the same result
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

Record = TypeVar("Record", bound=BaseModel)

_DUPLICATE = "the same key twice"
# A spec has seven levels and some hundred values. Far deeper, and the parser in C ends the whole
# process; far more, and a few aliases of aliases fill the memory: other models' DAGs go with both.
MAX_LEVELS = 50
MAX_VALUES = 100_000


class _StrictLoader(_Loader):
    """YAML keeps the last of two equal keys without a word; a spec must not.

    Nor may a key be anything but text: YAML reads ``on``, ``no`` and ``2013`` otherwise, and a
    column of that name would silently be called ``true``, ``false`` or ``2013``. The parameters of
    an estimator may have such keys, ``class_weight: {0: 1, 1: 5}``; JSON keeps them as text.

    Numbers are those of YAML 1.2: ``1e-1`` is one, which YAML 1.1 takes for text.
    """

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        try:
            return super().construct_object(node, deep=deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # a date of the month 13, a !!bool that is neither
            problem = str(error) if isinstance(error, ValueError) else f"no {node.tag}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


_MERGE = "tag:yaml.org,2002:merge"
_FLOAT = "tag:yaml.org,2002:float"
# The mapping in which a candidate, a criterion or a notifier has the arguments of a function.
_PARAMETERS = "params"


def _mapping(
    loader: Any,
    node: yaml.MappingNode,
    *,
    in_parameters: bool = False,
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            continue
        key = _key(loader, key_node, in_parameters=in_parameters)
        if key in result:
            raise yaml.MarkedYAMLError(
                problem=f"{_DUPLICATE}: {key}", problem_mark=key_node.start_mark
            )
        result[key] = _value(loader, value_node, in_parameters=in_parameters or key == _PARAMETERS)
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            for merged in _merged(loader, value_node, in_parameters=in_parameters):
                # What the mapping has itself goes first, then the earlier one of a list.
                result = {**merged, **result}
    return result


def _merged(loader: Any, node: yaml.Node, *, in_parameters: bool) -> Iterator[dict[str, Any]]:
    """The mappings that ``<<`` brings in: one, or those of a list."""
    parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for part in parts:
        if not isinstance(part, yaml.MappingNode):
            raise yaml.MarkedYAMLError(
                problem="'<<' takes a mapping or a list of mappings", problem_mark=node.start_mark
            )
        yield _mapping(loader, part, in_parameters=in_parameters)


def _key(loader: Any, node: yaml.Node, *, in_parameters: bool) -> str:
    key = loader.construct_object(node, deep=True)
    if isinstance(key, str):
        return key
    if in_parameters and isinstance(key, bool | int):
        return json.dumps(key)
    raise yaml.MarkedYAMLError(
        problem=f"the key {key!r}, which YAML does not read as text; put it into quotes",
        problem_mark=node.start_mark,
    )


def _value(loader: Any, node: yaml.Node, *, in_parameters: bool) -> Any:
    """A value; below the parameters, mappings may have keys that are not text."""
    if not in_parameters or node.tag not in (_MAPPING, _SEQUENCE):
        return loader.construct_object(node, deep=True)
    if node in loader.recursive_objects:  # an alias within what it names
        raise yaml.MarkedYAMLError(
            problem="found unconstructable recursive node", problem_mark=node.start_mark
        )
    loader.recursive_objects[node] = None
    if isinstance(node, yaml.MappingNode):
        found: Any = _mapping(loader, node, in_parameters=True)
    else:
        found = [_value(loader, item, in_parameters=True) for item in node.value]
    del loader.recursive_objects[node]
    return found


_MAPPING = yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG
_SEQUENCE = yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG
_StrictLoader.add_constructor(_MAPPING, _mapping)
# The core schema of YAML 1.2.2, section 10.3.2.
_StrictLoader.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def read_yaml(
    path: Path,
    record: type[Record],
    *,
    context_of: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Record:
    """Read ``path`` as ``record``.

    :param context_of: gives the context of the validators from what the file holds.

    :raises SpecError: the file is missing, is not YAML, or does not fit; one error that names
        every place that does not fit, a line each.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read", found=error.strerror, expected="a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{path}:{line_of_byte(error)}: is not UTF-8", found=error.reason, expected="UTF-8 text"
        ) from error
    try:
        _refuse_extent(text)
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a subclass of the safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{path}:{line}: is not YAML: {error.reason}") from error
    try:
        # Through JSON, since strict validation takes a list for a tuple from JSON only.
        found = record.model_validate_json(
            json.dumps(content, default=_as_text), context=context_of and context_of(content)
        )
    except TypeError as error:
        raise SpecError(
            f"{path}: holds a value that a spec cannot keep",
            found=str(error),
            expected="text, numbers, true, false, null, lists and mappings",
        ) from error
    except ValidationError as error:
        raise SpecError(_explain(path, text, error)) from error
    deprecated = list(deprecated_keys(found, content))
    if deprecated:
        root = yaml.compose(text, Loader=_Loader)
        warn_of_deprecated_keys(
            path,
            min(_line(root, place) for place, _ in deprecated),
            {str(place[-1]): new for place, new in deprecated},
        )
    return found


class _Extent:
    """What a part of the file comes to where its aliases are written out.

    :ivar anchor: the name by which aliases speak of it.
    :ivar levels: how deep it is nested.
    :ivar values: how many values it has, itself included.
    """

    __slots__ = ("anchor", "levels", "values")

    def __init__(self, anchor: str | None) -> None:
        self.anchor = anchor
        self.levels = self.values = 1


_VALUE = _Extent(None)


def _refuse_extent(text: str) -> None:
    """Refuse a file that is nested too deep, or that comes to too much with its aliases.

    It looks at the parser's events, which come one after the other at any depth of nesting.
    """
    known: dict[str | None, _Extent] = {}
    around = [_Extent(None)]  # the file itself
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        if isinstance(event, yaml.ScalarEvent):
            part = _VALUE
        elif isinstance(event, yaml.CollectionStartEvent):
            around.append(_Extent(event.anchor))
            part = _VALUE
        elif isinstance(event, yaml.CollectionEndEvent):
            part = around.pop()
            if part.anchor is not None:
                known[part.anchor] = part
        elif isinstance(event, yaml.AliasEvent):
            part = known.get(event.anchor, _VALUE)
        else:
            continue
        above = around[-1]
        above.levels = max(above.levels, part.levels + 1)
        above.values += part.values
        if len(around) + part.levels > MAX_LEVELS:
            problem = f"more than {MAX_LEVELS} levels, one within the other"
        elif above.values > MAX_VALUES:
            problem = f"more than {MAX_VALUES:,} values, with its aliases written out"
        else:
            continue
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def line_of_byte(error: UnicodeDecodeError) -> int:
    """The line of the byte that is not UTF-8."""
    return error.object.count(b"\n", 0, error.start) + 1


def _as_text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    # A set has another order in each process, and so another digest.
    raise TypeError(f"{type(value).__name__} {value!r}")


def _explain(path: Path, text: str, error: ValidationError) -> str:
    root = yaml.compose(text, Loader=_Loader)
    lines = []
    for problem in error.errors(include_url=False):
        if problem["type"] == "too_short" and problem["input"]:
            continue  # its items are there, and each has an error of its own
        where = _without_tag(problem["loc"])
        name = ".".join(str(part) for part in where) or "the file"
        lines.append((_line(root, where), f"{name}: {_sentence(problem)}"))
    return "\n".join(f"{path}:{line}: {sentence}" for line, sentence in sorted(lines))


def _without_tag(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """``where`` without the kind that pydantic puts behind the name of a feature."""
    if where[:2] == ("develop", "features") and where[3:4] in (("numeric",), ("categorical",)):
        return where[:3] + where[4:]
    return where


def _sentence(problem: Any) -> str:
    kind, message = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return str(message).removeprefix("Value error, ")
    found = problem.get("input")
    if isinstance(found, dict | list):
        shown = "a mapping" if isinstance(found, dict) else "a list"
    else:
        shown = repr(found)
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
