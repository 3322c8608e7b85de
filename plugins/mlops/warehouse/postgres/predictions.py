"""A model's predictions in the warehouse, and the stable view that applications read.

For a model ``m`` whose rows are known by ``k``, in the output schema:

``m_predictions``
    one row for each ``k`` and batch: ``k``, ``event_time``, ``score``, ``decision``,
    ``model_version``, ``batch``, ``shard``. A shard of a batch is replaced in one transaction, so
    writing it again leaves the same rows, never twice and never half. The time of writing is not
    kept here: it is a fact of the batch.
``m_batches``
    one row for each batch that was published: its version, window, rows and ``published_at``.
``m``
    the view: for each ``k`` the newest published prediction, with its window. The batch whose
    window ends last is the newest; among batches of one window, only the one published last is
    seen, also where another one has more keys. Rows of a batch show when it is published, all at
    once, and never change afterwards: a window that is read again is written under another batch,
    which its publication puts in the place of the one before, in one transaction.

A look-up by ``k`` goes through the primary key, however many batches there are. Applications need
``USAGE`` on the schema and ``SELECT`` on the view only: a view reads with its owner's rights. The
role that scores needs ``CREATE`` on the schema for its first run, and owns what it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from mlops.errors import QueryError, SpecError, WarehouseError
from mlops.warehouse.postgres.session import Connection, advisory_lock, connected, translated
from mlops.warehouse.records import PREDICTION_TYPES, PredictionTable, PublishedBatch

KEY_TYPES = ("smallint", "integer", "bigint", "text", "character varying", "uuid")
MAX_NAME_BYTES = 63

_BEFORE, _AFTER = ("event_time", "score"), ("model_version", "batch", "shard")
_VIEW_COLUMNS = ("window_start", "window_end", "published_at")

_TABLES = """\
CREATE TABLE IF NOT EXISTS {predictions} (
    {key} {key_type} NOT NULL,
    event_time timestamptz NOT NULL,
    score float8 NOT NULL,
{declared}    model_version integer NOT NULL,
    batch text NOT NULL,
    shard integer NOT NULL,
    PRIMARY KEY ({key}, batch)
);
CREATE INDEX IF NOT EXISTS {by_batch} ON {predictions}
    USING brin (batch, shard) WITH (autosummarize = on);
