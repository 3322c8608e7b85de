"""The outcomes of predictions: labels joined to scores, and the business result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from psycopg import sql

from mlops.errors import DataRefused, QueryError
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.predictions import Names
from mlops.warehouse.postgres.session import execute_one, read_only_transaction
from mlops.warehouse.records import HISTOGRAM_BINS, PredictionTable, ScoresWithLabels


def scores_with_labels(
    url: str,
    outcomes: str,
    table: PredictionTable,
    *,
    batch: str,
    label: str,
    score_range: tuple[float, float] | None,
) -> ScoresWithLabels:
    """Join a batch's scores with the outcomes that are known.

    :param outcomes: SQL that gives the table's key and ``label``.
    :param score_range: the smallest and the largest possible score, between which all scores of the
        batch are counted; None for scores without a limit.
    :raises QueryError: the outcomes do not run.
    :raises DataRefused: they have a key twice, so that its outcome is not known.
    """
    predictions = Names.of(table).predictions
    joined = sql.SQL(
        "SELECT p.score::float8, o.{label}, "
        "p.{key} = lag(p.{key}) OVER (ORDER BY p.{key})"
        " FROM {table} AS p JOIN (\n{outcomes}\n) AS o ON o.{key} = p.{key} "
        "WHERE p.batch = {batch} AND o.{label} IS NOT NULL ORDER BY p.{key}"
    ).format(
        label=sql.Identifier(label),
        table=predictions,
        outcomes=sql.SQL(POSTGRES.statement(outcomes)),
        key=sql.Identifier(table.key),
        batch=batch,
    )
    counted = sql.SQL(
        "SELECT {bin}, count(*) FROM {table} WHERE batch = {batch} GROUP BY 1"
    ).format(bin=_bin_of(score_range), table=predictions, batch=batch)
    with read_only_transaction(url, what="the outcomes cannot be read") as connection:
        with connection.sql_file_names():
            text = joined.as_string(connection)
            rows = execute_one(connection, text, binary=True).fetchall()
        bins = dict(connection.execute(counted).fetchall())
    again = sum(row[2] is True for row in rows)
    if again:
        raise DataRefused(
            f"the outcomes of batch {batch}",
            found=f"{again:,} rows whose key {table.key} another row has",
            expected="one outcome for each key",
            action="correct the outcomes SQL",
        )
    return ScoresWithLabels(
        score=np.array([row[0] for row in rows], dtype=np.float64),
        label=pa.chunked_array([pa.array([row[1] for row in rows])]),
        rows=sum(bins.values()),
        score_histogram=tuple(
            bins.get(i, 0) for i in range(HISTOGRAM_BINS if score_range is not None else 0)
        ),
    )


def _bin_of(score_range: tuple[float, float] | None) -> sql.Composable:
    """The bin of a score between two limits, as SQL; 0 for all without them."""
    if score_range is None:
        return sql.SQL("0")
    low, high = score_range
    place = sql.SQL("floor((score - {low}) / {width} * {bins})::int").format(
        low=low, width=high - low, bins=HISTOGRAM_BINS
    )
    return sql.SQL("greatest(0, least({place}, {last}))").format(
        place=place, last=HISTOGRAM_BINS - 1
    )


def kpi_value(url: str, query: str, *, name: str) -> float | None:
    """Return the KPI's one value; None if the window has no value yet.

    :raises QueryError: the SQL does not run, gives anything but one row with ``value``, or a value
        that is not a finite number.
    """
    with read_only_transaction(url, what=f"KPI '{name}' cannot be read") as connection:
        statement = f"SELECT * FROM (\n{POSTGRES.statement(query)}\n) AS kpi"
        with connection.sql_file_names():
            cursor: Any = execute_one(connection, statement)
        columns = [column.name for column in cursor.description]
        rows = cursor.fetchall()
    if "value" not in columns or len(rows) != 1:
        raise QueryError(
            f"KPI '{name}'",
            found=f"{len(rows)} rows with columns {', '.join(columns)}",
            expected="one row with the column 'value'",
            action="correct the KPI's SQL",
        )
    value = rows[0][columns.index("value")]
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise QueryError(
            f"KPI '{name}'",
            found=f"the value {value!r}",
            expected="a finite number, or NULL if the window has no value yet",
            action="correct the KPI's SQL, with nullif() around what it divides by",
        )
    return number
