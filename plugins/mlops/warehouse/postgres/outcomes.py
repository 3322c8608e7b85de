"""What came of the predictions: labels joined to scores, and the business result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from mlops.errors import DataRefused, QueryError
from mlops.warehouse.postgres.session import read_only_transaction
from mlops.warehouse.postgres.sql import quoted, statement, text_literal

HISTOGRAM_BINS = 20


@dataclass(frozen=True)
class ScoresWithLabels:
    """The rows of a batch whose outcome is known.

    :ivar score: float64, shape (labels,).
    :ivar label: bool, shape (labels,).
    :ivar score_histogram: rows of the whole batch in 20 bins of equal width from 0 to 1.
    """

    score: np.ndarray
    label: np.ndarray
    score_histogram: tuple[int, ...]


def scores_with_labels(
    url: str, outcomes: str, *, schema: str, model: str, batch: str, key: str, label: str
) -> ScoresWithLabels:
    """Join a batch's scores with the outcomes that are known.

    :param outcomes: rendered SQL that gives ``key`` and ``label``.
    :raises QueryError: the outcomes do not run.
    :raises DataRefused: they have a key twice, so that nobody knows what came of it.
    """
    table = sql.Identifier(schema, f"{model}_predictions")
    # By way of text, since bigint and smallint, which may be labels too, have no cast to boolean.
    joined = sql.SQL(
        "SELECT p.score::float8, o.{label}::text NOT IN ('0', 'false'), "
        "p.{key} = lag(p.{key}) OVER (ORDER BY p.{key})"
        " FROM {table} AS p JOIN (\n{outcomes}\n) AS o ON o.{key} = p.{key} "
        "WHERE p.batch = {batch} AND o.{label} IS NOT NULL ORDER BY p.{key}"
    ).format(
        label=sql.Identifier(label),
        table=table,
        outcomes=sql.SQL(statement(outcomes)),
        key=sql.Identifier(key),
        batch=batch,
    )
    counted = sql.SQL(
        "SELECT greatest(0, least(floor(score * {bins})::int, {last})), count(*) FROM {table} "
        "WHERE batch = {batch} GROUP BY 1"
    ).format(bins=HISTOGRAM_BINS, last=HISTOGRAM_BINS - 1, table=table, batch=batch)
    with read_only_transaction(url, what="the outcomes cannot be read") as connection:
        cursor = connection.cursor(binary=True)
        # Without parameters, so that a percent sign in the outcomes stays one.
        rows = cursor.execute(joined).fetchall()
        bins = dict(cursor.execute(counted).fetchall())
    again = sum(row[2] is True for row in rows)
    if again:
        raise DataRefused(
            f"the outcomes of batch {batch}",
            found=f"{again:,} rows whose key {key} another row has",
            expected="one outcome for each key",
            action="correct the outcomes SQL",
        )
    return ScoresWithLabels(
        score=np.array([row[0] for row in rows], dtype=np.float64),
        label=np.array([row[1] for row in rows], dtype=bool),
        score_histogram=tuple(bins.get(i, 0) for i in range(HISTOGRAM_BINS)),
    )


def batch_scores(schema: str, model: str, batch: str) -> str:
    """SQL that gives the scores of one batch."""
    table = f"{quoted(schema)}.{quoted(f'{model}_predictions')}"
    return f"SELECT score FROM {table} WHERE batch = {text_literal(batch)}"


def kpi_value(url: str, query: str, *, name: str) -> float | None:
    """The KPI's one value; none where the window has nothing to say.

    :raises QueryError: the SQL does not run, gives anything but one row with ``value``, or a value
        that is no finite number.
    """
    with read_only_transaction(url, what=f"KPI '{name}' cannot be read") as connection:
        cursor: Any = connection.execute(query.encode())
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
            expected="a finite number, or NULL where the window has nothing to say",
            action="correct the KPI's SQL, with nullif() around what it divides by",
        )
    return number
