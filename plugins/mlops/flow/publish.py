"""Deploy: show a scored batch to the applications, all of it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mlops.errors import WarehouseError
from mlops.flow.publications import chosen_last, publications, published_before
from mlops.flow.queries import prediction_table
from mlops.flow.source_access import record_scored
from mlops.lineage.events.deploy import batch_published, batch_shown
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.warehouse.records import PublishedBatch
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.results import Published
from mlops.workspace.workspace import Workspace, now, registered_spec


def publish(workspace: Workspace, *, plan: Plan, scored: Sequence[Scored]) -> Published:
    """Count the batch's rows against its shards and make them visible in the stable view.

    :raises WarehouseError: shards are missing, fewer rows were scored than were checked, or the
        table holds other rows than were scored.
    """
    missing = sorted({shard.shard for shard in plan.shards} - {item.shard for item in scored})
    if missing:
        raise WarehouseError(
            f"batch {plan.batch}",
            found=f"no scores of shard {', '.join(map(str, missing))}",
            expected=f"all {len(plan.shards)} shards",
            action="clear the failed shards of the task 'score'",
        )
    rows = sum(item.rows for item in scored)
    if rows < plan.rows:
        # More is only what came late; fewer is a table that was emptied, or half loaded.
        raise WarehouseError(
            f"batch {plan.batch} has fewer rows than were checked",
            found=f"{rows:,} rows scored",
            expected=f"the {plan.rows:,} rows that check_input found",
            action="see that the tables are whole, then clear the task 'check_input'",
        )
    window = plan.period
    with workspace.store.transaction() as transaction:
        # Which batch of a window hides the others follows from the recorded facts, so another one
        # may not come between the reading and the record.
        transaction.advisory_lock(f"mlops.publish.{plan.model}.{plan.window}")
        version = transaction.get(VersionRow, plan.model, plan.version)
        spec = registered_spec(transaction, version.spec_digest)
        known = publications(transaction, plan.model, window)
        # The warehouse first: published there twice is the same as once, and a batch that the
        # store knows is then always one that applications can read.
        written = workspace.warehouse.publish_batch(
            prediction_table(spec),
            batch=plan.batch,
            model_version=plan.model_version,
            window_start=window.start,
            window_end=window.end,
            rows=rows,
            over_others=chosen_last(plan, known),
        )
        row = _record(transaction, workspace, plan, scored, version, spec, written, known)
        workspace.emit(batch_shown(workspace.origin, row, version, spec))
    return Published(
        batch=row.id,
        model=plan.model,
        version=plan.version,
        window=plan.window,
        rows=row.rows,
        view=f"{spec.content.deploy.output_schema}.{plan.model}",
    )


def _record(
    transaction: Transaction,
    workspace: Workspace,
    plan: Plan,
    scored: Sequence[Scored],
    version: VersionRow,
    spec: Spec,
    written: PublishedBatch,
    known: list[BatchRow],
) -> BatchRow:
    """Record the publication as a new fact, or return the recorded one with the same content."""
    recorded = published_before(known, plan, content=written.content)
    if recorded is not None:
        return recorded
    times = sum(row.batch == plan.batch for row in known) + 1
    unseen: Counter[str] = Counter()
    for item in scored:
        unseen.update(item.unseen)
    row = BatchRow(
        id=plan.batch if times == 1 else f"{plan.batch}#{times}",
        model=plan.model,
        version=plan.version,
        package_digest="" if plan.by_rule else plan.package_digest,
        window_start=plan.period.start,
        window_end=plan.period.end,
        rows=written.rows,
        summary={
            "window": plan.window,
            "unseen": dict(unseen),
            "shards": plan.parts,
            "chosen_at": plan.chosen_at,
            "content": written.content,
            "by_rule": plan.by_rule,
        },
        run=workspace.run.to_json(),
        published_at=now(),
    )
    read = record_scored(transaction, workspace, plan, scored, content=written.content)
    transaction.record(
        row,
        actor=workspace.run.actor,
        action=LedgerAction.BATCH_PUBLISHED,
        subject=plan.batch,
        payload={
            "package": row.package_digest,
            "version": plan.version,
            "window_start": row.window_start,
            "window_end": row.window_end,
            "rows": row.rows,
            "by_rule": plan.by_rule,
            "content": written.content,
            "unseen": dict(unseen),
            "run": workspace.run.to_json(),
        },
        lineage=batch_published(workspace.origin, row, version, spec, read),
    )
    return row
