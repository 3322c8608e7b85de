"""The SQL that people write: its parameters, its static check, and the queries made around it.

A file holds one ``SELECT``. Its parameters are written ``:window_start`` and are replaced by typed
literals; what only looks like one in text, in comments, in ``"quoted names"``, in ``$$ bodies $$``,
in casts (``::``) or in array slices (``a[1:n]``) is left alone.

:class:`Dialect` writes standard SQL. A warehouse whose engine spells a name, a text or a moment in
another way overrides that method.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from sqlglot import Dialect as Grammar
from sqlglot import Token, TokenType, exp, parse, parse_one
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.scope import traverse_scope

from mlops.errors import QueryError, SpecError

Value = datetime | str | int

# The characters of Postgres' operators, and what begins a comment.
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_COMMENT_SIGN = re.compile(r"--|/\*")
# What every SQL file may use: the window [start, end) and the moment after which nothing is known.
PARAMETERS = ("window_start", "window_end", "as_of")

_EXAMPLES: Mapping[str, Value] = dict.fromkeys(PARAMETERS, datetime(2000, 1, 1, tzinfo=UTC))
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Lock)


@dataclass(frozen=True)
class Dialect:
    """The SQL of one engine.

    :param name: sqlglot's name of it.
    :param title: its name in errors.
    :param float_type: the engine's name for a float of eight bytes.
    """

    name: str
    title: str
    float_type: str = "double precision"

    def quoted(self, name: str) -> str:
        """Write a name as SQL; it may have any characters."""
        return '"' + name.replace('"', '""') + '"'

    def text_literal(self, text: str) -> str:
        """Write a text as SQL; it may have any characters.

        :raises QueryError: for a text with a zero byte.
        """
        if "\0" in text:
            raise QueryError(
                f"a text has a zero byte, which {self.title} cannot hold", found=repr(text)
            )
        return "'" + text.replace("'", "''") + "'"

    def moment_literal(self, moment: datetime) -> str:
        """Write a moment as SQL.

        :param moment: in UTC.
        """
        return f"TIMESTAMP '{moment.isoformat(sep=' ', timespec='microseconds')}'"

    def fold_name(self, name: str) -> str:
        """A name without quotes as the engine keeps it."""
        return name.lower()

    def render(self, sql: str, parameters: Mapping[str, Value]) -> str:
        """Replace the parameters by typed literals.

        A moment becomes a literal in UTC, text a quoted literal, a whole number itself.

        :param parameters: the known names; those that the SQL does not use are ignored.
        :raises QueryError: for a ``:name`` that is not among them, or SQL that ends inside a text.
        """
        parts, end = [], 0
        for colon, name in self._parameters_in(sql):
            if name.text not in parameters:
                known = ", ".join(f":{known}" for known in sorted(parameters)) or "none"
                raise QueryError(
                    f"the SQL's line {name.line} has the parameter :{name.text}, which is unknown",
                    expected=known,
                    action="use a known parameter; for an array slice put a space after the colon",
                )
            parts += [sql[end : colon.start], self._literal(parameters[name.text])]
            end = name.end + 1
        return "".join([*parts, sql[end:]])

    def statement(self, sql: str) -> str:
        """Return the one statement of a text, without the semicolons and comments after it.

        :raises QueryError: for no statement, or for more than one.
        """
        tokens = self._tokens(sql)
        last = len(tokens)
        while last and tokens[last - 1].token_type is TokenType.SEMICOLON:
            last -= 1
        if not last:
            raise QueryError("the SQL is empty", expected="one SELECT")
        for token in tokens[:last]:
            if token.token_type is TokenType.SEMICOLON:
                raise QueryError(
                    f"the SQL has a second statement after line {token.line}",
                    expected="one SELECT",
                    action="keep one statement in a file",
                )
        return sql[: tokens[last - 1].end + 1]

    def check(self, sql: str, needed_columns: Collection[str], file: Path) -> None:
        """Check a file's SQL without a database.

        :param needed_columns: names that the query must return. Behind a ``*`` only the database
            knows the columns, so with a star none is looked for.
        :param file: named in errors.
        :raises SpecError: it does not parse, is not one SELECT, has an unknown parameter, or lacks
            a column; with file and line.
        """
        try:
            query = self._parsed(self.statement(self.render(sql, _EXAMPLES)), file)
        except QueryError as error:
            raise SpecError(
                f"{file}: {error.what}",
                found=error.found,
                expected=error.expected,
                action=error.action,
            ) from error
        except RecursionError as error:
            raise SpecError(
                f"{file}: the SQL is nested too deep to be checked",
                expected="one SELECT of fewer brackets and CASE, one within the other",
                action="write the steps one after the other, as WITH queries",
            ) from error
        self._refuse_writes(query, file)
        columns = [self._name_of(column) for column in query.selects]
        if any(column.is_star for column in query.selects):
            return
        _refuse_doubles(columns, file)
        missing = sorted(set(needed_columns) - set(columns))
        if missing:
            raise SpecError(
                f"{file}: the query does not return {', '.join(missing)}",
                found=", ".join(column or "(a column without a name)" for column in columns),
                expected=", ".join(needed_columns),
                action="name each column with AS, as the spec names it",
            )

    def ordered(
        self, sql: str, columns: Sequence[str], *, only: Sequence[str] | None = None
    ) -> str:
        """Return SQL for the same rows in one order: a snapshot is identified by its bytes.

        :param columns: any two rows differ in their values.
        :param only: the columns to return; all when None.
        """
        by = ", ".join(self.quoted(column) for column in columns)
        wanted = "*" if only is None else ", ".join(self.quoted(column) for column in only)
        return f"SELECT {wanted} FROM (\n{self.statement(sql)}\n) AS rows_in_order\nORDER BY {by}"

    def joined(
        self,
        features_sql: str,
        outcomes_sql: str,
        *,
        key: str,
        features: Sequence[str],
        outcomes: Sequence[str],
    ) -> str:
        """Return SQL for features with the outcomes that are known, matched by ``key``.

        Rows without an outcome are left out. The key comes first, then the named columns of both.

        :param key: a column of both queries, unique in each.
        """
        names = [f"features.{self.quoted(name)}" for name in (key, *features)]
        names += [f"outcomes.{self.quoted(name)}" for name in outcomes]
        return (
            f"SELECT {', '.join(names)}\n"
            f"FROM (\n{self.statement(features_sql)}\n) AS features\n"
            f"JOIN (\n{self.statement(outcomes_sql)}\n) AS outcomes\n"
            f"ON outcomes.{self.quoted(key)} = features.{self.quoted(key)}"
        )

    def tables(self, sql: str) -> tuple[tuple[str, ...], ...]:
        """The tables that the SQL names, also in subqueries: the parts of each name, sorted.

        Empty if the SQL cannot be parsed.
        """
        try:
            found = {
                tuple(
                    part.name if part.args.get("quoted") else self.fold_name(part.name)
                    for part in source.parts
                )
                for scope in traverse_scope(parse_one(sql, read=self.name))
                for source in scope.sources.values()
                if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
            }
        except (SqlglotError, RecursionError):
            return ()
        return tuple(sorted(found))

    def _literal(self, value: Value) -> str:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise QueryError(
                    "a parameter is a moment without a time zone",
                    found=value,
                    expected="an aware datetime",
                )
            return self.moment_literal(value.astimezone(UTC))
        if isinstance(value, str):
            return self.text_literal(value)
        return f"({int(value)})"

    def _tokens(self, sql: str) -> list[Token]:
        try:
            tokens = list(Grammar.get_or_raise(self.name).tokenize(sql))
        except TokenError as error:
            raise QueryError(
                "the SQL cannot be read",
                found="a text, a comment or a quoted name that does not end",
                action="look for the missing quote",
            ) from error
        _refuse_comments_in_operators(sql, tokens)
        return tokens

    def _parameters_in(self, sql: str) -> Iterator[tuple[Token, Token]]:
        """Yield each colon and the name right behind it, where they are a parameter."""
        depth = 0
        before: Token | None = None
        for token, following in pairwise(self._tokens(sql)):
            depth += token.token_type is TokenType.L_BRACKET
            depth -= token.token_type is TokenType.R_BRACKET
            names = following.text.isidentifier() and sql[following.start] == following.text[0]
            touches = following.start == token.end + 1
            if token.token_type is TokenType.COLON and names and touches:
                opens = before is not None and before.text in {"[", ","}
                if not depth or opens:
                    yield token, following
            before = token

    def _parsed(self, sql: str, file: Path) -> exp.Query:
        try:
            found = [part for part in parse(sql, read=self.name) if part is not None]
        except ParseError as error:
            first = error.errors[0] if error.errors else {}
            raise SpecError(
                f"{file}: the SQL does not parse at line {first.get('line', '?')}",
                found=f"'{first.get('highlight', '')}', {first.get('description', error)}",
                expected=f"one SELECT as {self.title} reads it",
                action="correct the SQL at or before this place",
            ) from error
        if len(found) != 1 or not isinstance(found[0], exp.Select | exp.SetOperation):
            kinds = ", ".join(type(part).__name__.upper() for part in found)
            raise SpecError(
                f"{file}: the SQL is not one SELECT", found=kinds, expected="one SELECT"
            )
        return found[0]

    def _refuse_writes(self, query: exp.Query, file: Path) -> None:
        found = query.find(*_WRITES)
        if found is not None:
            raise SpecError(
                f"{file}: the SQL does more than read",
                found=found.sql(dialect=self.name),
                expected="one SELECT that changes and locks nothing",
            )

    def _name_of(self, column: exp.Expr) -> str:
        """The name under which the engine returns a column."""
        named = (
            column.args.get("alias")
            if isinstance(column, exp.Alias)
            else column.find(exp.Identifier)
        )
        name = column.output_name
        is_quoted = isinstance(named, exp.Identifier) and named.args.get("quoted")
        return name if is_quoted else self.fold_name(name)


def _refuse_comments_in_operators(sql: str, tokens: Sequence[Token]) -> None:
    """Refuse a comment that begins right behind an operator, which two parsers may read otherwise.

    :raises QueryError: it names the line.
    """
    for token in tokens:
        run = _OPERATOR.match(sql, token.start)
        if run is not None and _COMMENT_SIGN.search(run.group()):
            raise QueryError(
                f"the SQL's line {token.line} has a comment sign right behind an operator",
                found=run.group(),
                expected="a blank between them",
                action="write a blank before the comment",
            )


def _refuse_doubles(columns: Sequence[str], file: Path) -> None:
    doubles = sorted({column for column in columns if column and columns.count(column) > 1})
    if doubles:
        raise SpecError(
            f"{file}: the query returns two columns of one name",
            found=", ".join(doubles),
            action="give one of them another name with AS",
        )