CREATE TABLE IF NOT EXISTS {batches} (
    batch text PRIMARY KEY,
    model_version integer NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    rows bigint NOT NULL,
    publication bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS {by_window} ON {batches} (window_end, window_start, publication)"""

_VIEW = """\
CREATE OR REPLACE VIEW {view} AS
SELECT DISTINCT ON (p.{key})
    p.{key}, p.event_time, p.score, {shown}p.model_version, p.batch,
    b.window_start, b.window_end, b.published_at
FROM {predictions} AS p
JOIN {batches} AS b ON b.batch = p.batch
WHERE NOT EXISTS (
    SELECT FROM {batches} AS other
    WHERE other.window_start = b.window_start AND other.window_end = b.window_end
        AND other.publication > b.publication
)
ORDER BY p.{key}, b.window_end DESC, b.publication DESC"""

_PUBLISH = """\
INSERT INTO {batches} AS b (batch, model_version, window_start, window_end, rows, publication)
SELECT %(batch)s, %(version)s, %(start)s, %(end)s, %(rows)s,
    CASE WHEN %(over_others)s THEN coalesce(max(publication), 0) + 1 ELSE 0 END
FROM {batches}
ON CONFLICT (batch) DO UPDATE SET
    model_version = excluded.model_version, rows = excluded.rows,
    window_start = excluded.window_start, window_end = excluded.window_end,
    publication = CASE WHEN {hidden} THEN excluded.publication ELSE b.publication END,
    published_at = CASE WHEN {hidden} THEN now() ELSE b.published_at END
RETURNING published_at"""

# Whether another batch of the same window hides this one, and is to be hidden by it.
_HIDDEN = """\
%(over_others)s AND EXISTS (
        SELECT FROM {batches} AS other
        WHERE other.window_start = b.window_start AND other.window_end = b.window_end
            AND other.publication > b.publication
    )"""

# A digest of what rows contain that depends neither on their order nor on their shards.
_CONTENT = "coalesce(sum(hash_record_extended(ROW({key}, event_time, score{columns}), 0)), 0)::text"
# Of a batch's rows: how many, how many of them of another version, and their digest.
_COUNTED = """\
SELECT
    count(*),
    count(*) FILTER (WHERE model_version <> %s),
    {content}
FROM {predictions}
WHERE batch = %s"""


@dataclass(frozen=True)
class Names:
    """The names of a model's tables, as SQL."""

    predictions: sql.Identifier
    batches: sql.Identifier
    view: sql.Identifier
    by_batch: sql.Identifier
    by_window: sql.Identifier
    lock: str

    @classmethod
    def of(cls, table: PredictionTable) -> Names:
        """The names for a model.

        :raises SpecError: for a name that Postgres would cut off.
        """
        schema, model = table.schema, table.model
        longest = f"{model}_predictions_by_batch"
        if max(len(longest.encode()), len(schema.encode())) > MAX_NAME_BYTES:
            raise SpecError(
                f"the model's name {model} (in schema {schema}) is too long for its tables",
                found=f"{len(longest.encode())} bytes in {longest}",
                expected=f"at most {MAX_NAME_BYTES} bytes",
            )
        return cls(
            predictions=sql.Identifier(schema, f"{model}_predictions"),
            batches=sql.Identifier(schema, f"{model}_batches"),
            view=sql.Identifier(schema, model),
            by_batch=sql.Identifier(longest),
            by_window=sql.Identifier(f"{model}_batches_by_window"),
            lock=f"mlops.predictions.{schema}.{model}",
        )


def ensure_tables(url: str, table: PredictionTable, *, key_type: str) -> None:
    """Make the model's tables and its view, unless they exist.

    :param key_type: the key's type, as :func:`mlops.warehouse.postgres.describe.describe` gives it.
    :raises SpecError: a name that is too long, or that another column has, or a column of a type
        that is not supported.
    :raises QueryError: a key type that is not supported, tables of another key, missing rights.
    :raises WarehouseUnreachable: no connection.
    """
    names = Names.of(table)
    schema, key = table.schema, table.key
    _check_columns(table)
    _check_key(table, key_type)
    what = f"the tables of model {table.model} cannot be made in schema {schema}"
    with connected(url) as connection, translated(what), connection.transaction():
        advisory_lock(connection, names.lock)  # one at a time for each model
        if not _one(connection, "SELECT to_regnamespace(%s) IS NOT NULL", [_quoted(schema)]):
            connection.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
            )
        _refuse_other_key(connection, names, key, key_type)
        if _are_made(connection, names):
            # Making the view again would wait for its readers, and its readers for us.
            return
        connection.execute(
            sql.SQL(_TABLES).format(
                predictions=names.predictions,
                batches=names.batches,
                by_batch=names.by_batch,
                by_window=names.by_window,
                key=sql.Identifier(key),
                key_type=sql.SQL(key_type),
                declared=sql.SQL("").join(
                    sql.SQL("    {} {},\n").format(sql.Identifier(c.name), sql.SQL(c.type))
                    for c in table.columns
                ),
            )
        )
        connection.execute(view_sql(table, names.view))


def publish_batch(
    url: str,
    table: PredictionTable,
    *,
    batch: str,
    model_version: int,
    window_start: datetime,
    window_end: datetime,
    rows: int,
    over_others: bool,
    replaces: Sequence[str] = (),
) -> PublishedBatch:
    """Make the view show a batch, all of it at once. A second call changes nothing.

    :param rows: how many rows the batch's shards have written.
    :param over_others: whether it hides the other batches of its window, or they hide it.
    :param replaces: batches that are removed in the same transaction.
    :raises WarehouseError: the table holds another number of rows, or rows of another version.
    :raises QueryError: the tables do not exist.
    :raises WarehouseUnreachable: no connection.
    """
    names = Names.of(table)
    with (
        connected(url) as connection,
        translated(f"batch {batch} cannot be published"),
        connection.transaction(),
    ):
        advisory_lock(connection, batch_lock(batch))  # no shard of it is being written
        advisory_lock(connection, names.lock)  # one at a time for each model
        content = _content(connection, names, table, batch=batch, version=model_version, rows=rows)
        hidden = sql.SQL(_HIDDEN).format(batches=names.batches)
        published_at = _one(
            connection,
            sql.SQL(_PUBLISH).format(batches=names.batches, hidden=hidden),
            {
                "batch": batch,
                "version": model_version,
                "start": window_start,
                "end": window_end,
                "rows": rows,
                "over_others": over_others,
            },
        )
        for place in (names.batches, names.predictions):
            remove = sql.SQL("DELETE FROM {} WHERE batch = ANY(%s)").format(place)
            connection.execute(remove, [[name for name in replaces if name != batch]])
    return PublishedBatch(batch, rows, content, published_at)


