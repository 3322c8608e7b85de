"""What a query is about to read: which tables, in which state, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from mlops.digests import digest_json
from mlops.errors import RecordMissing
from mlops.lineage.events.sources import content_of, sources_read
from mlops.store.tables import ReadingRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.warehouse.records import DatabaseState
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.workspace import Workspace, now


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
    digest = digest_json([subject, rows, read.content["query_sha256"], read.content["tables"]])
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
            "tables": [f"{table['schema']}.{table['table']}" for table in read.content["tables"]],
            "snapshot": read.content["snapshot"],
            "unknown": read.content["unknown"],
        },
        lineage=sources_read(workspace.origin, row),
    )
    return transaction.get(ReadingRow, digest)


def record_scored(
    transaction: Transaction,
    workspace: Workspace,
    plan: Plan,
    scored: Sequence[Scored],
    *,
    content: str,
) -> ReadingRow:
    """Record what a batch's shards have read; the shards read one after the other.

    The newest of their states represents all of them, since it has seen all that any of them has:
    a search for what a bad load has touched must not miss a batch.

    :param content: digest of the rows that were written.
    """
    checked = newest_reading(transaction, plan.batch)
    newest = workspace.warehouse.newest_state(
        DatabaseState(item.snapshot, item.lsn) for item in scored
    )
    return record_reading(
        transaction,
        workspace,
        Reading(checked.content, now()).in_state(newest),
        subject=plan.batch,
        model=plan.model,
        rows=f"{sum(item.rows for item in scored)} scored, {content}",
    )


def newest_reading(transaction: Transaction, subject: str) -> ReadingRow:
    """What was read last for a batch.

    :raises RecordMissing: nothing was.
    """
    found = transaction.find(ReadingRow, subject=subject)
    if not found:
        raise RecordMissing(
            f"{subject}: what was read for it",
            found="no reading in the store",
            expected="the one that check_input records",
            action="clear the task check_input",
        )
    return max(found, key=lambda row: row.read_at)
