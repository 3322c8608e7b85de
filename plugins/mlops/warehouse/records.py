"""What steps and warehouses hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a step that only publishes pays for none of these
    import numpy as np
    import pyarrow as pa

BATCH_ROWS = 65_536

# The scores of a batch are counted in so many bins of equal width, from the smallest possible score
# to the largest.
HISTOGRAM_BINS = 20


@dataclass(frozen=True)
class Address:
    """Where a warehouse is, as lineage names it: ``postgres://db:5432`` and ``shop.public.orders``.

    :ivar scheme: of the namespace, after OpenLineage's naming rules.
    :ivar server: ``host:port``; empty where the scheme alone is the namespace.
    :ivar database: the first part of a table's name; empty where tables have only a schema.
    :ivar dialect: sqlglot's name for the SQL that it reads.
    :ivar state_kind: what :attr:`DatabaseState.snapshot` is, as lineage names this kind of version.
    """

    scheme: str
    server: str
    database: str
    dialect: str
    state_kind: str = "snapshot"


@dataclass(frozen=True)
class Column:
    """A column that a query returns or a table has, and its type by the name of standard SQL."""

    name: str
    type: str


@dataclass(frozen=True)
class DatabaseState:
    """Which state of a database was read.

    :ivar snapshot: identifies the state. On Postgres ``pg_current_snapshot()``, of which
        ``pg_visible_in_snapshot()`` shows which transactions it contains.
    :ivar lsn: how far the server's log was written (on a standby: replayed) then; may be empty.
    """

    snapshot: str
    lsn: str


@dataclass(frozen=True)
class RowStream:
    """The rows of a query, batch by batch; it can be iterated once.

    :param schema: names and types of the columns.
    :param state: the state of the database that all rows belong to.
    :param cancel: makes a caller that waits for the next batch return, with an error.
    """

    schema: pa.Schema
    state: DatabaseState
    cancel: Callable[[], None]
    _batches: Iterator[pa.RecordBatch]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches


@dataclass(frozen=True)
class Part:
    """A file with some of a window's rows.

    :ivar sha256: of its bytes, 64 hex characters.
    """

    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class TableColumns:
    """A table or a view, with all its columns in their order.

    :ivar kind: ``table``, ``view``, ``materialized view``, ``partitioned table`` or
        ``foreign table``.
    """

    schema: str
    table: str
    kind: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class QueryReading:
    """What the warehouse reports about a query. A view is not followed into what it reads itself.

    :ivar outputs: the columns that the query returns.
    :ivar tables: every table and view that it names, sorted.
    :ivar used: schema, table and name of each column that it refers to; of a table whose whole
        row is taken, all of them. Empty without a referee.
    :ivar functions: functions that are not part of the engine, that the query calls and that may
        read tables unseen.
    :ivar snapshot: :attr:`DatabaseState.snapshot` of the transaction that read this.
    :ivar lsn: :attr:`DatabaseState.lsn` then.
    :ivar search_path: the schemas where a table without one is looked for, in their order.
    :ivar aggregates: names of the server's aggregate functions.
    :ivar definition: the query as the engine writes it, every name resolved; empty without a
        referee.
    :ivar referee: empty; or why the engine could not be asked which columns the query uses.
    :ivar dialect: sqlglot's name for the SQL of the query.
    """

    outputs: tuple[Column, ...]
    tables: tuple[TableColumns, ...]
    used: frozenset[tuple[str, str, str]]
    functions: tuple[str, ...]
    snapshot: str
    lsn: str
    search_path: tuple[str, ...] = ("pg_catalog", "public")
    aggregates: frozenset[str] = frozenset()
    definition: str = ""
    referee: str = ""
    dialect: str = "postgres"


# The types that a column of predictions may have.
PREDICTION_TYPES = ("boolean", "integer", "bigint", "double precision", "text")


@dataclass(frozen=True)
class PredictionTable:
    """Where the predictions of a model are kept.

    :ivar schema: of the model's tables and its view.
    :ivar key: name of the key column, in the features SQL and so in the tables.
    :ivar columns: those that a row has beside its score, in this order, each of one of
        :data:`PREDICTION_TYPES`.
    """

    schema: str
    model: str
    key: str
    columns: tuple[Column, ...] = ()


def _no_values(scores: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ARG001
    """The values of a table whose rows have their scores alone."""
    return {}


@dataclass(frozen=True)
class ShardTarget:
    """The rows of predictions that one shard of a batch replaces.

    :ivar version: the model's version as the rows record it.
    :ivar values: from scores, the values of each of the table's ``columns``, shape (rows,).
    """

    table: PredictionTable
    batch: str
    shard: int
    version: int
    values: Callable[[np.ndarray], Mapping[str, np.ndarray]] = _no_values

    @property
    def name(self) -> str:
        """The shard as errors name it."""
        return f"shard {self.shard} of batch {self.batch}"


@dataclass(frozen=True)
class PublishedBatch:
    """A batch that the view shows.

    :param content: digest of its rows; it differs as soon as one row differs.
    :param published_at: of its first publication, or of the one over another batch; UTC.
    """

    batch: str
    rows: int
    content: str
    published_at: datetime


@dataclass(frozen=True)
class StoredBatch:
    """A batch as the warehouse holds it now.

    :ivar content: as :attr:`PublishedBatch.content`; computed from the rows.
    :ivar published: whether it was published.
    :ivar shown: whether no other batch of its window hides it.
    """

    batch: str
    rows: int
    content: str
    published: bool
    shown: bool


@dataclass(frozen=True)
class ScoresWithLabels:
    """The rows of a batch whose outcome is known.

    :ivar score: float64, shape (labels,).
    :ivar label: as the outcomes give them, none missing, shape (labels,).
    :ivar rows: of the whole batch, with and without a label.
    :ivar score_histogram: these rows in :data:`HISTOGRAM_BINS` bins of equal width over the range
        of scores; empty where scores have no range.
    """

    score: np.ndarray
    label: pa.ChunkedArray
    rows: int
    score_histogram: tuple[int, ...]