def batch_lock(batch: str) -> str:
    """The lock that shards of a batch share and that its publication takes alone."""
    return f"mlops.batch.{batch}"


def view_sql(table: PredictionTable, view: sql.Identifier) -> sql.Composed:
    """The statement that makes the stable view, under its own name or another one."""
    names = Names.of(table)
    return sql.SQL(_VIEW).format(
        predictions=names.predictions,
        batches=names.batches,
        view=view,
        key=sql.Identifier(table.key),
        shown=sql.SQL("").join(
            sql.SQL("p.{}, ").format(sql.Identifier(c.name)) for c in table.columns
        ),
    )


def content_sql(table: PredictionTable) -> sql.Composed:
    """The digest of rows of predictions, as an aggregate."""
    columns = [sql.SQL(", {}").format(sql.Identifier(c.name)) for c in table.columns]
    return sql.SQL(_CONTENT).format(
        key=sql.Identifier(table.key), columns=sql.SQL("").join(columns)
    )


def scores_query(table: PredictionTable, batch: str) -> str:
    """Return SQL that gives the scores of one batch."""
    query = sql.SQL("SELECT score FROM {predictions} WHERE batch = {batch}")
    return query.format(predictions=Names.of(table).predictions, batch=batch).as_string()


def _one(connection: Connection, query: Any, parameters: Any) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def columns_of(table: PredictionTable) -> tuple[str, ...]:
    """The columns of the predictions behind their key, in the order of the table."""
    return (*_BEFORE, *(column.name for column in table.columns), *_AFTER)


def _check_columns(table: PredictionTable) -> None:
    names = [*columns_of(table), *_VIEW_COLUMNS]
    for column in table.columns:
        if column.type not in PREDICTION_TYPES or names.count(column.name) > 1:
            raise SpecError(
                f"predictions cannot have the column {column.name}",
                found=f"{column.name} {column.type}",
                expected=f"a name of its own, and a type of {', '.join(PREDICTION_TYPES)}",
                action="correct the columns that the model's target gives",
            )


def _check_key(table: PredictionTable, key_type: str) -> None:
    key = table.key
    if key in (*columns_of(table), *_VIEW_COLUMNS):
        raise SpecError(
            f"the key column cannot be named {key}: the predictions have a column of that name",
            action="give the key another name with AS, in the SQL and in the spec",
        )
    if key_type not in KEY_TYPES:
        raise QueryError(
            f"the key column {key} has a type that no predictions table can have as its key",
            found=key_type,
            expected=", ".join(KEY_TYPES),
            action=f"write {key}::text or {key}::bigint in the SQL",
        )


def _refuse_other_key(connection: Connection, names: Names, key: str, key_type: str) -> None:
    """Tables that are there have been made for the same key."""
    table = names.predictions.as_string(connection)
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum = 1",
        [table],
    ).fetchone()
    if found is not None and found != (key, key_type):
        raise QueryError(
            f"the table {table} was made for another key",
            found=" ".join(found),
            expected=f"{key} {key_type}",
            action="cast the key in the SQL to the type before, or give the model a new name",
        )


def _are_made(connection: Connection, names: Names) -> bool:
    wanted = [n.as_string(connection) for n in (names.predictions, names.batches, names.view)]
    query = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name"
    return bool(_one(connection, query, [wanted]))


def _content(
    connection: Connection,
    names: Names,
    table: PredictionTable,
    *,
    batch: str,
    version: int,
    rows: int,
) -> str:
    """The digest of a batch's rows, which are all there."""
    query = sql.SQL(_COUNTED).format(content=content_sql(table), predictions=names.predictions)
    found, of_others, content = connection.execute(query, [version, batch]).fetchone() or (0, 0, "")
    if found != rows or of_others:
        raise WarehouseError(
            f"batch {batch} is not complete, so it is not published",
            found=f"{found} rows, {of_others} of them of another version than {version}",
            expected=f"{rows} rows of version {version}",
            action="clear the task 'score', so that every shard is written again",
        )
    return str(content)
