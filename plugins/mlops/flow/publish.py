"""Deploy: show a scored batch to the applications, all of it at once."""

from __future__ import annotations

from mlops.core.profiles import Profile
from mlops.flow.deployments import lock_live_version
from mlops.flow.plans import plan_of_run, plan_version, published_as, require_may_score
from mlops.flow.publications import chosen_last, lock_window, names_before, publications
from mlops.flow.queries import prediction_table
from mlops.lineage.events.deploy import batch_published, batch_shown
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, PlanRow, ReadingRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.warehouse.records import PublishedBatch
from mlops.workspace.results import Published
from mlops.workspace.workspace import Workspace, now, registered_spec


def publish(workspace: Workspace, *, model: str, plan: str) -> Published:
    """Count the batch's rows against its plan and make them visible in the stable view.

    Whether the version may still run is asked in the transaction that records the publication, and
    a stop or a rollback waits for its end, so neither comes between.

    :param plan: digest of the plan that ``check_input`` recorded in this run.
    :raises RecordMissing: it is not a plan of this run, or a later reading was published.
    :raises NotSigned: the version was stopped or rolled back, or a signature no longer holds.
    :raises WarehouseError: the table does not hold the rows that were checked.
    """
    with workspace.store.transaction() as transaction:
        row = plan_of_run(transaction, workspace, model=model, digest=plan)
        lock_live_version(transaction, model)
        # Which batch of a window hides the others follows from the recorded facts, so another one
        # may not come between the reading and the record.
        lock_window(transaction, model, row.window)
        version = plan_version(transaction, row)
        spec = registered_spec(transaction, version.spec_digest)
        batch = published_as(transaction, row)
        if batch is None:
            require_may_score(transaction, row)
            batch = _publish(transaction, workspace, row, version, spec)
        workspace.emit(batch_shown(workspace.origin, batch, version, spec))
    return Published(
        batch=batch.id,
        model=model,
        version=row.version,
        window=row.window,
        rows=batch.rows,
        view=f"{spec.content.deploy.output_schema}.{model}",
    )


def _publish(
    transaction: Transaction,
    workspace: Workspace,
    plan: PlanRow,
    version: VersionRow,
    spec: Spec,
) -> BatchRow:
    known = publications(transaction, plan.model, plan.window_start, plan.window_end)
    # The warehouse first: published there twice is the same as once, and a batch that the store
    # knows is then always one that applications can read.
    written = workspace.warehouse.publish_batch(
        prediction_table(spec),
        batch=plan.generation,
        model_version=plan.model_version,
        window_start=plan.window_start,
        window_end=plan.window_end,
        rows=plan.rows,
        over_others=chosen_last(plan, known),
        replaces=names_before(transaction, plan, known),
    )
    return _record(transaction, workspace, plan, version, spec, written)


def _record(
    transaction: Transaction,
    workspace: Workspace,
    plan: PlanRow,
    version: VersionRow,
    spec: Spec,
    written: PublishedBatch,
) -> BatchRow:
    """Record the publication as a new fact."""
    found = Profile.from_json(plan.profile).unseen()
    unseen = {name: count for name, count in found.items() if count}
    row = BatchRow(
        id=plan.generation,
        model=plan.model,
        version=plan.version,
        package_digest="" if plan.by_rule else plan.package_digest,
        window_start=plan.window_start,
        window_end=plan.window_end,
        rows=written.rows,
        summary={
            "window": plan.window,
            "unseen": unseen,
            "shards": plan.shards,
            "chosen_at": plan.chosen_at.isoformat(),
            "content": written.content,
            "by_rule": plan.by_rule,
            "generation": plan.generation,
            "plan": plan.digest,
        },
        run=workspace.run.to_json(),
        published_at=now(),
    )
    read = transaction.get(ReadingRow, plan.reading)
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
            "unseen": unseen,
            "plan": plan.digest,
            "run": workspace.run.to_json(),
        },
        lineage=batch_published(workspace.origin, row, version, spec, read),
    )
    return row
