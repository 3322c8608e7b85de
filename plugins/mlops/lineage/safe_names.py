"""Names that Marquez can keep apart.

Marquez joins kind, namespace and name of a node with ``:`` and takes the id apart again with a
regular expression that leaves ``://`` and ``:5432`` whole. Names of people's tables and columns
that it would cut elsewhere are written in events in another way.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import quote

from mlops.errors import LineageError

# Marquez casts namespaces, names of jobs and of datasets, and column names to VARCHAR(255).
LONGEST = 255

# How Marquez takes ids apart that have more parts than it expects (NodeId.parts).
_CAREFUL_CUT = re.compile(r":(?!//|[0-9]+)")

# Marquez replaces ; and = in namespaces by _, so two of them could become one.
_NAMESPACE = re.compile(r"[a-zA-Z:/0-9_\-.@+]+")
# Cut off or unmatched by Marquez: its delimiters, our own sign, and what ends a line or is unseen.
_UNSAFE = re.compile(r"[:#%\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Only at the start: after ":" a digit or "//" would hide the cut. Blanks at the ends are lost.
_UNSAFE_ENDS = re.compile(r"\A(?:[0-9]|/(?=/)|\s)|\s\Z")


def safe_name(name: str) -> str:
    """A name as it is written in events and in node ids.

    ``#``, ``:``, ``%``, control characters, a leading digit, the first of two leading slashes and
    a blank at either end become ``%`` and the two hexadecimal digits of each of their bytes in
    UTF-8; all other characters stay, so that ``urllib.parse.unquote`` reads it back. Never apply it
    twice.

    :param name: of a table, a column, a job or something of this library.
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


def checked_namespace(namespace: str) -> str:
    """The namespace itself: it comes from a configuration, and is refused rather than rewritten.

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


def _encoded(match: re.Match[str]) -> str:
    # quote() spares letters and digits, so a digit is written out by hand.
    text = match.group()
    return quote(text, safe="") if not text.isdecimal() else f"%{ord(text):02X}"


def _refuse(what: str, found: str, expected: str) -> NoReturn:
    raise LineageError(
        what, found=repr(found), expected=expected, action="give the thing another name"
    )
