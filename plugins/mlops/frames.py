"""Snapshots, predictions and results as pandas frames, for notebooks and scripts.

>>> from mlops import frames
>>> frames.snapshots("flight_delay")            # what was frozen, newest first
>>> frames.snapshot("flight_delay")             # the rows of the newest one
>>> frames.predictions("flight_delay/2013-07/v1")
>>> frames.results("flight_delay")              # every monitored window

Connections and the artifact root are the ones that Airflow has. Nothing is written. pandas comes
with the extra ``frames``.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from mlops.connections import approval_trust, database_url, open_warehouse
from mlops.errors import RecordMissing
from mlops.settings import artifact_root, store_conn_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mlops.store.connect import Store
    from mlops.store.tables import Base


def snapshots(model: str) -> pd.DataFrame:
    """The snapshots of a model, the newest first: id, digest, rows, the periods that it covers."""
    from mlops.store.tables import SnapshotRow

    columns = ("id", "sha256", "rows", "train_start", "test_start", "test_end", "taken_at")
    return _read_facts(SnapshotRow, model, columns, newest_by="taken_at")


def snapshot(about: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows of a snapshot, their bytes held against its digest.

    :param about: id of a snapshot, or name of a model for its newest one.
    :param columns: only these; default: all.
    :raises RecordMissing: the store knows no such snapshot.
    :raises ArtifactChanged: the file does not have the recorded digest.
    """
    import pandas as pd
    from airflow.sdk import ObjectStoragePath
    from sqlalchemy import or_, select

    from mlops.store.artifacts import Artifacts
    from mlops.store.tables import SnapshotRow

    with _store().transaction() as transaction:
        query = (
            select(SnapshotRow.sha256)
            .where(or_(SnapshotRow.id == about, SnapshotRow.model == about))
            .order_by(SnapshotRow.taken_at.desc())
        )
        digest = transaction.session.scalars(query).first()
    if digest is None:
        raise RecordMissing(f"snapshot {about}", expected="an id of mlops.frames.snapshots(model)")
    data = Artifacts(ObjectStoragePath(artifact_root())).read(digest)
    return pd.read_parquet(io.BytesIO(data), columns=list(columns) if columns else None)


def batches(model: str) -> pd.DataFrame:
    """The published batches of a model, the newest first."""
    from mlops.store.tables import BatchRow

    columns = ("id", "version", "window_start", "window_end", "rows", "published_at")
    return _read_facts(BatchRow, model, columns, newest_by="published_at")


def predictions(batch: str) -> pd.DataFrame:
    """The predictions of a batch, as far as the model's view shows them.

    A batch that a later one of its window has replaced has no rows there.

    :param batch: its name, as ``flight_delay/2013-07/v1``.
    :raises RecordMissing: the store knows no such batch.
    """
    import pyarrow as pa

    from mlops.flow.queries import prediction_table
    from mlops.store.tables import BatchRow, VersionRow
    from mlops.workspace.workspace import registered_spec

    with _store().transaction() as transaction:
        row = transaction.session.get(BatchRow, batch)
        if row is None:
            raise RecordMissing(f"batch {batch}", expected="an id of mlops.frames.batches(model)")
        version = transaction.get(VersionRow, (row.model, row.version))
        spec = registered_spec(transaction, version.spec_digest)
        name = row.stored_as
    table = prediction_table(spec)
    quoted = name.replace("'", "''")
    query = f'SELECT * FROM "{table.schema}"."{table.model}" WHERE batch = \'{quoted}\''
    with open_warehouse(spec.content.warehouse).stream(query) as rows:
        return pa.Table.from_batches(list(rows), rows.schema).to_pandas()


def results(model: str) -> pd.DataFrame:
    """Every verdict on a monitored window, the newest first; ``result`` holds its record."""
    from mlops.store.tables import MonitorRow

    columns = ("period", "version", "state", "window_start", "window_end", "judged_at", "result")
    return _read_facts(MonitorRow, model, columns, newest_by="window_start")


def _read_facts(
    kind: type[Base], model: str, columns: Sequence[str], *, newest_by: str
) -> pd.DataFrame:
    import pandas as pd
    from sqlalchemy import select

    fields = [getattr(kind, name) for name in columns]
    of_model = getattr(kind, "model") == model  # noqa: B009 (each kind has one; Base does not)
    query = select(*fields).where(of_model).order_by(getattr(kind, newest_by).desc())
    with _store().transaction() as transaction:
        rows: list[Any] = [tuple(row) for row in transaction.session.execute(query)]
    return pd.DataFrame(rows, columns=list(columns))


def _store() -> Store:
    from mlops.store.connect import Store

    # As the commands: connections also come from Airflow's metadata database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    return Store(database_url(store_conn_id()), trust=approval_trust())
