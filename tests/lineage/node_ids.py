"""Node ids as Marquez builds them of names, and takes them apart again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mlops.errors import LineageError
from mlops.lineage.safe_names import LONGEST, checked_namespace, safe_name

# How Marquez takes ids apart (NodeId.parts): first simply, then with respect for addresses.
_SIMPLE_CUT = re.compile(r"[:#]")
_CAREFUL_CUT = re.compile(r":(?!//|[0-9]+)")
_VERSION = "#"
_PARTS = {"dataset": 3, "datasetField": 4, "job": 3}


@dataclass(frozen=True)
class Node:
    """A node id, taken apart.

    :ivar kind: ``dataset``, ``datasetField`` or ``job``.
    :ivar name: of the dataset or of the job, as it stands in events.
    :ivar field: the column, of a ``datasetField`` only.
    :ivar version: what follows ``#``, if anything does.
    """

    kind: str
    namespace: str
    name: str
    field: str | None = None
    version: str | None = None


def original_name(safe: str) -> str:
    """The name of which :func:`safe_name` made this one."""
    return unquote(safe, errors="strict")


def dataset_id(namespace: str, name: str) -> str:
    """Marquez's id of a dataset, ``dataset:{namespace}:{name}``.

    :param name: as it stands in events, so already :func:`safe <safe_name>`.
    :raises LineageError: when Marquez would take the id apart in another way.
    """
    return _joined(Node("dataset", namespace, name))


def field_id(namespace: str, name: str, field: str) -> str:
    """Marquez's id of a column, ``datasetField:{namespace}:{name}:{field}``.

    :param name: of the dataset; like ``field`` as it stands in events.
    :raises LineageError: when Marquez would take the id apart in another way.
    """
    return _joined(Node("datasetField", namespace, name, field))


def job_id(namespace: str, name: str) -> str:
    """Marquez's id of a job, ``job:{namespace}:{name}``.

    :param name: as it stands in events.
    :raises LineageError: when Marquez would take the id apart in another way.
    """
    return _joined(Node("job", namespace, name))


def split(node_id: str) -> Node:
    """Take a node id apart exactly as Marquez does.

    :raises LineageError: when Marquez could not.
    """
    kind = node_id.partition(":")[0]
    count = _PARTS.get(kind)
    if count is None:
        raise LineageError("a node id", found=node_id)
    # Java's split drops the empty parts at the end.
    parts = _SIMPLE_CUT.split(node_id.rstrip(":#"))
    if len(parts) > count:
        parts = _CAREFUL_CUT.split(node_id, maxsplit=count - 1)
    # A digit after the kind hides its cut: then the first part is not the kind alone.
    if len(parts) != count or not all(parts) or parts[0] != kind:
        raise LineageError("a node id", found=node_id)
    last, _, version = parts[-1].partition(_VERSION)
    rest = [*parts[1:-1], last]
    return Node(kind, rest[0], rest[1], rest[2] if len(rest) > 2 else None, version or None)


def _joined(node: Node) -> str:
    parts = [node.kind, checked_namespace(node.namespace), node.name]
    if node.field is not None:
        parts.append(node.field)
    node_id = ":".join(parts)
    for name in parts[2:]:
        if len(name) > LONGEST or safe_name(original_name(name)) != name:
            raise LineageError(f"the name {name!r} is not in the form that safe_name gives it")
    if split(node_id) != node:
        raise LineageError("a node id", found=node_id)
    return node_id
