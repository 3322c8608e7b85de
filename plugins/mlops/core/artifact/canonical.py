"""The canonical form of a skops file: the same model, the same bytes.

skops names members by the address of an object or at random, gives objects their addresses as
ids, and writes what happened to be in the memory between the fields of records. None of that
belongs to the model. It is rewritten here; plain skops reads the result.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from mlops.core.artifact.audit import SCHEMA
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.digests import digest_bytes

# Objects that cannot be changed: two equal ones may be written as one. Whether they are one
# object in memory is an accident (of interning, say) that must not reach the digest.
_IMMUTABLE = frozenset({"BytesNode", "FunctionNode", "JsonNode", "SliceNode", "TypeNode"})

_APART = frozenset({"__id__", "file", "key_types"})

_ARRAY = b"\x93NUMPY"
_RECORDS = b"'descr': ["

# Where the state of a neighbour tree counts the queries that it has answered.
_NEIGHBOUR_TREES = frozenset({"BallTree", "KDTree"})
_QUERY_COUNTS = range(7, 11)


def canonical(data: bytes) -> bytes:
    """Rewrite a file of ``skops.io.dumps`` in canonical form."""
    members = read_members(data, what="a file in the skops format")
    schema = json.loads(members.pop(SCHEMA))
    rewriter = _Rewriter(members)
    text = json.dumps(rewriter.rewrite(schema), separators=(",", ":"))
    return write_stored_zip([(SCHEMA, text.encode()), *rewriter.contents.items()])


class _Rewriter:
    """Names and ids by order of appearance, instead of addresses and random numbers.

    :ivar contents: the members of the new file by their new names; equal ones are one.
    """

    def __init__(self, members: dict[str, bytes]) -> None:
        self.contents: dict[str, bytes] = {}
        self._members = {name: _without_padding(data) for name, data in members.items()}
        self._digests = {name: digest_bytes(data) for name, data in self._members.items()}
        self._names: dict[str, str] = {}
        self._ids: dict[object, int] = {}

    def rewrite(self, state: dict[str, Any]) -> dict[str, Any]:
        """The description of an object, in canonical form."""
        return self._node(state)[0]

    def _node(self, state: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The new description, and whether the object cannot be changed."""
        loader = state["__loader__"]
        node: dict[str, Any] = {}
        frozen = True
        state = self._without_accidents(state)
        if "file" in state:
            node["file"] = self._file(state["file"])
        if "key_types" in state:
            node["key_types"] = self._key_types(state["key_types"])
        for key in sorted(state.keys() - _APART, key=_loading_order):
            node[key], part = self._value(state[key])
            frozen = frozen and part
        is_scalar = loader == "NdArrayNode" and state["__class__"] != "ndarray"
        frozen = frozen and (loader in _IMMUTABLE or loader == "TupleNode" or is_scalar)
        return self._identified(node, None if frozen else state["__id__"]), frozen

    def _key_types(self, state: dict[str, Any]) -> dict[str, Any]:
        """The types of a dictionary's keys, written once and then referred to.

        They are made while dumping, for the loader alone, and are no part of the model; in a
        forest they are half of the description.
        """
        known = len(self._ids)
        node = self._identified(self._node(state)[0], None)
        if node["__id__"] > known:
            return node
        reference = {"__class__": None, "__module__": None, "__loader__": "CachedNode"}
        return {**reference, "__id__": node["__id__"]}

    def _without_accidents(self, state: dict[str, Any]) -> dict[str, Any]:
        """Leave out what depends on the history of an object, not on what it was fitted to."""
        loader: str = state["__loader__"]
        content: Any = state.get("content")
        if loader == "SetNode":
            # A set has no order; the one that hashing gave it differs between processes.
            return {**state, "content": sorted(state["content"], key=self._content_key)}
        if loader == "ObjectNode" and state["__class__"] in _NEIGHBOUR_TREES:
            parts = list(state["content"]["content"])
            for index in _QUERY_COUNTS:
                parts[index] = _json_node("0")
            return {**state, "content": {**state["content"], "content": parts}}
        if loader == "PartialNode" and not content["namespace"]["content"]:
            # Looking for attributes on a partial gives it an empty dictionary.
            return {**state, "content": {**content, "namespace": _json_node("null")}}
        return state

    def _value(self, value: Any) -> tuple[Any, bool]:
        if isinstance(value, dict):
            if isinstance(value.get("__loader__"), str):
                return self._node(value)
            pairs = {key: self._value(item) for key, item in value.items()}
            return {key: item for key, (item, _) in pairs.items()}, _all(pairs.values())
        if isinstance(value, list):
            items = [self._value(item) for item in value]
            return [item for item, _ in items], _all(items)
        return value, True

    def _identified(self, node: dict[str, Any], object_id: int | None) -> dict[str, Any]:
        """The node with its id: by content where ``object_id`` is none, else by identity."""
        node.pop("__id__", None)
        identity = json.dumps(node) if object_id is None else object_id
        node["__id__"] = self._ids.setdefault(identity, len(self._ids) + 1)
        return node

    def _file(self, name: str) -> str:
        digest = self._digests[name]
        if digest not in self._names:
            suffix = name.rpartition(".")[2]
            self._names[digest] = f"{len(self._names) + 1}.{suffix}"
            self.contents[self._names[digest]] = self._members[name]
        return self._names[digest]

    def _content_key(self, state: Any) -> str:
        return json.dumps(self._without_ids(state), sort_keys=True)

    def _without_ids(self, value: Any) -> Any:
        if isinstance(value, dict):
            pairs = {key: item for key, item in value.items() if key != "__id__"}
            return {key: self._without_ids(item) for key, item in pairs.items()}
        if isinstance(value, list):
            return [self._without_ids(item) for item in value]
        return self._digests.get(value, value) if isinstance(value, str) else value


def _without_padding(content: bytes) -> bytes:
    """An array with zeros in the gaps between its fields, where any memory may have lain."""
    if not (content.startswith(_ARRAY) and _RECORDS in content[: len(_ARRAY) + 16]):
        return content
    records = np.load(io.BytesIO(content), allow_pickle=False)
    start = len(content) - records.nbytes
    data = np.frombuffer(content, np.uint8, offset=start).reshape(-1, records.dtype.itemsize)
    is_gap = np.ones(records.dtype.itemsize, dtype=bool)
    for kind, offset, *_ in records.dtype.fields.values():
        is_gap[offset : offset + kind.itemsize] = False
    return content[:start] + np.where(is_gap, np.uint8(0), data).tobytes()


def _loading_order(key: str) -> tuple[bool, str]:
    """As skops reads: what comes first defines what later parts refer to."""
    return key == "__reduce__", key


def _json_node(content: str) -> dict[str, Any]:
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": content,
        "is_json": True,
        "__id__": 0,
    }


def _all(parts: Iterable[tuple[Any, bool]]) -> bool:
    return all(frozen for _, frozen in parts)
