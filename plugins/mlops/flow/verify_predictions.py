"""All models: the published predictions are those that were recorded, and the view shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mlops.errors import PredictionsChanged
from mlops.flow.cases import open_case
from mlops.flow.publications import publications
from mlops.flow.queries import prediction_table
from mlops.store.tables import BatchRow, VersionRow, generation_number
from mlops.store.transaction import Transaction
from mlops.warehouse.port import Warehouse
from mlops.warehouse.records import PredictionTable, StoredBatch
from mlops.workspace.results import PredictionsVerified
from mlops.workspace.workspace import Workspace, registered_spec

OpenWarehouse = Callable[[str], Warehouse]
Window = tuple[datetime, datetime]
CAUSE = "predictions_changed"
ACTION = (
    "find out who had the rights of the warehouse's role; then drop a view that was changed, and "
    "clear the runs of the score DAG for the windows, which read them again"
)


@dataclass(frozen=True)
class _Expected:
    """What was recorded about the predictions of a model in one place.

    :ivar version: the newest version that was published there; a finding is about it.
    :ivar batches: by the name that the warehouse has, the last publication of each batch.
    :ivar shown: names of the batches that the view shows, one for each window.
    """

    version: int
    owner: str
    batches: dict[str, BatchRow]
    shown: frozenset[str]


def verify_predictions(workspace: Workspace, open_warehouse: OpenWarehouse) -> PredictionsVerified:
    """Compare each published batch, and each view, with what was recorded.

    Each model with a difference gets a case before the error is raised.

    :param open_warehouse: gives the warehouse of a connection.
    :raises PredictionsChanged: it names every difference.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    with workspace.store.transaction() as transaction:
        compared = compare_predictions(transaction, open_warehouse)
        for table, place, found in compared.differences:
            open_case(
                transaction,
                workspace,
                model=table.model,
                version=place.version,
                cause=CAUSE,
                owner=place.owner,
                finding="; ".join(found),
            )
    if compared.differences:
        raise PredictionsChanged(
            "published predictions are not what was recorded",
            found="; ".join(compared.lines),
            expected=f"{compared.batches} batches and their views as they were published",
            action=ACTION,
        )
    return PredictionsVerified(models=compared.models, batches=compared.batches)


@dataclass(frozen=True)
class Compared:
    """What a comparison found; ``differences`` hold table, what was recorded, and a line each."""

    models: int
    batches: int
    differences: tuple[tuple[PredictionTable, _Expected, tuple[str, ...]], ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Each difference with its model."""
        return tuple(
            f"{table.model}: {line}" for table, _, found in self.differences for line in found
        )


def compare_predictions(
    transaction: Transaction, open_warehouse: OpenWarehouse, *, model: str | None = None
) -> Compared:
    """Compare the content of published batches, and views, with what was recorded.

    Each table of predictions is read once.

    :param model: one model; all that were published when None.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    recorded = _recorded(transaction, model)
    found = [
        (table, expected, tuple(_differences(open_warehouse(connection), table, expected)))
        for (connection, table), expected in recorded.items()
    ]
    return Compared(
        models=len({table.model for _, table in recorded}),
        batches=sum(len(expected.batches) for expected in recorded.values()),
        differences=tuple(item for item in found if item[2]),
    )


def _recorded(
    transaction: Transaction, model: str | None
) -> dict[tuple[str, PredictionTable], _Expected]:
    """What was recorded, by connection and table."""
    rows = transaction.find(BatchRow, **({} if model is None else {"model": model}))
    by_version: dict[tuple[str, int], list[BatchRow]] = {}
    for row in sorted(rows, key=lambda row: row.published_at):
        by_version.setdefault((row.model, row.version), []).append(row)
    places: dict[tuple[str, PredictionTable], list[BatchRow]] = {}
    for key, published in by_version.items():
        version = transaction.get(VersionRow, *key)
        spec = registered_spec(transaction, version.spec_digest)
        places.setdefault((spec.content.warehouse, prediction_table(spec)), []).extend(published)
    for found in places.values():
        found.sort(key=lambda row: row.published_at)
    return {place: _expected(transaction, found) for place, found in places.items()}


def _expected(transaction: Transaction, rows: list[BatchRow]) -> _Expected:
    last: dict[str, BatchRow] = {}
    for row in sorted(rows, key=lambda row: generation_number(row.id)):
        last[row.batch] = row
    windows: set[Window] = {(row.window_start, row.window_end) for row in rows}
    model = rows[-1].model
    known = [publications(transaction, model, *window)[-1] for window in sorted(windows)]
    version = transaction.get(VersionRow, model, rows[-1].version)
    spec = registered_spec(transaction, version.spec_digest)
    return _Expected(
        version=version.number,
        owner=spec.content.manage.business_owner,
        batches={row.stored_as: row for row in last.values()},
        shown=frozenset(row.stored_as for row in known),
    )


def _differences(
    warehouse: Warehouse, table: PredictionTable, expected: _Expected
) -> Iterator[str]:
    """Each difference in one line."""
    view = warehouse.view_difference(table)
    if view:
        yield f"the view {table.schema}.{table.model} is not the one that was made: {view}"
    stored = {batch.batch: batch for batch in warehouse.stored_batches(table)}
    for name, row in expected.batches.items():
        found = stored.get(name)
        if found is None or not found.published:
            yield f"batch {name}: not published in the warehouse"
            continue
        yield from _batch_differences(row, found)
        if found.shown != (name in expected.shown):
            yield f"batch {name}: the view {'shows' if found.shown else 'hides'} it"
    for name in sorted(set(stored) - set(expected.batches)):
        if stored[name].published:
            yield f"batch {name}: published by nothing that was recorded"


def _batch_differences(row: BatchRow, found: StoredBatch) -> Iterator[str]:
    if found.rows != row.rows:
        yield f"batch {found.batch}: {found.rows:,} rows, {row.rows:,} were published"
    # Of the earliest batches the digest was not kept.
    elif found.content != row.summary.get("content", found.content):
        yield f"batch {found.batch}: other values than those that were published"
