"""Read what a model file would construct, and refuse it before anything is constructed.

A file in the skops format is a JSON description of objects beside their arrays. Every object in
it names its type and the loader that would build it; both are compared with
:mod:`mlops.core.artifact.allowed_types`; what skops itself would trust does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlops.core.artifact.allowed_types import ALLOWED, EXTENSIBLE, PARTIAL_TARGETS
from mlops.errors import ArtifactRefused

SCHEMA = "schema.json"

# The versions of the format whose loaders were read for this list. An older number would let a
# file choose older, less strict loaders.
PROTOCOLS = (2,)

_NAMED_AT_MOST = 8

# Refers to an object that was described, and so audited, elsewhere in the file.
_REFERENCE = "CachedNode"

# The only ones that a JSON reader makes.
_CONTAINERS = (dict, list)


def audit(schema: Any, *, members: Iterable[str], trusted: Iterable[str] = ()) -> frozenset[str]:
    """Check every type that a model file names.

    :param schema: the parsed ``schema.json``.
    :param members: the names of the other members of the file.
    :param trusted: dotted names of types and functions that the spec adds to the list.
    :returns: the names of all types in the file.
    :raises ArtifactRefused: naming the types that are not on the list, or what else is wrong.
    """
    _check_root(schema)
    extra = frozenset(trusted)
    names: set[str] = set()
    files: set[str] = set()
    refused: dict[str, str | None] = {}
    for node in _nodes(schema):
        if node["__loader__"] == _REFERENCE:
            continue
        name = _name(node)
        names.add(name)
        if not _is_allowed(node, name, extra):
            refused[_describe(node, name)] = _permission(node, name)
        if "file" in node:
            files.add(str(node["file"]))
    if refused:
        raise _types_refused(refused)
    unused = sorted(set(members) - files)
    if unused:
        raise ArtifactRefused(
            "a model file holds members that its model does not use",
            found=", ".join(unused[:_NAMED_AT_MOST]),
            expected=f"{SCHEMA} and the arrays that it names",
        )
    return frozenset(names)


def _check_root(schema: Any) -> None:
    is_node = isinstance(schema, dict) and isinstance(schema.get("__loader__"), str)
    if not is_node:
        raise ArtifactRefused(
            f"{SCHEMA} of a model file does not describe an object",
            expected="a file in the skops format",
            action="package the model again from its training run",
        )
    protocol = schema.get("protocol")
    if isinstance(protocol, bool) or protocol not in PROTOCOLS:
        raise ArtifactRefused(
            "a model file has an unknown version of the skops format",
            found=f"protocol {protocol!r}",
            expected=f"protocol {', '.join(map(str, PROTOCOLS))}",
            action="package the model again with the installed version of skops",
        )


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of the description that a loader could be called for, at any depth."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if type(value) is dict:
            if type(value.get("__loader__")) is str:
                yield value
            stack.extend(part for part in value.values() if type(part) in _CONTAINERS)
        else:
            stack.extend(part for part in value if type(part) in _CONTAINERS)


def _name(node: Mapping[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _is_allowed(node: Mapping[str, Any], name: str, extra: frozenset[str]) -> bool:
    loader = node["__loader__"]
    if name not in ALLOWED.get(loader, ()) and not (loader in EXTENSIBLE and name in extra):
        return False
    return loader != "PartialNode" or _partial_target(node) in PARTIAL_TARGETS | extra


def _partial_target(node: Mapping[str, Any]) -> str | None:
    """The function that a partial calls, if it is named and given no positional arguments."""
    content = node.get("content")
    if not isinstance(content, dict):
        return None
    func, args = content.get("func"), content.get("args")
    if not (isinstance(func, dict) and isinstance(args, dict)):
        return None
    is_plain = func.get("__loader__") == "FunctionNode" and args.get("content") == []
    return _name(func) if is_plain else None


def _describe(node: Mapping[str, Any], name: str) -> str:
    if node["__loader__"] == "PartialNode":
        return f"{name} of {_partial_target(node) or 'something that is not a plain function'}"
    return name


def _permission(node: Mapping[str, Any], name: str) -> str | None:
    """What a spec can name under ``trusted_types`` to allow this node; None if nothing can."""
    loader = node["__loader__"]
    wanted = name if loader in EXTENSIBLE else None
    if loader == "PartialNode" and name in ALLOWED[loader]:
        wanted = _partial_target(node)
    is_dotted = wanted is not None and "." in wanted and wanted.replace(".", "_").isidentifier()
    return wanted if is_dotted else None


def _types_refused(refused: Mapping[str, str | None]) -> ArtifactRefused:
    """The error, with an action that works: types that a spec may allow, or another estimator."""
    never = sorted(name for name, permission in refused.items() if permission is None)
    allowed_by = sorted({permission for permission in refused.values() if permission is not None})
    action = (
        "choose another estimator; or, after reading what each of them does, name them under "
        f"'develop: trusted_types' of the spec, which the approvers will see: {_list(allowed_by)}"
    )
    if never:
        action = f"choose another estimator or model format: no spec can allow {_list(never)}"
    return ArtifactRefused(
        "a model file holds types that may not be constructed",
        found=_list(sorted(refused)),
        expected="types of the list in mlops/core/artifact/allowed_types.py",
        action=action,
    )


def _list(names: list[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
