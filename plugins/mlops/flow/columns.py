"""What the SQL of a spec returns, asked of the database before a row of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from mlops.errors import QueryError
from mlops.flow.queries import SCORE
from mlops.spec.load import Spec
from mlops.warehouse.records import Column
from mlops.workspace.workspace import Workspace

NUMBERS = ("double precision", "real", "numeric", "bigint", "integer", "smallint")


def check_columns(workspace: Workspace, spec: Spec, *, as_of: datetime) -> None:
    """Ask the database what each SQL file of a spec returns; nothing is run.

    Scoring is looked at here as well: SQL that could never score must not be trained for, signed
    and deployed first.

    :raises QueryError: it names the file that does not run, lacks a column, has a key that no table
        of predictions can have, scores other types than it trains on, or has a rule that gives
        no scores.
    """
    develop, scoring = spec.content.develop, spec.content.deploy.scoring_sql
    rule = spec.content.deploy.rule_sql
    features = (develop.key, develop.time, *develop.features)
    known = columns_of(workspace, spec, develop.features_sql, features, as_of=as_of)
    columns_of(workspace, spec, develop.outcomes_sql, (develop.key, develop.label), as_of=as_of)
    key_types = workspace.warehouse.key_types
    if known[develop.key] not in key_types:
        raise QueryError(
            f"{spec.model}: {develop.features_sql}: the key {develop.key} has a type that no "
            "table of predictions can have as its key",
            found=known[develop.key],
            expected=", ".join(key_types),
            action=f"write {develop.key}::text or {develop.key}::bigint in the SQL",
        )
    if scoring is not None:
        scored = columns_of(workspace, spec, scoring, features, as_of=as_of)
        _check_types(spec, scoring, features, known, scored)
    if rule is not None:
        needed = (develop.key, develop.time, SCORE)
        scored = columns_of(workspace, spec, rule, needed, as_of=as_of)
        # The rule's rows go into the same table, under the same key.
        _check_types(spec, rule, (develop.key,), known, scored)
        _check_score(spec, rule, scored[SCORE])


def columns_of(
    workspace: Workspace, spec: Spec, file: str, needed: Sequence[str], as_of: datetime
) -> dict[str, str]:
    """The type of each column that one SQL file of a spec returns.

    :raises QueryError: it names model and file: it does not run, lacks a needed column, or has it
        twice.
    """
    moments = {"window_start": as_of, "window_end": as_of, "as_of": as_of}
    with prefix_errors(f"{spec.model}: {file}"):
        query = workspace.warehouse.dialect.render(spec.sql[file], moments)
        columns = workspace.warehouse.describe(query)
    found = types_of(columns)
    names = [column.name for column in columns]
    doubles = [name for name in needed if names.count(name) > 1]
    if doubles:
        raise QueryError(
            f"{spec.model}: {file}: the query returns {', '.join(doubles)} twice",
            found=", ".join(names),
            expected="each column once",
            action="name the columns in the place of the star",
        )
    with prefix_errors(f"{spec.model}: {file}"):
        require_columns(found, needed)
    return found


def require_columns(found: Mapping[str, str], needed: Sequence[str]) -> None:
    """Refuse a query that lacks a column.

    :raises QueryError: it names what is missing.
    """
    missing = [name for name in needed if name not in found]
    if missing:
        raise QueryError(
            f"the query does not return {', '.join(missing)}",
            found=", ".join(found),
            expected=", ".join(needed),
            action="name each column with AS, as the spec names it",
        )


def types_of(columns: Sequence[Column]) -> dict[str, str]:
    """Type by name."""
    return {column.name: column.type for column in columns}


@contextmanager
def prefix_errors(what: str) -> Iterator[None]:
    """Put the model and the file before the database's error about a query."""
    try:
        yield
    except QueryError as error:
        raise QueryError(
            f"{what}: {error.what}",
            found=error.found,
            expected=error.expected,
            action=error.action,
        ) from error


def _check_types(
    spec: Spec, file: str, names: Sequence[str], trained: dict[str, str], scored: dict[str, str]
) -> None:
    """Columns that must be of one type in two files."""
    other = [name for name in names if scored[name] != trained[name]]
    if other:
        raise QueryError(
            f"{spec.model}: {file}: {', '.join(other)} of another type than in "
            f"{spec.content.develop.features_sql}",
            found=", ".join(f"{name} {scored[name]}" for name in other),
            expected=", ".join(f"{name} {trained[name]}" for name in other),
            action="cast the columns in one of the two files; training and scoring must agree",
        )


def _check_score(spec: Spec, file: str, found: str) -> None:
    if not found.startswith(NUMBERS):  # numeric(3,2) is one, too
        raise QueryError(
            f"{spec.model}: {file}: {SCORE} is not a number",
            found=found,
            expected="double precision, or another type of numbers, from 0 to 1",
            action=f"let the rule give each row a {SCORE} as if a model had scored it",
        )
