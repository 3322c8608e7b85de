"""The profile of a window made inside Postgres: few SELECTs, and a few kilobytes come back.

On the same rows it equals what :class:`mlops.core.profiler.Profiler` makes in memory: the same
counts, the same smallest and largest values, and sums to eight digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import Column, errors

from mlops.core.profiles import CategoryProfile, NumericProfile, Profile
from mlops.errors import QueryError
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.pushdown_sql import MOST_ROWS, NumericColumn, TextColumn
from mlops.warehouse.postgres.session import (
    Connection,
    execute_one,
    read_only_transaction,
    type_names,
)

WORKERS = 2
# A SELECT of Postgres returns at most 1,664 columns.
MOST_CELLS = 1_600


def profile_rows(
    url: str,
    sql: str,
    *,
    edges: Mapping[str, Sequence[float]],
    categories: Mapping[str, Sequence[str]],
    workers: int = WORKERS,
) -> Profile:
    """Profile a query's rows inside the database, in one pass over them.

    A second pass is made for columns of more than 24 categories, for columns that hold NaN or
    values that hardly differ, and when a sum leaves the range of float8; all see the same state
    of the data.

    :param edges: for each numeric column its ascending edges.
    :param categories: for each text column its known categories.
    :param workers: parallel workers that Postgres may use beside the session itself.
    :raises DataRefused: a column is of another kind.
    :raises QueryError: SQL that does not run, or lacks a column; more than a billion rows.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    query = POSTGRES.statement(sql)
    with read_only_transaction(url, what="the rows cannot be profiled") as connection:
        connection.execute(f"SET LOCAL max_parallel_workers_per_gather = {int(workers)}")
        with connection.sql_file_names():
            described = execute_one(
                connection, f"SELECT * FROM (\n{query}\n) AS window_rows LIMIT 0"
            )
        types = _types(connection, described.description or [])
        _require([*edges, *categories], types)
        numeric = [NumericColumn(n, types[n], tuple(map(float, e))) for n, e in edges.items()]
        text = [TextColumn(n, types[n], tuple(known)) for n, known in categories.items()]
        with connection.sql_file_names():
            rows, numbers, named = _measure(connection, query, numeric, text)
            careful = [*_careful(numeric, numbers)]
            if careful:
                numbers |= _measure(connection, query, careful, [])[1]
    return Profile(
        rows=rows,
        numeric={column.name: numbers[column.name] for column in numeric},
        categories=named,
    )


def _types(connection: Connection, columns: Sequence[Column]) -> dict[str, str]:
    """The type of each column that the query returns, as Postgres spells it."""
    names = type_names(connection, [column.type_code for column in columns])
    return {column.name: name for column, name in zip(columns, names, strict=True)}


def _require(wanted: Sequence[str], types: Mapping[str, str]) -> None:
    missing = sorted(set(wanted) - set(types))
    if missing:
        raise QueryError(
            f"the query does not return {', '.join(missing)}",
            found=", ".join(types),
            action="name each column with AS, as the spec names it",
        )


def _measure(
    connection: Connection,
    query: str,
    numeric: Sequence[NumericColumn],
    text: Sequence[TextColumn],
) -> tuple[int, dict[str, NumericProfile], dict[str, CategoryProfile]]:
    """One pass, or two where sums leave the range of float8 or a column has many categories."""
    try:
        with connection.transaction():
            found = _select(connection, query, numeric, text)
    except errors.NumericValueOutOfRange:
        numeric = [replace(column, guarded=True) for column in numeric]
        found = _select(connection, query, numeric, text)
    rows = found[0]
    if rows > MOST_ROWS:
        raise QueryError(
            "the window has more rows than are profiled at once",
            found=f"{rows:,}",
            expected=f"at most {MOST_ROWS:,}",
            action="choose a shorter window in the spec",
        )
    groups = _groups(connection, query, [column for column in text if column.is_wide])
    cells = iter(found[1:])
    numbers = {c.name: c.read(rows, [next(cells) for _ in c.expressions]) for c in numeric}
    named = {
        c.name: c.read(rows, [next(cells) for _ in c.expressions], groups.get(c.name)) for c in text
    }
    return rows, numbers, named


def _select(
    connection: Connection,
    query: str,
    numeric: Sequence[NumericColumn],
    text: Sequence[TextColumn],
) -> tuple[Any, ...]:
    columns: list[NumericColumn | TextColumn] = [*numeric, *text]
    cells = [cell for column in columns for cell in column.expressions]
    rows, found = 0, []
    # Each statement sees the same state of the data.
    for start in range(0, len(cells) or 1, MOST_CELLS):
        listed = ", ".join(["count(*)", *cells[start : start + MOST_CELLS]])
        select = f"SELECT {listed}\nFROM (\n{query}\n) AS window_rows"
        # Binary: a float comes back as it is.
        rows, *values = execute_one(connection, select, binary=True).fetchone() or (0,)
        found += values
    return rows, *found


def _groups(
    connection: Connection, query: str, wide: Sequence[TextColumn]
) -> dict[str, dict[str, int]]:
    """Rows by known category, for columns of many categories, in one pass."""
    counts: dict[str, dict[str, int]] = {column.name: {} for column in wide}
    if not wide:
        return counts
    labels = [f"group_{i}" for i in range(len(wide))]
    inner = ", ".join(
        f"{column.group} AS {label}" for column, label in zip(wide, labels, strict=True)
    )
    listed = ", ".join(labels)
    sets = ", ".join(f"({label})" for label in labels)
    select = (
        f"SELECT {listed}, count(*) FROM (\nSELECT {inner} FROM (\n{query}\n) AS window_rows\n"
        f") AS known GROUP BY GROUPING SETS ({sets})"
    )
    for *found, rows in execute_one(connection, select).fetchall():
        for column, category in zip(wide, found, strict=True):
            if category is not None:
                counts[column.name][category] = rows
    return counts


def _careful(
    columns: Sequence[NumericColumn], profiles: Mapping[str, NumericProfile]
) -> Iterator[NumericColumn]:
    """The columns that the first pass could not measure, as the second one must."""
    for column in columns:
        profile = profiles[column.name]
        if _holds_nan(profile):
            yield replace(column, has_nan=True, centred=True)
        elif column.lost_digits(profile):
            yield replace(column, centred=True)


def _holds_nan(profile: NumericProfile) -> bool:
    """Postgres sorts NaN above all numbers."""
    return profile.max is not None and math.isnan(profile.max)
