"""What the steps ask of a warehouse, independent of the engine that holds the customer's data.

A step is given a :class:`Warehouse` by its workspace. It hands over SQL that people wrote, names of
tables and records, and it gets records back; it knows no address, no driver and no engine.
``warehouse/postgres/`` is the first implementation. ``docs/extend/warehouse.md`` shows how another
one is added, and :mod:`mlops.testing.warehouse` holds the tests that each of them must pass.

What a warehouse promises:

- **One state.** All rows of one call are of one state of the data, however long the call takes.
- **Read only.** The SQL of people is run so that it can change nothing.
- **Types by the names of standard SQL**, as Postgres spells them: ``bigint``, ``double precision``,
  ``text``, ``timestamp with time zone``. A type that no Arrow type holds exactly is refused by
  name, with the cast to write.
- **All or nothing.** A shard's predictions replace those before them in one transaction, and a
  published batch is visible whole or not at all.
- **Again is the same.** Each verb that writes may be called twice with one outcome.
- **Errors of** :mod:`mlops.errors`. ``WarehouseUnreachable`` means that a second try may succeed;
  no message shows a password.

Not every engine can do everything: :attr:`Warehouse.capabilities` declares what it can, and
:class:`mlops.warehouse.partial.PartialWarehouse` answers for the rest with a clear error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from mlops.warehouse.records import (
    BATCH_ROWS,
    Address,
    Column,
    PredictionTable,
    PublishedBatch,
    QueryReading,
    RowStream,
    ScoresWithLabels,
    ShardTarget,
    StoredBatch,
)

if TYPE_CHECKING:  # a step that only publishes pays for none of these
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops.core.profiles import Profile
    from mlops.warehouse.dialect import Dialect


class Capability(StrEnum):
    """What a warehouse can do, and with which verbs of :class:`Warehouse`."""

    READ = "read"  # describe, stream
    PROFILE = "profile"  # profile_rows
    LINEAGE = "lineage"  # read_query
    # ensure_tables, write_scores, publish_batch, stored_batches, view_difference, scores_query
    PREDICTIONS = "predictions"
    OUTCOMES = "outcomes"  # scores_with_labels, kpi_value


ALL_CAPABILITIES = frozenset(Capability)


class ScoreWriter(Protocol):
    """Writes the rows of one shard.

    :ivar rows: how many were written.
    """

    rows: int

    def write(self, keys: pa.RecordBatch, scores: NDArray[np.float64]) -> None:
        """Append rows.

        :param keys: two columns: the key, and the event's time.
        :param scores: shape (rows,).
        :raises DataRefused: a key or a time is missing.
        """


class Warehouse(Protocol):
    """The customer's data: a step reads rows, counts and facts of it and writes predictions to it.

    ``sql`` is always one SELECT whose parameters :meth:`Dialect.render` has filled in.
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        ...

    @property
    def address(self) -> Address:
        """Where it is, as lineage names it; without user and password."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How its SQL is checked, filled in and composed."""
        ...

    @property
    def key_types(self) -> tuple[str, ...]:
        """The types that the key of a table of predictions may have."""
        ...

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns that a query would return; it is parsed and not run.

        :raises WarehouseUnreachable: no connection.
        :raises QueryError: SQL that the engine refuses.
        """
        ...

    def stream(
        self, sql: str, *, batch_rows: int = BATCH_ROWS
    ) -> AbstractContextManager[RowStream]:
        """Run a query and read its rows a few batches ahead of the caller.

        The batches hold ``batch_rows`` rows each, the last one fewer; memory does not grow with the
        rows. When the block ends before the last batch, the query is cancelled.

        :raises WarehouseUnreachable: no connection, or one that broke.
        :raises QueryError: SQL that does not run, or a column of a type that cannot be read.
        """
        ...

    def profile_rows(
        self,
        sql: str,
        *,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
    ) -> Profile:
        """Profile a query's rows, where possible without moving them.

        The result equals that of :class:`mlops.core.profiler.Profiler` on the same rows: the same
        counts, the same smallest and largest values, and sums to eight digits.

        :param edges: for each numeric column its ascending edges.
        :param categories: for each text column its known categories.
        :raises DataRefused: a column is of another kind.
        :raises QueryError: SQL that does not run, or lacks a column.
        :raises WarehouseUnreachable: no connection, or one that broke.
        """
        ...

    def read_query(self, sql: str) -> QueryReading:
        """Report which tables and columns a query reads; it is parsed and not run.

        :raises WarehouseUnreachable: no connection, or one that broke.
        :raises QueryError: SQL that the engine refuses.
        """
        ...

    def ensure_tables(self, table: PredictionTable, *, key_type: str) -> None:
        """Make a model's tables and its view, unless they exist.

        :param key_type: the type of the key, as :meth:`describe` gives it.
        :raises SpecError: a name that is too long, or that another column has, or a column of a
            type that is not supported.
        :raises QueryError: a key type that is not supported, tables of another key, missing rights.
        :raises WarehouseUnreachable: no connection.
        """
        ...

    def write_scores(self, target: ShardTarget) -> AbstractContextManager[ScoreWriter]:
        """Replace the rows of a shard, in one transaction that ends with the block.

        An error in the block leaves the rows that were there before.

        :raises WarehouseError: the batch was published; a published batch never changes.
        :raises DuplicateKey: a key comes twice, or another shard of the batch has it.
        :raises QueryError: the tables do not exist.
        :raises WarehouseUnreachable: no connection, or one that broke.
        """
        ...

    def publish_batch(
        self,
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

        A reader sees the batch that was shown before, or this one, whole.

        :param rows: how many rows the batch's shards have written.
        :param over_others: whether it hides the other batches of its window, or they hide it.
        :param replaces: batches that are removed in the same transaction.
        :raises WarehouseError: the table holds another number of rows, or rows of another version.
        :raises QueryError: the tables do not exist.
        :raises WarehouseUnreachable: no connection.
        """
        ...

    def stored_batches(
        self, table: PredictionTable, *, batches: Sequence[str] | None = None
    ) -> tuple[StoredBatch, ...]:
        """Report what is stored of batches, in the order of their names.

        :param batches: their names; all of the model's when None. One without rows that was not
            published is left out.
        :raises QueryError: the tables do not exist.
        :raises WarehouseUnreachable: no connection, or one that broke.
        """
        ...

    def view_difference(self, table: PredictionTable) -> str:
        """Compare the view that applications read with the one that :meth:`ensure_tables` makes.

        :returns: what differs, in a few words; empty where nothing does.
        :raises QueryError: the tables do not exist, or the role may not make a view to compare.
        :raises WarehouseUnreachable: no connection, or one that broke.
        """
        ...

    def scores_query(self, table: PredictionTable, batch: str) -> str:
        """Return SQL that gives the scores of one batch in a column ``score``."""
        ...

    def scores_with_labels(
        self,
        outcomes: str,
        table: PredictionTable,
        *,
        batch: str,
        label: str,
        score_range: tuple[float, float] | None,
    ) -> ScoresWithLabels:
        """Join a batch's scores with the outcomes that are known.

        :param outcomes: SQL that gives the table's key and ``label``.
        :param score_range: the smallest and the largest possible score, between which all scores of
            the batch are counted; None for scores without a limit.
        :raises QueryError: the outcomes do not run.
        :raises DataRefused: they have a key twice, so that its outcome is not known.
        """
        ...

    def kpi_value(self, sql: str, *, name: str) -> float | None:
        """Return the KPI's one value; None if the window has no value yet.

        :param name: the KPI as errors name it.
        :raises QueryError: the SQL does not run, gives anything but one row with ``value``, or a
            value that is not a finite number.
        """
        ...
