"""Postgres as the warehouse of the steps.

Each verb imports its module when it is called: a task that only publishes loads the driver for
writing, and neither the one for reading nor Arrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlops.warehouse.port import ALL_CAPABILITIES, Capability, ScoreWriter
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

if TYPE_CHECKING:
    from mlops.core.profiles import Profile
    from mlops.warehouse.dialect import Dialect
    from mlops.warehouse.registry import ConnectionDetails

_DEFAULT_PORT = 5432


@dataclass(frozen=True)
class PostgresWarehouse:
    """The tables of one Postgres database.

    :param url: of the form ``postgresql://user:password@host:port/database``.
    """

    url: str = field(repr=False)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All."""
        return ALL_CAPABILITIES

    @property
    def address(self) -> Address:
        """Server and database of the URL."""
        parts = urlsplit(self.url)
        return Address(
            scheme="postgres",
            server=f"{parts.hostname}:{parts.port or _DEFAULT_PORT}",
            database=parts.path.lstrip("/"),
            dialect="postgres",
            state_kind="pg_snapshot",
        )

    @property
    def dialect(self) -> Dialect:
        """The SQL of Postgres."""
        from mlops.warehouse.postgres.dialect import POSTGRES

        return POSTGRES

    @property
    def key_types(self) -> tuple[str, ...]:
        """The types that a primary key of predictions may have."""
        from mlops.warehouse.postgres.predictions import KEY_TYPES

        return KEY_TYPES

    def describe(self, sql: str) -> tuple[Column, ...]:
        """See :meth:`mlops.warehouse.port.Warehouse.describe`."""
        from mlops.warehouse.postgres.describe import describe

        return describe(self.url, sql)

    def stream(
        self, sql: str, *, batch_rows: int = BATCH_ROWS
    ) -> AbstractContextManager[RowStream]:
        """See :meth:`mlops.warehouse.port.Warehouse.stream`."""
        from mlops.warehouse.postgres.stream import stream

        return stream(self.url, sql, batch_rows=batch_rows)

    def profile_rows(
        self,
        sql: str,
        *,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
    ) -> Profile:
        """Count inside the database; see :meth:`mlops.warehouse.port.Warehouse.profile_rows`."""
        from mlops.warehouse.postgres.pushdown import profile_rows

        return profile_rows(self.url, sql, edges=edges, categories=categories)

    def read_query(self, sql: str) -> QueryReading:
        """See :meth:`mlops.warehouse.port.Warehouse.read_query`."""
        from mlops.warehouse.postgres.catalog import read_query

        return read_query(self.url, sql)

    def ensure_tables(self, table: PredictionTable, *, key_type: str) -> None:
        """See :meth:`mlops.warehouse.port.Warehouse.ensure_tables`."""
        from mlops.warehouse.postgres.predictions import ensure_tables

        ensure_tables(self.url, table, key_type=key_type)

    def write_scores(self, target: ShardTarget) -> AbstractContextManager[ScoreWriter]:
        """See :meth:`mlops.warehouse.port.Warehouse.write_scores`."""
        from mlops.warehouse.postgres.shard import replacing_shard

        return replacing_shard(self.url, target)

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
        """See :meth:`mlops.warehouse.port.Warehouse.publish_batch`."""
        from mlops.warehouse.postgres.predictions import publish_batch

        return publish_batch(
            self.url,
            table,
            batch=batch,
            model_version=model_version,
            window_start=window_start,
            window_end=window_end,
            rows=rows,
            over_others=over_others,
            replaces=replaces,
        )

    def stored_batches(
        self, table: PredictionTable, *, batches: Sequence[str] | None = None
    ) -> tuple[StoredBatch, ...]:
        """See :meth:`mlops.warehouse.port.Warehouse.stored_batches`."""
        from mlops.warehouse.postgres.stored import stored_batches

        return stored_batches(self.url, table, batches=batches)

    def view_difference(self, table: PredictionTable) -> str:
        """See :meth:`mlops.warehouse.port.Warehouse.view_difference`."""
        from mlops.warehouse.postgres.stored import view_difference

        return view_difference(self.url, table)

    def scores_query(self, table: PredictionTable, batch: str) -> str:
        """See :meth:`mlops.warehouse.port.Warehouse.scores_query`."""
        from mlops.warehouse.postgres.predictions import scores_query

        return scores_query(table, batch)

    def scores_with_labels(
        self,
        outcomes: str,
        table: PredictionTable,
        *,
        batch: str,
        label: str,
        score_range: tuple[float, float] | None,
    ) -> ScoresWithLabels:
        """See :meth:`mlops.warehouse.port.Warehouse.scores_with_labels`."""
        from mlops.warehouse.postgres.outcomes import scores_with_labels

        return scores_with_labels(
            self.url, outcomes, table, batch=batch, label=label, score_range=score_range
        )

    def kpi_value(self, sql: str, *, name: str) -> float | None:
        """See :meth:`mlops.warehouse.port.Warehouse.kpi_value`."""
        from mlops.warehouse.postgres.outcomes import kpi_value

        return kpi_value(self.url, sql, name=name)


class PostgresType:
    """Connections of the type ``postgres``."""

    name = "postgres"

    @property
    def dialect(self) -> Dialect:
        """The SQL of Postgres."""
        from mlops.warehouse.postgres.dialect import POSTGRES

        return POSTGRES

    def open(self, connection: ConnectionDetails) -> PostgresWarehouse:
        """Return the warehouse of a connection. Nothing is connected to yet."""
        return PostgresWarehouse(connection.url.replace("postgres://", "postgresql://", 1))


POSTGRES_TYPE = PostgresType()
