"""What a query is about to read: which tables, in which state, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from mlops.digests import digest_json
from mlops.lineage.events.origin import model_of_predictions, prediction_table_name
from mlops.lineage.events.sources import content_of, sources_read
from mlops.store.tables import BatchRow, ReadingRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.warehouse.records import DatabaseState
from mlops.workspace.workspace import Workspace, now, registered_spec


@dataclass(frozen=True)
class Reading:
    """A reading that is not recorded yet.

    :ivar content: see :func:`mlops.lineage.events.sources.content_of`.
    """

    content: dict[str, Any]
    read_at: datetime

    def in_state(self, state: DatabaseState) -> Reading:
        """The same, with the state of the database that the rows themselves were read in."""
        return replace(self, content={**self.content, **asdict(state)})


def source_access(workspace: Workspace, query: str) -> Reading:
    """Ask the warehouse what the query reads; the query itself is not run."""
    # The parser of SQL is loaded where SQL is parsed: who records a reading needs none.
    from mlops.lineage.columns.derive import column_lineage

    found = workspace.warehouse.read_query(query)
    return Reading(content_of(query, found, column_lineage(query, found)), now())


def _written(transaction: Transaction, tables: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Those of some tables and views that hold predictions, which scoring runs have written.

    Few tables are named like a model: only the specs of these are read.
    """
    names = {table["table"] for table in tables}
    scored = transaction.session.execute(
        select(BatchRow.model, VersionRow.spec_digest)
        .join(
            VersionRow,
            and_(VersionRow.model == BatchRow.model, VersionRow.number == BatchRow.version),
        )
        .where(BatchRow.model.in_(names | {model_of_predictions(name) for name in names}))
        .distinct()
    )
    found = set()
    for model, digest in scored:
        schema = registered_spec(transaction, digest).content.deploy.output_schema
        found |= {(schema, model), (schema, prediction_table_name(model))}
    return found


def record_reading(
    transaction: Transaction,
    workspace: Workspace,
    read: Reading,
    *,
    subject: str,
    model: str,
    rows: str = "",
) -> ReadingRow:
    """Record a reading; the same query over the same rows is recorded once.

    :param subject: the snapshot, or the batch, that the rows are read for.
    :param rows: a digest of the rows, where ``subject`` is none.
    :return: the recorded reading.
    """
    tables = read.content["tables"]
    digest = digest_json([subject, rows, read.content["query_sha256"], tables])
    row = ReadingRow(
        digest=digest, subject=subject, model=model, content=read.content, read_at=read.read_at
    )
    transaction.record(
        row,
        actor=workspace.run.actor,
        action=LedgerAction.SOURCE_READ,
        subject=subject,
        payload={
            "reading": digest,
            "tables": [f"{table['schema']}.{table['table']}" for table in tables],
            "snapshot": read.content["snapshot"],
            "unknown": read.content["unknown"],
        },
        lineage=sources_read(workspace.origin, row, written=_written(transaction, tables)),
    )
    return transaction.get(ReadingRow, digest)
