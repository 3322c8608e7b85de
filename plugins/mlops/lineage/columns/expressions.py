"""What an expression depends on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from sqlglot import exp

from mlops.lineage.columns.edges import (
    NO_VALUE,
    Subtype,
    Unclear,
    Value,
    fold_identifier,
    text_of,
    together,
)
from mlops.lineage.columns.scope import Relation, Scope, row_of

RelationOf = Callable[[exp.Expr, Scope], Relation]

# sqlglot counts these as aggregates; each takes the value of one row.
_OF_ONE_ROW = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Ntile)
# Words of SQL that sqlglot reads as columns; as a column's name they would be quoted.
_WORDS = {
    "user",
    "current_catalog",
    "current_role",
    "current_schema",
    "localtime",
    "localtimestamp",
    "default",
}
_NO_VALUES = (exp.DataType, exp.Identifier, exp.Var, exp.Star, exp.Grouping)


class Expressions:
    """Values of expressions.

    :param relation_of: what a subquery returns, from the walk over queries.
    :param aggregates: names of the server's aggregate functions.
    """

    def __init__(self, relation_of: RelationOf, aggregates: Collection[str]) -> None:
        self._relation_of = relation_of
        self._aggregates = aggregates
        # The first that fits.
        self._rules: Mapping[type, Callable[[exp.Expr, Scope, str], Value]] = {
            exp.Column: self._column,
            exp.Paren: self._inner,
            exp.Alias: self._inner,
            exp.Case: self._case,
            exp.Window: self._window,
            exp.Filter: self._filter,
            exp.WithinGroup: self._within_group,
            exp.Order: self._order_inside,
            exp.Dot: self._dot,
            exp.Exists: self._exists,
            exp.Query: self._subquery,
            exp.Values: self._subquery,
            exp.Cast: self._changed,
            exp.Collate: self._changed,
            exp.Kwarg: self._named_argument,
            exp.PropertyEQ: self._named_argument,
            exp.Lambda: self._arrow,
            exp.Func: self._call,
        }

    def of(self, node: exp.Expr, scope: Scope, text: str | None = None) -> Value:
        """What an expression depends on.

        :param text: the whole expression that it is part of, as descriptions show it.
        :raises Unclear: it holds something whose meaning is unknown.
        """
        described = text if text is not None else text_of(node)
        if isinstance(node, _NO_VALUES):
            return NO_VALUE
        for kind, rule in self._rules.items():
            if isinstance(node, kind):
                return rule(node, scope, described)
        return self._parts(node, scope, described)

    def condition(self, node: exp.Expr, scope: Scope, subtype: Subtype) -> Value:
        """What a condition depends on, each of the parts that AND joins described for itself."""
        inner = node.unnest()
        parts = list(inner.flatten()) if isinstance(inner, exp.And) else [inner]
        return together(*(self.of(p, scope).deciding(subtype, text_of(p)) for p in parts))

    def _parts(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """Any operator: what goes into its operands goes into it."""
        parts = [self.of(part, scope, text) for part in node.iter_expressions()]
        return together(*parts).through("TRANSFORMATION", text)

    def _inner(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        return self.of(node.this, scope, text)

    def _changed(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        return self.of(node.this, scope, text).through("TRANSFORMATION", text)

    def _named_argument(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        return self.of(node.expression, scope, text)

    def _arrow(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """``f(doc -> 'key')``, which sqlglot reads as a function of ``doc``."""
        operands = [scope.column(fold_identifier(name)) for name in node.expressions]
        value = together(*operands, self.of(node.this, scope, text))
        return value.through("TRANSFORMATION", text)

    def _column(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        if not isinstance(node.this, exp.Identifier | exp.Star):
            # A function named with its schema, where FILTER follows it.
            return self.of(node.this, scope, text)
        table, schema = (_fold(node.args.get(part)) for part in ("table", "db"))
        if table is None:
            name = fold_identifier(node.this)
            is_word = name in _WORDS and not node.this.args.get("quoted")
            return NO_VALUE if is_word else scope.column(name)
        if not isinstance(node.this, exp.Star):
            return scope.column_of(table, fold_identifier(node.this), schema)
        binding = scope.binding(table, schema)
        if binding is None:
            raise Unclear(f"no table is called {table}")
        return row_of(binding)

    def _case(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """The results go into the value; the tests choose among them."""
        subject = node.this
        results = [branch.args["true"] for branch in node.args["ifs"]]
        if node.args.get("default") is not None:
            results.append(node.args["default"])
        tests = [*([subject] if subject else []), *(branch.this for branch in node.args["ifs"])]
        value = together(*(self.of(result, scope, text) for result in results))
        return together(
            value.through("TRANSFORMATION", text),
            *(self.of(t, scope).deciding("CONDITIONAL", text_of(t)) for t in tests),
        )

    def _window(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        parts = [self.of(node.this, scope, text)]
        for window in self._windows(node, scope):
            order = window.args.get("order")
            keys = [*(window.args.get("partition_by") or ()), *(order.expressions if order else ())]
            parts += [self.of(key, scope).deciding("WINDOW", text_of(key)) for key in keys]
            spec = window.args.get("spec")
            if spec is not None:
                parts += [
                    self.of(bound, scope).deciding("WINDOW", text_of(spec))
                    for bound in spec.iter_expressions()
                ]
        return together(*parts)

    @staticmethod
    def _windows(node: exp.Expr, scope: Scope) -> Iterator[exp.Expr]:
        """A window and the named ones that it is built on."""
        while True:
            yield node
            name = node.args.get("alias")
            if name is None:
                return
            if fold_identifier(name) not in scope.windows:
                raise Unclear(f"no window is called {fold_identifier(name)}")
            node = scope.windows[fold_identifier(name)]

    def _filter(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        test = node.expression.this
        decided = self.of(test, scope).deciding("FILTER", text_of(test))
        return together(self.of(node.this, scope, text), decided)

    def _within_group(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """``percentile_cont(0.5) WITHIN GROUP (ORDER BY x)``: x is what is aggregated."""
        order = [self.of(key, scope, text) for key in node.expression.expressions]
        value = together(*order, self.of(node.this, scope, text))
        return value.through("AGGREGATION", text_of(_whole_call(node)))

    def _order_inside(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """``array_agg(x ORDER BY y)``."""
        order = (self.of(k, scope).deciding("SORT", text_of(k)) for k in node.expressions)
        return together(self.of(node.this, scope, text), *order)

    def _dot(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        """A field of a row, or a function named with its schema."""
        if isinstance(node.this, exp.Identifier):
            return self.of(node.expression, scope, text)
        row = whole_row(node.this, scope)
        if row is not None and isinstance(node.expression, exp.Identifier):
            return scope.column_of(row, fold_identifier(node.expression))
        return self.of(node.this, scope, text).through("TRANSFORMATION", text)

    def _exists(self, node: exp.Expr, scope: Scope, _: str) -> Value:
        """No value goes in: only whether there is a row."""
        return self._relation_of(node.this, scope).rows

    def _subquery(self, node: exp.Expr, scope: Scope, _: str) -> Value:
        relation = self._relation_of(node, scope)
        return together(*(column.value for column in relation.columns), relation.rows)

    def _call(self, node: exp.Expr, scope: Scope, text: str) -> Value:
        name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
        arguments = [a for a in node.iter_expressions() if not isinstance(a, exp.Identifier)]
        if name and len(arguments) == 1:
            row = whole_row(arguments[0], scope)
            binding = scope.binding(row) if row is not None else None
            if binding and any(column.name in (name, None) for column in binding.columns):
                raise Unclear(f"{name}({row}) may be a function or a column")
        is_known = isinstance(node, exp.AggFunc) and not isinstance(node, _OF_ONE_ROW)
        if not is_known and name not in self._aggregates:
            return self._parts(node, scope, text)
        called = text_of(_whole_call(node))
        parts = [self.of(argument, scope, called) for argument in arguments]
        return together(*parts).through("AGGREGATION", called)


def whole_row(node: exp.Expr, scope: Scope) -> str | None:
    """The table whose whole row an expression is, if it is one: ``t`` or ``(t)``."""
    column = node.unnest()
    if not isinstance(column, exp.Column) or column.args.get("table") is not None:
        return None
    if not isinstance(column.this, exp.Identifier):
        return None
    name = fold_identifier(column.this)
    if scope.binding(name) is None or scope.has_column(name):
        return None
    return name


def _fold(name: exp.Expr | None) -> str | None:
    return fold_identifier(name) if name is not None else None


def _whole_call(node: exp.Expr) -> exp.Expr:
    """A function's call with its schema, FILTER, WITHIN GROUP and OVER."""
    parent = node.parent
    while isinstance(parent, exp.Filter | exp.WithinGroup | exp.Window | exp.Dot | exp.Column):
        node, parent = parent, parent.parent
    return node
