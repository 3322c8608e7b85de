"""Queries of a WITH clause: which of them a name means, and what a recursive one returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from mlops.lineage.columns.edges import Unclear, fold_identifier, refuse_unknown
from mlops.lineage.columns.scope import Relation, Scope

Query = Callable[[exp.Expr, Scope], Relation]


@dataclass
class Cte:
    """A query of a WITH clause; walked when it is first read.

    :ivar scope: what can be named at its place.
    :ivar so_far: of a recursive one while it is walked, what it is known to return.
    """

    node: exp.Expr
    scope: Scope
    relation: Relation | None = None
    so_far: Relation | None = None
    is_walked: bool = False

    @property
    def name(self) -> str:
        """The name that it is read by."""
        return fold_identifier(self.node.args["alias"].this)

    @property
    def names(self) -> list[str]:
        """The names that it gives to its first columns."""
        return [
            fold_identifier(column) for column in self.node.args["alias"].args.get("columns") or ()
        ]


def with_clause(node: exp.Expr, scope: Scope) -> Scope:
    """The scope with the queries of a WITH clause; each sees those before it."""
    clause = node.args.get("with_")
    if clause is None:
        return scope
    refuse_unknown(clause, {"expressions", "recursive"})
    ctes = dict(scope.ctes)
    inside = replace(scope, ctes=ctes)
    for node_of_one in clause.expressions:
        # In WITH RECURSIVE each query sees all the others, and itself.
        seen = inside if clause.args.get("recursive") else replace(scope, ctes=dict(ctes))
        cte = Cte(node_of_one, seen)
        ctes[cte.name] = cte
    return inside


def relation_of(cte: Cte, query: Query) -> Relation:
    """What a query of a WITH clause returns.

    :param query: the walk over any query.
    """
    if cte.relation is None and cte.is_walked:
        if cte.so_far is None:
            raise Unclear(f"{cte.name} refers to itself")
        return cte.so_far
    if cte.relation is None:
        cte.is_walked = True
        cte.relation = _walked(cte, query)
    return cte.relation


def _walked(cte: Cte, query: Query) -> Relation:
    body = cte.node.this
    if not isinstance(body, exp.SetOperation) or not _reads(body.expression, cte.name):
        return query(body, cte.scope).renamed(cte.names)
    # The first part starts it; the second adds to it until nothing new comes. There are only so
    # many columns of tables, and what is found is never lost, so that this ends.
    before = query(body.this, with_clause(body, cte.scope)).renamed(cte.names)
    while True:
        cte.so_far = before
        after = query(body, cte.scope).renamed(cte.names)
        if _comparable(after) == _comparable(before):
            return after
        before = after


def _reads(node: exp.Expr, name: str) -> bool:
    return any(not t.args.get("db") and fold_identifier(t.this) == name for t in _tables(node))


def _tables(node: exp.Expr) -> list[exp.Table]:
    return [t for t in node.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]


def _comparable(relation: Relation) -> object:
    """What two readings of a query are compared by."""
    columns = [(column.name, set(column.value.texts)) for column in relation.columns]
    return columns, set(relation.rows.texts)
