"""Which columns of tables a query's columns come from.

The SQL is walked as sqlglot parses it, with the tables' columns as Postgres gives them; and what
was found is compared with the columns that the query uses according to Postgres:

- an edge from a column that Postgres does not name is left out, and listed in ``unknown``;
- a column that Postgres names and no edge claims concerns the query as a whole, indirectly;
- SQL that cannot be followed gives no direct edge at all: every column that Postgres names then
  concerns every output indirectly, and ``unknown`` holds the reason.

How an output depends on a column, in OpenLineage's words: directly where the column's value goes
into it (``IDENTITY`` bare, ``AGGREGATION`` through an aggregate, else ``TRANSFORMATION``), and
indirectly where the column only decides: which rows (``JOIN``, ``FILTER``, ``GROUP_BY``, ``SORT``),
which rows of a window (``WINDOW``), which branch of a CASE (``CONDITIONAL``).

A view is a source like a table; it is not followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from mlops.lineage.columns.edges import (
    NO_VALUE,
    Edge,
    Kind,
    Source,
    Subtype,
    Unclear,
    Value,
    together,
)
from mlops.lineage.columns.scope import Relation, Scope
from mlops.lineage.columns.walk import Walk
from mlops.warehouse.records import QueryReading

__all__ = ["ColumnLineage", "Edge", "Kind", "Source", "Subtype", "column_lineage"]

# Functions of Postgres that run SQL from a text.
_RUN_A_TEXT = {
    *("query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml"),
    *("table_to_xml", "schema_to_xml", "database_to_xml", "ts_stat"),
}


@dataclass(frozen=True)
class ColumnLineage:
    """Where a query's columns come from.

    :ivar columns: for each output its direct edges, and the indirect ones that concern it alone.
    :ivar dataset: the indirect edges of the query as a whole, which decide its rows.
    :ivar unknown: what cannot be known, as sentences.
    """

    columns: Mapping[str, tuple[Edge, ...]]
    dataset: tuple[Edge, ...]
    unknown: tuple[str, ...]


def column_lineage(query: str, catalog: QueryReading) -> ColumnLineage:
    """Follow each output of a query to the columns of tables that it comes from.

    :param query: one SELECT, without parameters.
    :param catalog: what Postgres knows of the same query.
    """
    reasons = []
    # Postgres' own writing of the query has no stars and no names left to guess.
    for sql in filter(None, (query, catalog.definition)):
        try:
            tree = sqlglot.parse_one(sql, read=catalog.dialect)
            return _checked(_walked(tree, catalog), catalog, _unseen(catalog, tree))
        except Exception as error:  # noqa: BLE001 (a training goes on without lineage)
            reasons.append(_reason(error))
    return _not_followed(catalog, reasons)


def _walked(tree: exp.Expr, catalog: QueryReading) -> Relation:
    relation = Walk(catalog).query(tree, Scope())
    found, expected = len(relation.columns), len(catalog.outputs)
    if found != expected:
        raise Unclear(f"{found} columns were found where Postgres returns {expected}")
    return relation


def _checked(relation: Relation, catalog: QueryReading, unknown: list[str]) -> ColumnLineage:
    """What was found, as far as Postgres vouches for it."""
    values: dict[str, Value] = {}
    for output, column in zip(catalog.outputs, relation.columns, strict=True):
        if output.name in values:
            unknown.append(f"Two columns are called {output.name}: their sources are put together.")
        values[output.name] = together(values.get(output.name, NO_VALUE), column.value)
    columns = {
        name: _confirmed_edges(value, catalog, f"The column {name}", unknown)
        for name, value in values.items()
    }
    dataset = _confirmed_edges(relation.rows, catalog, "The choice of rows", unknown)
    claimed = {edge.source for edges in (dataset, *columns.values()) for edge in edges}
    rest = [edge for edge in _used(catalog) if edge.source not in claimed]
    return ColumnLineage(columns, (*dataset, *rest), tuple(unknown))


def _confirmed_edges(
    value: Value, catalog: QueryReading, what: str, unknown: list[str]
) -> tuple[Edge, ...]:
    """The edges from columns that Postgres names too; all of them where it could not be asked."""
    edges = value.edges()
    if catalog.referee:
        return edges
    used = {Source(*column) for column in catalog.used}
    refused = sorted({edge.source for edge in edges} - used)
    if refused:
        names = ", ".join(f"{s.schema}.{s.table}.{s.column}" for s in refused)
        unknown.append(
            f"{what} seemed to depend on {names}; according to Postgres the query does not use it, "
            "so it is left out."
        )
    return tuple(edge for edge in edges if edge.source in used)


def _not_followed(catalog: QueryReading, reasons: list[str]) -> ColumnLineage:
    """What is left where the SQL could not be followed: each column may come from any."""
    edges = _used(catalog) if not catalog.referee else _all(catalog)
    what = "any column that the query uses" if not catalog.referee else "any column of its tables"
    sentence = (
        f"The SQL cannot be followed ({'; '.join(dict.fromkeys(reasons))}): every column may come "
        f"from {what}."
    )
    return ColumnLineage(
        columns={output.name: edges for output in catalog.outputs},
        dataset=(),
        unknown=(sentence, *_unseen(catalog)),
    )


def _used(catalog: QueryReading) -> tuple[Edge, ...]:
    """An edge for each column that the query uses according to Postgres."""
    text = "used by the query; no output was seen to take it"
    return tuple(Edge(Source(*c), "INDIRECT", "OTHER", text) for c in sorted(catalog.used))


def _all(catalog: QueryReading) -> tuple[Edge, ...]:
    """An edge for each column of each table, where it is not known which of them are used."""
    return tuple(
        Edge(Source(t.schema, t.table, c.name), "INDIRECT", "OTHER", "a column of a table read")
        for t in catalog.tables
        for c in t.columns
    )


def _unseen(catalog: QueryReading, tree: exp.Expr | None = None) -> list[str]:
    """What no reading of the SQL can show."""
    unseen = [
        f"The function {name} is called; tables that it reads inside are not seen."
        for name in catalog.functions
    ]
    calls = tree.find_all(exp.Anonymous) if tree is not None else ()
    unseen += [
        f"The function {name} runs SQL from a text; tables that it reads are not seen."
        for name in sorted({call.name.lower() for call in calls} & _RUN_A_TEXT)
    ]
    if catalog.referee:
        unseen.append(
            "Postgres could not be asked which columns the query uses, so that nothing here was "
            f"checked: {catalog.referee}."
        )
    return unseen


def _reason(error: Exception) -> str:
    """An error in one line, without the marks for a terminal that sqlglot puts into its own."""
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        return f"it does not parse at line {first.get('line')}: {first.get('description')}"
    return str(error) if isinstance(error, Unclear) else f"{type(error).__name__}: {error}"
