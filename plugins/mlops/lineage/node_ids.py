"""Names that survive Marquez, and the node ids that it builds of them.

Marquez joins kind, namespace and name of a node with ``:`` and takes the id apart again with a
regular expression that spares ``://`` and ``:5432``. Names of people's tables and columns that it
would cut elsewhere are written in events in another way, from which they can be read back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote, unquote

from mlops.errors import LineageError

# Marquez casts namespaces, names of jobs and of datasets, and column names to VARCHAR(255).
LONGEST = 255

# How Marquez takes ids apart (NodeId.parts): first simply, then with respect for addresses.
_SIMPLE_CUT = re.compile(r"[:#]")
_CAREFUL_CUT = re.compile(r":(?!//|[0-9]+)")
_VERSION = "#"
_PARTS = {"dataset": 3, "datasetField": 4, "job": 3}

# Marquez replaces ; and = in namespaces by _, so two of them could become one.
_NAMESPACE = re.compile(r"[a-zA-Z:/0-9_\-.@+]+")
# Cut off or unmatched by Marquez: its delimiters, our own sign, and what ends a line or is unseen.
_UNSAFE = re.compile(r"[:#%\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Only at the start: after ":" a digit or "//" would hide the cut. Blanks at the ends are lost.
_UNSAFE_ENDS = re.compile(r"\A(?:[0-9]|/(?=/)|\s)|\s\Z")


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


def safe_name(name: str) -> str:
    """A name as it is written in events and in node ids.

    ``#``, ``:``, ``%``, control characters, a leading digit, the first of two leading slashes and
    a blank at either end become ``%`` and the two hexadecimal digits of each of their bytes in
    UTF-8; all other characters stay. :func:`original_name` reads it back. Never apply it twice.

    :param name: of a table, a column, a job or a thing of ours.
    :raises LineageError: when the name is empty, is not text, or is longer than 255 characters in
        that form.
    """
    if not name:
        _refuse("a name in the lineage", name, "at least one character")
    try:
        name.encode()
    except UnicodeEncodeError:
        _refuse("a name in the lineage", name, "text that can be written in UTF-8")
    safe = _UNSAFE_ENDS.sub(_encoded, _UNSAFE.sub(_encoded, name))
    if len(safe) > LONGEST:
        raise LineageError(
            f"the name {safe!r} is too long for the lineage",
            found=f"{len(safe)} characters",
            expected=f"at most {LONGEST}",
            action="give it a shorter name",
        )
    return safe


def original_name(safe: str) -> str:
    """The name of which :func:`safe_name` made this one."""
    return unquote(safe, errors="strict")


def checked_namespace(namespace: str) -> str:
    """The namespace itself: it comes from a configuration and is refused rather than rewritten.

    :raises LineageError: when Marquez would refuse it, change it, cut it off, or cut it in two.
    """
    sound = (
        _NAMESPACE.fullmatch(namespace)
        and len(namespace) <= LONGEST
        # After "dataset:" these would hide the cut; a bare ":" within would be one too many.
        and not namespace.startswith(("//", *"0123456789"))
        and not _CAREFUL_CUT.search(namespace)
    )
    if not sound:
        _refuse(
            "a namespace of the lineage",
            namespace,
            f"1 to {LONGEST} of the characters a-z A-Z 0-9 _ - . @ + /, a ':' before '//' or a "
            "port only, and no digit at the start",
        )
    return namespace


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
        _refuse("a node id", node_id, f"one that begins with {', '.join(_PARTS)}")
    # Java's split drops the empty parts at the end.
    parts = _SIMPLE_CUT.split(node_id.rstrip(":#"))
    if len(parts) > count:
        parts = _CAREFUL_CUT.split(node_id, maxsplit=count - 1)
    # A digit after the kind hides its cut: then the first part is not the kind alone.
    if len(parts) != count or not all(parts) or parts[0] != kind:
        _refuse("a node id", node_id, f"{count} parts with ':' between them")
    last, _, version = parts[-1].partition(_VERSION)
    rest = [*parts[1:-1], last]
    return Node(kind, rest[0], rest[1], rest[2] if len(rest) > 2 else None, version or None)  # noqa: PLR2004


def _joined(node: Node) -> str:
    parts = [node.kind, checked_namespace(node.namespace), node.name]
    if node.field is not None:
        parts.append(node.field)
    node_id = ":".join(parts)
    for name in parts[2:]:
        if len(name) > LONGEST or _UNSAFE.search(name.replace("%", "")):
            _refuse("a name in the lineage", name, "the form that safe_name gives it")
    if split(node_id) != node:
        _refuse("a node id", node_id, f"parts that can be told apart: {', '.join(parts[1:])}")
    return node_id


def _encoded(match: re.Match[str]) -> str:
    # quote() spares letters and digits, so a digit is written out by hand.
    text = match.group()
    return quote(text, safe="") if not text.isdecimal() else f"%{ord(text):02X}"


def _refuse(what: str, found: str, expected: str) -> NoReturn:
    raise LineageError(
        what, found=repr(found), expected=expected, action="give the thing another name"
    )
