"""What a FROM clause reads: tables, subqueries and functions, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from mlops.lineage.columns.ctes import Cte, relation_of
from mlops.lineage.columns.edges import (
    Source,
    Unclear,
    Value,
    fold_identifier,
    refuse_unknown,
    text_of,
    together,
)
from mlops.lineage.columns.expressions import Expressions
from mlops.lineage.columns.functions import CALLS, function_item
from mlops.lineage.columns.scope import Item, Output, Relation, Scope
from mlops.warehouse.records import QueryReading, TableColumns

_OF_A_TABLE = {"this", "db", "alias", "joins", "only", "sample"}
_OF_A_JOIN = {"this", "on", "side", "kind", "using", "method"}


class FromClause:
    """FROM clauses of one query.

    :param catalog: the tables, and the schemas where one without a schema is looked for.
    :param query: the walk over a query.
    """

    def __init__(
        self,
        catalog: QueryReading,
        query: Callable[[exp.Expr, Scope], Relation],
        expressions: Expressions,
    ) -> None:
        self._tables = {(t.schema, t.table): t for t in catalog.tables}
        self._search_path = catalog.search_path
        self._query = query
        self._expressions = expressions

    def item(self, select: exp.Expr, around: Scope) -> Item:
        """All that a SELECT reads from.

        A comma is a join that binds less than the word JOIN: USING sees nothing before it.
        """
        clause = select.args.get("from_")
        if clause is None:
            return Item()
        done, group = Item(), self._one(clause.this, around, _seeing(Item(), around))
        for join in select.args.get("joins") or ():
            if _is_comma(join):
                done = done.beside(group)
                group = self._one(join.this, around, _seeing(done, around))
            else:
                group = self._joined(group, join, around, _seeing(done, around))
        return done.beside(group)

    def _joined(self, left: Item, join: exp.Expr, around: Scope, before: Scope) -> Item:
        """A join.

        :param before: what a LATERAL part of it can name besides its left side.
        """
        refuse_unknown(join, _OF_A_JOIN)
        right = self._one(join.this, around, _seeing(left, before))
        names = [fold_identifier(name) for name in join.args.get("using") or ()]
        if join.args.get("method") == "NATURAL":
            names = left.in_common(right)
        elif join.args.get("method"):
            raise Unclear(f"a join of another method: {text_of(join)}")
        both = left.joined(right, names, side=join.args.get("side") or "")
        condition = join.args.get("on")
        if condition is None:
            return both
        decided = self._expressions.condition(condition, _seeing(both, around), "JOIN")
        return replace(both, rows=together(both.rows, decided))

    def _one(self, node: exp.Expr, around: Scope, lateral: Scope) -> Item:
        """A part of the clause, with the joins inside its parentheses.

        :param around: what a subquery can name; ``lateral``: what one with LATERAL can, and every
            function.
        """
        item = self._alone(node, around, lateral)
        for join in node.args.get("joins") or ():
            item = self._joined(item, join, around, lateral)
        return item

    def _alone(self, node: exp.Expr, around: Scope, lateral: Scope) -> Item:
        name, names = _alias(node)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery | exp.Values):
            return Item.of(name or "", self._query(node.this, lateral).renamed(names))
        if isinstance(node, CALLS) or (
            isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier)
        ):
            return function_item(node, lambda call: self._expressions.of(call, lateral))
        if isinstance(node, exp.Table):
            return self._table(node, around, name, names)
        if isinstance(node, exp.Values):
            return Item.of(name or "", self._query(node, around).renamed(names))
        if not isinstance(node, exp.Subquery):
            raise Unclear(f"not a table: {text_of(node)}")
        if _is_join(node.this):
            inner = self._one(node.this, around, lateral)
            return inner.as_one(name, names) if name else inner
        return Item.of(name or "", self._query(node, around).renamed(names))

    def _table(self, node: exp.Expr, around: Scope, alias: str | None, names: list[str]) -> Item:
        refuse_unknown(node, _OF_A_TABLE)
        name, schema = fold_identifier(node.this), node.args.get("db")
        cte = around.ctes.get(name) if schema is None else None
        if isinstance(cte, Cte):
            relation = relation_of(cte, self._query).renamed(names)
            return Item.of(alias or name, relation)
        found = self._found(name, fold_identifier(schema) if schema is not None else None)
        relation = Relation(tuple(_output(found, column.name) for column in found.columns))
        return Item.of(alias or name, relation.renamed(names), None if alias else found.schema)

    def _found(self, name: str, schema: str | None) -> TableColumns:
        for place in (schema,) if schema is not None else self._search_path:
            if (place, name) in self._tables:
                return self._tables[place, name]
        raise Unclear(f"the columns of {f'{schema}.' if schema else ''}{name} are not known")


def _output(table: TableColumns, name: str) -> Output:
    source = Source(table.schema, table.table, name)
    return Output(name, Value({(source, "DIRECT", "IDENTITY"): name}))


def _seeing(item: Item, around: Scope) -> Scope:
    """The scope of a place that sees some tables, and what is around them."""
    return Scope(item=item, outer=around, ctes=around.ctes)


def _is_comma(join: exp.Expr) -> bool:
    return not any(join.args.get(word) for word in ("side", "kind", "method", "on", "using"))


def _is_join(node: exp.Expr) -> bool:
    """Whether parentheses hold tables and no query."""
    if isinstance(node, exp.Subquery):
        return bool(node.args.get("joins") or node.args.get("alias")) or _is_join(node.this)
    return isinstance(node, exp.Table | exp.Lateral | exp.Unnest)


def _alias(node: exp.Expr) -> tuple[str | None, list[str]]:
    """The name that a part is used under, and those of its first columns."""
    alias = node.args.get("alias")
    if alias is None:
        return None, []
    names = [fold_identifier(column) for column in alias.args.get("columns") or ()]
    return (fold_identifier(alias.this) if alias.this else None), names
