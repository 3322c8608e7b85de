"""Which column a name means: the tables of a FROM clause, joined, and the queries around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from mlops.lineage.columns.edges import NO_VALUE, Unclear, Value, together


@dataclass(frozen=True)
class Output:
    """A column of a table, a subquery or a function.

    :ivar name: None if it cannot be seen in the SQL.
    :ivar is_open: it is any number of columns, as a function may return them.
    """

    name: str | None
    value: Value
    is_open: bool = False


@dataclass(frozen=True)
class Relation:
    """What a query returns.

    :ivar rows: what decides which rows there are, and in which order.
    """

    columns: tuple[Output, ...]
    rows: Value = NO_VALUE

    def renamed(self, names: Sequence[str]) -> Relation:
        """With other names for its first columns."""
        if len(names) > len(self.columns):
            raise Unclear(f"more names than columns: {', '.join(names)}")
        named = [replace(c, name=n) for c, n in zip(self.columns, names, strict=False)]
        return replace(self, columns=(*named, *self.columns[len(names) :]))


@dataclass(frozen=True)
class Binding:
    """A name under which columns can be asked for.

    :ivar schema: of a table that is used under its own name.
    """

    name: str
    columns: tuple[Output, ...]
    schema: str | None = None


@dataclass(frozen=True)
class Item:
    """A part of a FROM clause, or all of it.

    :ivar columns: those that a name without a table finds, in the order of ``*``; a column that
        two tables are joined by USING is here once.
    """

    bindings: tuple[Binding, ...] = ()
    columns: tuple[Output, ...] = ()
    rows: Value = NO_VALUE

    @staticmethod
    def of(name: str, relation: Relation, schema: str | None = None) -> Item:
        """A relation under a name."""
        binding = Binding(name, relation.columns, schema)
        return Item((binding,), relation.columns, relation.rows)

    def as_one(self, name: str, names: Sequence[str]) -> Item:
        """A join under one name: ``(a JOIN b USING (id)) AS name``."""
        return Item.of(name, Relation(self.columns, self.rows).renamed(names))

    def beside(self, other: Item) -> Item:
        """Both, with every row of the one beside every row of the other."""
        return Item(
            self.bindings + other.bindings,
            self.columns + other.columns,
            together(self.rows, other.rows),
        )

    def joined(self, other: Item, names: Sequence[str], *, side: str) -> Item:
        """Both, joined by columns that they have in common.

        :param side: which side's rows are all kept: ``LEFT``, ``RIGHT``, ``FULL`` or none. An inner
            join's column is equal on both sides and comes from both.
        """
        text = f"USING ({', '.join(names)})"
        both = self.beside(other)
        merged, rows = [], [both.rows]
        for name in names:
            left, right = _joined_value(self.columns, name), _joined_value(other.columns, name)
            if side == "FULL":
                value = together(left, right).through("TRANSFORMATION", f"FULL JOIN {text}")
            else:
                value = together(*{"LEFT": (left,), "RIGHT": (right,)}.get(side, (left, right)))
            merged.append(Output(name, value))
            rows.append(together(left, right).deciding("JOIN", text))
        rest = [column for column in both.columns if column.name not in names]
        return replace(both, columns=(*merged, *rest), rows=together(*rows))

    def in_common(self, other: Item) -> list[str]:
        """The columns of a NATURAL JOIN."""
        names = {column.name for column in other.columns}
        if None in names | {column.name for column in self.columns}:
            raise Unclear("a NATURAL JOIN of columns whose names are unknown")
        return [column.name for column in self.columns if column.name and column.name in names]


def only(columns: Sequence[Output], name: str) -> Output:
    """The one column of a name, or the one that alone may have it."""
    found = [column for column in columns if column.name == name]
    found = found or [column for column in columns if column.name is None]
    if len(found) != 1:
        raise Unclear(f"the column {name} cannot be distinguished from others")
    return found[0]


def _joined_value(columns: Sequence[Output], name: str) -> Value:
    """The value of a column that two tables are joined by."""
    found = only(columns, name)
    if found.name is None or found.is_open:
        raise Unclear(f"the column {name} of a join cannot be distinguished from others")
    return found.value


def all_of(columns: Sequence[Output]) -> tuple[Output, ...]:
    """The columns that a ``*`` means."""
    if any(column.is_open for column in columns):
        raise Unclear("a * over a function whose columns are unknown")
    return tuple(columns)


@dataclass(frozen=True)
class Scope:
    """What can be named at a place in the SQL.

    :ivar outer: what can be named around it.
    :ivar ctes: queries by name, of a kind that only the walk over queries knows.
    """

    item: Item = field(default_factory=Item)
    outer: Scope | None = None
    ctes: Mapping[str, object] = field(default_factory=dict)
    windows: Mapping[str, exp.Window] = field(default_factory=dict)

    def column(self, name: str) -> Value:
        """A column named without its table; else the whole row of a table of this name."""
        levels = list(self._levels())
        for number, scope in enumerate(levels):
            if not any(column.name in (name, None) for column in scope.item.columns):
                continue
            found = only(scope.item.columns, name)
            if found.name is None or found.is_open:
                others = [scope.item.bindings, *(far.item.bindings for far in levels[number + 1 :])]
                _refuse_rivals(found, name, others)
            return found.value
        binding = self.binding(name)
        if binding is None:
            raise Unclear(f"nothing is called {name}")
        return row_of(binding)

    def column_of(self, table: str, name: str, schema: str | None = None) -> Value:
        """A column named with its table."""
        binding = self.binding(table, schema)
        if binding is None:
            raise Unclear(f"no table is called {table}")
        return only(binding.columns, name).value

    def binding(self, name: str, schema: str | None = None) -> Binding | None:
        """The nearest table of a name."""
        for scope in self._levels():
            for binding in scope.item.bindings:
                if binding.name == name and schema in (None, binding.schema):
                    return binding
        return None

    def has_column(self, name: str) -> bool:
        """Whether a column is known to have this name."""
        return any(c.name == name for level in self._levels() for c in level.item.columns)

    def _levels(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def _refuse_rivals(found: Output, name: str, levels: Sequence[Sequence[Binding]]) -> None:
    """Where a name fits a column only by a guess, nothing else may fit it."""
    for binding in (binding for level in levels for binding in level):
        if found in binding.columns:
            continue
        if binding.name == name or any(c.name in (name, None) for c in binding.columns):
            raise Unclear(f"{name} may be one of several columns")


def row_of(binding: Binding) -> Value:
    """A whole row as one value."""
    row = together(*(column.value for column in binding.columns))
    return row.through("TRANSFORMATION", f"{binding.name}.*")
