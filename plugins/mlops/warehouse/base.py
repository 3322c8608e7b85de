"""What a warehouse can do when its engine can only describe and run a query.

A new implementation inherits from :class:`WarehouseBase`, writes ``describe`` and ``stream``, and
overrides what its engine does better. What it does not have is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

from mlops.errors import CapabilityMissing, QueryError
from mlops.warehouse.port import Capability, ScoreWriter, Warehouse
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
    TableColumns,
)

if TYPE_CHECKING:
    from mlops.core.profiles import Profile
    from mlops.warehouse.dialect import Dialect

# What a model needs from its first snapshot to the report on its outcomes.
WHOLE_LIFE = frozenset({Capability.READ, Capability.PREDICTIONS, Capability.OUTCOMES})


def require_capabilities(warehouse: Warehouse, needed: Iterable[Capability]) -> None:
    """Refuse a warehouse that lacks something before work is put into it.

    :raises CapabilityMissing: it names what is missing.
    """
    missing = sorted(set(needed) - warehouse.capabilities)
    if missing:
        raise _capability_missing(warehouse, missing)


def _capability_missing(warehouse: Warehouse, missing: Sequence[Capability]) -> CapabilityMissing:
    at = warehouse.address
    return CapabilityMissing(
        f"the warehouse {at.scheme} {at.server} {at.database}".rstrip(),
        found=f"it can {', '.join(sorted(warehouse.capabilities)) or 'nothing'}",
        expected=", ".join(missing),
        action="let the spec's 'warehouse' name a connection whose type has an implementation with "
        "these capabilities",
    )


class WarehouseBase:
    """Derives profiles and lineage from ``describe`` and ``stream``; refuses what it lacks.

    :cvar capabilities: what a subclass declares.
    """

    capabilities: frozenset[Capability] = frozenset()
    key_types: tuple[str, ...] = ("smallint", "integer", "bigint", "text")
    # The schema of tables that are named without one.
    default_schema = "public"

    @property
    def address(self) -> Address:
        """See :class:`mlops.warehouse.port.Address`; a subclass has its own."""
        return Address(scheme="none", server="", database="", dialect="postgres")

    @property
    def dialect(self) -> Dialect:
        """Standard SQL, which sqlglot reads as the address names it."""
        from mlops.warehouse.dialect import Dialect

        name = self.address.dialect
        return Dialect(name=name, title=name)

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.describe`."""
        self._refuse(Capability.READ)

    def stream(
        self,
        sql: str,
        *,
        batch_rows: int = BATCH_ROWS,
    ) -> AbstractContextManager[RowStream]:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.stream`."""
        self._refuse(Capability.READ)

    def profile_rows(
        self,
        sql: str,
        *,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
    ) -> Profile:
        """Read the rows and count them here."""
        from mlops.core.profiler import Profiler

        profiler = Profiler(edges=edges, categories=categories)
        with self.stream(sql) as batches:
            missing = sorted({*edges, *categories} - set(batches.schema.names))
            if missing:
                raise QueryError(
                    f"the query does not return {', '.join(missing)}",
                    found=", ".join(batches.schema.names),
                    action="name each column with AS, as the spec names it",
                )
            for batch in batches:
                profiler.update(batch)
        return profiler.result()

    def read_query(self, sql: str) -> QueryReading:
        """Report the tables that the SQL names, with their columns."""
        outputs = self.describe(sql)
        named = {
            (parts[-2] if len(parts) > 1 else self.default_schema, parts[-1])
            for parts in self.dialect.tables(self.dialect.statement(sql))
        }
        with self.stream(
            f"SELECT * FROM (\n{self.dialect.statement(sql)}\n) AS no_rows LIMIT 0"
        ) as rows:
            state = rows.state
        return QueryReading(
            outputs=outputs,
            tables=tuple(self._table(schema, table) for schema, table in sorted(named)),
            used=frozenset(),
            functions=(),
            snapshot=state.snapshot,
            lsn=state.lsn,
            search_path=(self.default_schema,),
            referee="this engine does not report which columns a query uses",
            dialect=self.address.dialect,
        )

    def ensure_tables(self, table: PredictionTable, *, key_type: str) -> None:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.ensure_tables`."""
        self._refuse(Capability.PREDICTIONS)

    def write_scores(self, target: ShardTarget) -> AbstractContextManager[ScoreWriter]:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.write_scores`."""
        self._refuse(Capability.PREDICTIONS)

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
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.publish_batch`."""
        self._refuse(Capability.PREDICTIONS)

    def stored_batches(
        self, table: PredictionTable, *, batches: Sequence[str] | None = None
    ) -> tuple[StoredBatch, ...]:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.stored_batches`."""
        self._refuse(Capability.PREDICTIONS)

    def view_difference(self, table: PredictionTable) -> str:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.view_difference`."""
        self._refuse(Capability.PREDICTIONS)

    def scores_query(self, table: PredictionTable, batch: str) -> str:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.scores_query`."""
        self._refuse(Capability.PREDICTIONS)

    def scores_with_labels(
        self,
        outcomes: str,
        table: PredictionTable,
        *,
        batch: str,
        label: str,
        score_range: tuple[float, float] | None,
    ) -> ScoresWithLabels:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.scores_with_labels`."""
        self._refuse(Capability.OUTCOMES)

    def kpi_value(self, sql: str, *, name: str) -> float | None:
        """Refuse; see :meth:`mlops.warehouse.port.Warehouse.kpi_value`."""
        self._refuse(Capability.OUTCOMES)

    def _table(self, schema: str, table: str) -> TableColumns:
        quoted = self.dialect.quoted
        columns = self.describe(f"SELECT * FROM {quoted(schema)}.{quoted(table)}")
        return TableColumns(schema, table, "table", columns)

    def _refuse(self, capability: Capability) -> NoReturn:
        raise _capability_missing(self, [capability])


class NoWarehouse(WarehouseBase):
    """In the API server: it records what people answer, and reads no data of the customer."""
