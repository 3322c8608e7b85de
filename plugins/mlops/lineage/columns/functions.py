"""Functions in a FROM clause: the columns that they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from mlops.lineage.columns.edges import NO_VALUE, Unclear, Value, fold_identifier, text_of, together
from mlops.lineage.columns.scope import Item, Output, Relation

CALLS = (exp.Lateral, exp.Unnest)

# Columns of Postgres' own functions, from its manual; an empty name is the alias, or else the
# function's own name. What another function returns cannot be seen in the SQL.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("json_each", "json_each_text", "jsonb_each", "jsonb_each_text"), ("key", "value")
    ),
    **dict.fromkeys(
        (
            *("json_array_elements", "json_array_elements_text"),
            *("jsonb_array_elements", "jsonb_array_elements_text"),
        ),
        ("value",),
    ),
    **dict.fromkeys(
        (
            *("generate_series", "generate_subscripts", "regexp_split_to_table", "string_to_table"),
            *("json_object_keys", "jsonb_object_keys", "jsonb_path_query", "regexp_matches"),
        ),
        ("",),
    ),
}


def function_item(node: exp.Expr, value_of: Callable[[exp.Expr], Value]) -> Item:
    """A function, or several that ROWS FROM puts side by side.

    :param value_of: what an argument depends on. It goes into every column of its function, and
        decides how many rows there are.
    :raises Unclear: it is unknown which column belongs to which function.
    """
    alias = node.args.get("alias")
    name = fold_identifier(alias.this) if alias is not None and alias.this else None
    calls = list(_calls(node))
    columns = [column for call in calls for column in _columns(call, name, value_of)]
    if len(calls) > 1 and any(column.is_open for column in columns):
        raise Unclear(f"which column is of which function: {text_of(node)}")
    numbered = _number(node)
    if numbered is not None:
        if any(column.is_open for column in columns):
            raise Unclear(f"which column is the number: {text_of(node)}")
        columns.append(Output(numbered, NO_VALUE))
    given = (alias.args.get("columns") if alias is not None else None) or []
    relation = _with_names(Relation(tuple(columns)), given)
    rows = together(*(column.value for column in columns)).deciding("JOIN", text_of(node))
    item = Item.of(name or _name(calls[0]), relation)
    return Item(item.bindings, item.columns, rows)


def _with_names(relation: Relation, given: list[exp.Expr]) -> Relation:
    """With the names of ``AS f (a, b)``, or all the columns of ``AS f (a int, b text)``."""
    names = [
        fold_identifier(column.this if isinstance(column, exp.ColumnDef) else column)
        for column in given
    ]
    if not any(column.is_open for column in relation.columns):
        return relation.renamed(names)
    value = relation.columns[0].value
    named = tuple(Output(name, value) for name in names)
    is_whole = any(isinstance(column, exp.ColumnDef) for column in given)
    return Relation(named if is_whole else (*named, *relation.columns))


def _calls(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Unnest):
        # unnest(a, b) is one column for each.
        for argument in node.expressions:
            yield exp.Unnest(expressions=[argument])
    elif isinstance(node, exp.Table) and node.args.get("rows_from"):
        for part in node.args["rows_from"]:
            yield from _calls(part)
    else:
        yield from _calls(node.this) if isinstance(node.this, exp.Unnest) else (node.this,)


def _columns(
    call: exp.Expr, alias: str | None, value_of: Callable[[exp.Expr], Value]
) -> tuple[Output, ...]:
    name = _name(call)
    is_unnest = isinstance(call, exp.Unnest)
    names = ("",) if is_unnest else _COLUMNS.get(name, ())
    value = value_of(call.expressions[0] if is_unnest else call)
    taken = value.through("TRANSFORMATION", text_of(call))
    if names:
        return tuple(Output(column or alias or name, taken) for column in names)
    # Its one column is called as the function is; or it has several, of names unknown.
    return (Output(alias or name, taken, is_open=True), Output(None, taken, is_open=True))


def _name(call: exp.Expr) -> str:
    if isinstance(call, exp.Unnest):
        return "unnest"
    if isinstance(call, exp.ExplodingGenerateSeries | exp.GenerateSeries):
        return "generate_series"
    return call.name.lower() if isinstance(call, exp.Anonymous) else ""


def _number(node: exp.Expr) -> str | None:
    """The name of the column of WITH ORDINALITY."""
    offset = node.args.get("offset")
    if isinstance(offset, exp.Identifier):
        return fold_identifier(offset)
    inner = node.this if isinstance(node, exp.Lateral) else None
    return "ordinality" if offset or node.args.get("ordinality") or _inner_number(inner) else None


def _inner_number(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Unnest) and bool(node.args.get("offset"))
