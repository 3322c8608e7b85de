"""What a value depends on: edges from the columns of tables, and how they add up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

Kind = Literal["DIRECT", "INDIRECT"]
Subtype = Literal[
    "IDENTITY",
    "TRANSFORMATION",
    "AGGREGATION",
    "JOIN",
    "FILTER",
    "GROUP_BY",
    "SORT",
    "WINDOW",
    "CONDITIONAL",
    "OTHER",
]

# A sum that is rounded stays an aggregation, and a rounded column is no longer the column.
_STRENGTH: Mapping[Subtype, int] = {"IDENTITY": 0, "TRANSFORMATION": 1, "AGGREGATION": 2}
_LONGEST_TEXT = 200


class Unclear(Exception):
    """Something in the SQL whose meaning for lineage is unknown; never leaves this package."""


@dataclass(frozen=True, order=True)
class Source:
    """A column of a table or a view."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True, order=True)
class Edge:
    """How something depends on a column.

    :ivar kind: ``DIRECT`` where the column's value goes into the value, ``INDIRECT`` where it only
        decides which rows or which of several values are taken.
    :ivar subtype: OpenLineage's names, and ``OTHER``: according to Postgres the query uses the
        column, and no output or clause was seen to take it.
    :ivar description: the SQL that makes it so, in at most 200 characters.
    """

    source: Source
    kind: Kind
    subtype: Subtype
    description: str


_Key = tuple[Source, Kind, Subtype]


@dataclass(frozen=True)
class Value:
    """What a value depends on: for each column and way, the SQL where it was first seen."""

    texts: Mapping[_Key, str] = field(default_factory=dict)

    def edges(self) -> tuple[Edge, ...]:
        """The edges, direct ones first, each sort by its column."""
        found = [
            Edge(source, kind, subtype, t) for (source, kind, subtype), t in self.texts.items()
        ]
        return tuple(sorted(found, key=lambda edge: (edge.kind, edge.source, edge.subtype)))

    def through(self, subtype: Subtype, text: str) -> Value:
        """The value as an expression takes it in; what it depended on indirectly stays so."""

        def change(key: _Key, before: str) -> tuple[_Key, str]:
            source, kind, was = key
            if kind == "INDIRECT" or _STRENGTH[was] > _STRENGTH[subtype]:
                return key, before
            return (source, kind, subtype), text

        return self._mapped(change)

    def deciding(self, subtype: Subtype, text: str) -> Value:
        """The value where it only decides: everything that it depends on becomes indirect."""
        return self._mapped(lambda key, _: ((key[0], "INDIRECT", subtype), text))

    def _mapped(self, change: Callable[[_Key, str], tuple[_Key, str]]) -> Value:
        texts: dict[_Key, str] = {}
        for key, text in self.texts.items():
            new, described = change(key, text)
            texts.setdefault(new, described)
        return Value(texts)


NO_VALUE = Value()


def together(*values: Value) -> Value:
    """What several values depend on."""
    texts: dict[_Key, str] = {}
    for value in values:
        for key, text in value.texts.items():
            texts.setdefault(key, text)
    return Value(texts)


def text_of(node: exp.Expr) -> str:
    """The SQL of an expression on one line, shortened."""
    sql = node.sql(dialect="postgres", comments=False, normalize_functions="lower")
    text = " ".join(sql.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def fold_identifier(node: exp.Expr | str) -> str:
    """An identifier as Postgres keeps it: in lower case, unless it is quoted."""
    if isinstance(node, str):
        return node.lower()
    return node.name if node.args.get("quoted") else node.name.lower()


def refuse_unknown(node: exp.Expr, known: Collection[str]) -> None:
    """Refuse a part of SQL with something to it that the walk does not know."""
    unknown = [name for name, value in node.args.items() if value and name not in known]
    if unknown:
        raise Unclear(f"{', '.join(unknown)} in {text_of(node)}")
