"""What a query returns and what its rows depend on: SELECT, FROM, CTEs and set operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from sqlglot import exp

from mlops.lineage.columns.ctes import with_clause
from mlops.lineage.columns.edges import (
    Subtype,
    Unclear,
    Value,
    fold_identifier,
    refuse_unknown,
    text_of,
    together,
)
from mlops.lineage.columns.expressions import Expressions, whole_row
from mlops.lineage.columns.scope import Output, Relation, Scope, all_of
from mlops.lineage.columns.tables import FromClause
from mlops.warehouse.records import QueryReading

# The parts that are known of each. Another one may have a meaning that is not known here.
_OF_A_SELECT = {
    *("with_", "expressions", "from_", "joins", "where", "group", "having", "windows"),
    *("distinct", "order", "limit", "offset", "locks"),
}
_OF_A_SET_OPERATION = {"with_", "this", "expression", "distinct", "order", "limit", "offset"}
# Its name, and what it is joined with, concern the FROM clause that it is part of.
_OF_A_SUBQUERY = {"with_", "this", "alias", "joins", "order", "limit", "offset"}
_NAMED_AFTER_THEMSELVES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Coalesce)
_Clause = Literal["GROUP BY", "DISTINCT ON", "ORDER BY"]


class Walk:
    """The walk over one query.

    :param catalog: its tables with their columns.
    """

    def __init__(self, catalog: QueryReading) -> None:
        self._expressions = Expressions(self.query, catalog.aggregates)
        self._from = FromClause(catalog, self.query, self._expressions)

    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        """What a query returns.

        :param scope: what can be named around it.
        :raises Unclear: it holds something whose meaning is unknown.
        """
        if isinstance(node, exp.Select):
            return self._select(node, with_clause(node, scope))
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, with_clause(node, scope))
        if isinstance(node, exp.Values):
            return self._values(node, scope)
        if isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            refuse_unknown(node, _OF_A_SUBQUERY)
            inner = with_clause(node, scope)
            around = Scope(outer=inner, ctes=inner.ctes)
            return self._ordered(node, self.query(node.this, inner), around)
        raise Unclear(f"not a query that only reads: {text_of(node)}")

    def _select(self, node: exp.Expr, around: Scope) -> Relation:
        refuse_unknown(node, _OF_A_SELECT)
        item = self._from.item(node, around)
        windows = {fold_identifier(w.this): w for w in node.args.get("windows") or ()}
        scope = Scope(item=item, outer=around, ctes=around.ctes, windows=windows)
        columns = tuple(self._outputs(node, scope))
        rows = [item.rows]
        for clause in ("where", "having"):
            if node.args.get(clause) is not None:
                rows.append(self._expressions.condition(node.args[clause].this, scope, "FILTER"))
        rows += self._grouped(node, scope, columns)
        relation = Relation(columns, together(*rows))
        return self._ordered(node, self._distinct(node, relation, scope), scope)

    def _outputs(self, node: exp.Expr, scope: Scope) -> Iterator[Output]:
        for part in node.expressions:
            starred = self._starred(part, scope)
            if starred is not None:
                yield from starred
            else:
                value = self._expressions.of(part, scope, text_of(part.unalias()))
                yield Output(_name_of(part), value)

    @staticmethod
    def _starred(part: exp.Expr, scope: Scope) -> tuple[Output, ...] | None:
        """The columns of ``*``, ``t.*`` and ``(t).*``; None for anything else."""
        if isinstance(part, exp.Star):
            if any(part.args.values()):
                raise Unclear(f"a star with more to it: {text_of(part)}")
            return all_of(scope.item.columns)
        if not part.is_star:
            return None
        if isinstance(part, exp.Column):
            schema = part.args.get("db")
            binding = scope.binding(
                fold_identifier(part.args["table"]), schema and fold_identifier(schema)
            )
        else:
            row = whole_row(part.this, scope) if isinstance(part, exp.Dot) else None
            binding = scope.binding(row) if row is not None else None
        if binding is None:
            raise Unclear(f"the columns of {text_of(part)}")
        return all_of(binding.columns)

    def _grouped(
        self, node: exp.Expr, scope: Scope, columns: tuple[Output, ...]
    ) -> Iterator[Value]:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            raise Unclear("GROUP BY ALL")
        for key in group.iter_expressions():
            parts = [key] if not isinstance(key, exp.Cube | exp.Rollup) else key.expressions
            for part in parts:
                yield self._key(part, scope, columns, "GROUP BY")

    def _distinct(self, node: exp.Expr, relation: Relation, scope: Scope) -> Relation:
        clause = node.args.get("distinct")
        if clause is None:
            return relation
        on = clause.args.get("on")
        if on is None:
            rows = [c.value.deciding("GROUP_BY", "DISTINCT") for c in relation.columns]
        else:
            keys = on.expressions if isinstance(on, exp.Tuple) else [on]
            rows = [self._key(k, scope, relation.columns, "DISTINCT ON") for k in keys]
        return replace(relation, rows=together(relation.rows, *rows))

    def _ordered(self, node: exp.Expr, relation: Relation, scope: Scope) -> Relation:
        """With its ORDER BY, LIMIT and OFFSET."""
        rows = [relation.rows]
        order = node.args.get("order")
        for part in order.expressions if order is not None else ():
            rows.append(self._key(part.this, scope, relation.columns, "ORDER BY"))
        for clause in ("limit", "offset"):
            for part in node.args[clause].iter_expressions() if node.args.get(clause) else ():
                rows.append(self._expressions.condition(part, scope, "FILTER"))
        return replace(relation, rows=together(*rows))

    def _key(
        self, node: exp.Expr, scope: Scope, columns: tuple[Output, ...], clause: _Clause
    ) -> Value:
        """A key of GROUP BY, DISTINCT ON or ORDER BY: an output by number or name, or SQL.

        GROUP BY looks among the tables' columns first, the others among the outputs.
        """
        subtype: Subtype = "SORT" if clause == "ORDER BY" else "GROUP_BY"
        key = node.unnest()
        text = text_of(key)
        if isinstance(key, exp.Literal) and not key.is_string:
            at = int(key.this) - 1
            if not 0 <= at < len(columns):
                raise Unclear(f"column {key.this} does not exist")
            return columns[at].value.deciding(subtype, columns[at].name or text)
        if isinstance(key, exp.Column) and not key.args.get("table"):
            name = fold_identifier(key.this)
            in_tables = any(column.name == name for column in scope.item.columns)
            named = [column.value for column in columns if column.name == name]
            if named and not (clause == "GROUP BY" and in_tables):
                return together(*named).deciding(subtype, text)
        return self._expressions.of(key, scope).deciding(subtype, text)

    def _set_operation(self, node: exp.Expr, scope: Scope) -> Relation:
        refuse_unknown(node, _OF_A_SET_OPERATION)
        left, right = self.query(node.this, scope), self.query(node.expression, scope)
        if len(left.columns) != len(right.columns):
            raise Unclear("two queries with different numbers of columns are put together")
        rows = [left.rows, right.rows]
        pairs = list(zip(left.columns, right.columns, strict=True))
        word = type(node).__name__.upper()
        if node.args.get("distinct") or not isinstance(node, exp.Union):
            subtype: Subtype = "GROUP_BY" if isinstance(node, exp.Union) else "FILTER"
            rows += [together(a.value, b.value).deciding(subtype, word) for a, b in pairs]
        columns = []
        for a, b in pairs:
            both = together(a.value, b.value)
            columns.append(Output(a.name, a.value if isinstance(node, exp.Except) else both))
        relation = Relation(tuple(columns), together(*rows))
        return self._ordered(node, relation, Scope(outer=scope, ctes=scope.ctes))

    def _values(self, node: exp.Expr, scope: Scope) -> Relation:
        rows = [
            row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions
        ]
        columns = tuple(
            Output(f"column{at}", together(*(self._expressions.of(v, scope) for v in values)))
            for at, values in enumerate(zip(*rows, strict=True), start=1)
        )
        return self._ordered(node, Relation(columns), Scope(outer=scope, ctes=scope.ctes))


def _name_of(node: exp.Expr) -> str | None:
    """The name of an output as Postgres gives it, where that is known."""
    if isinstance(node, exp.Alias):
        return fold_identifier(node.args["alias"])
    if isinstance(node, exp.Paren | exp.Cast | exp.Collate | exp.Bracket | exp.Window | exp.Filter):
        return _name_of(node.this)
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, _NAMED_AFTER_THEMSELVES):
        return type(node).__name__.lower()
    last = node.args.get("this" if isinstance(node, exp.Column) else "expression")
    if isinstance(node, exp.Column | exp.Dot) and isinstance(last, exp.Identifier):
        return fold_identifier(last)
    return None
