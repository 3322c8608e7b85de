"""What is stored of batches of predictions: their rows, the digest of them, what the view shows."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from mlops.warehouse.postgres.predictions import (
    MAX_NAME_BYTES,
    Names,
    content_sql,
    view_sql,
)
from mlops.warehouse.postgres.session import (
    Connection,
    connected,
    read_only_transaction,
    translated,
)
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


# As the server writes it: kind, options and text of a view.
_DEFINITION = """\
SELECT relkind::text, coalesce(reloptions::text, ''), pg_get_viewdef(oid)
FROM pg_class
WHERE oid = to_regclass(%s)"""


def view_difference(url: str, table: PredictionTable) -> str:
    """Compare the view that applications read with the one that is made for the model.

    The server writes the definitions of both; the second one is made for the comparison in a
    transaction that is rolled back.

    :returns: what differs; empty where nothing does.
    :raises QueryError: the tables do not exist, or the role may not make a view.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    names = Names.of(table)
    what = f"the view of {table.model} cannot be compared"
    expected = sql.Identifier(table.schema, f"mlops_compare_{table.model}"[:MAX_NAME_BYTES])
    with (
        connected(url) as connection,
        translated(what),
        connection.transaction(force_rollback=True),
    ):
        (found,) = _definitions(connection, names.view) or (None,)
        if found is None:
            return "no view"
        connection.execute(view_sql(table, expected))
        (made,) = _definitions(connection, expected)
    parts = ("its kind is", "its options are", "its query is")
    for name, mine, its in zip(parts, made, found, strict=True):
        if mine != its:
            return f"{name} {its or 'none'}"
    return ""


def _definitions(connection: Connection, view: sql.Identifier) -> list[tuple[str, ...]]:
    return connection.execute(_DEFINITION, [view.as_string(connection)]).fetchall()
