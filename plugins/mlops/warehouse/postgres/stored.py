"""What is stored of batches of predictions: their rows, the digest of them, what the view shows."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from mlops.warehouse.postgres.predictions import Names, content_sql
from mlops.warehouse.postgres.session import read_only_transaction
from mlops.warehouse.records import PredictionTable, StoredBatch

_STORED = """\
SELECT
    coalesce(p.batch, b.batch) AS batch,
    coalesce(p.found, 0),
    coalesce(p.content, '0'),
    b.batch IS NOT NULL,
    b.batch IS NOT NULL AND NOT EXISTS (
        SELECT FROM {batches} AS other
        WHERE other.window_start = b.window_start AND other.window_end = b.window_end
            AND other.publication > b.publication
    )
FROM (
    SELECT batch, count(*) AS found, {content} AS content
    FROM {predictions}
    WHERE %(all)s OR batch = ANY(%(batches)s)
    GROUP BY batch
) AS p
FULL JOIN (
    SELECT * FROM {batches} WHERE %(all)s OR batch = ANY(%(batches)s)
) AS b ON b.batch = p.batch
ORDER BY 1"""


def stored_batches(
    url: str, table: PredictionTable, *, batches: Sequence[str] | None = None
) -> tuple[StoredBatch, ...]:
    """Report what is stored of batches, in the order of their names.

    :param batches: their names; all of the model's when None.
    :raises QueryError: the tables do not exist.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    names = Names.of(table)
    query = sql.SQL(_STORED).format(
        content=content_sql(table), predictions=names.predictions, batches=names.batches
    )
    what = f"the batches of {table.model} cannot be read"
    with read_only_transaction(url, what=what) as connection:
        rows = connection.execute(query, {"all": batches is None, "batches": list(batches or ())})
        return tuple(StoredBatch(*row) for row in rows)
