"""Deploy: show a scored batch to the applications, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlops.errors import WarehouseError
from mlops.flow.plan import Plan, Scored
from mlops.flow.reading import record_scored
from mlops.flow.results import Published
from mlops.flow.workspace import Workspace, now
from mlops.lineage.deploy import batch_published
from mlops.store.tables import BatchRow, VersionRow
from mlops.warehouse.predictions import publish_batch


def publish(workspace: Workspace, *, plan: Plan, scored: Sequence[Scored]) -> Published:
    """Count the batch's rows against its shards and make them visible in the stable view.

    :raises WarehouseError: shards are missing, or the table holds other rows than were scored.
    """
    missing = sorted({shard.shard for shard in plan.shards} - {item.shard for item in scored})
    if missing:
        raise WarehouseError(
            f"batch {plan.batch}",
            found=f"no scores of shard {', '.join(map(str, missing))}",
            expected=f"all {len(plan.shards)} shards",
            action="clear the failed shards of the task 'score'",
        )
    with workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, plan.model, plan.version)
    spec = workspace.spec(version.spec_digest)
    expected = sum(item.rows for item in scored)
    window_start = datetime.fromisoformat(plan.window_start)
    window_end = datetime.fromisoformat(plan.window_end)
    # The warehouse first: published there twice is the same as once, and a batch that the store
    # knows is then always one that applications can read.
    publish_batch(
        workspace.warehouse_url,
        schema=spec.content.deploy.output_schema,
        model=plan.model,
        batch=plan.batch,
        model_version=plan.version,
        window_start=window_start,
        window_end=window_end,
        rows=expected,
    )
    unseen: dict[str, int] = {}
    for item in scored:
        for name, count in item.unseen.items():
            unseen[name] = unseen.get(name, 0) + count
    row = BatchRow(
        id=plan.batch,
        model=plan.model,
        version=plan.version,
        package_digest=plan.package_digest,
        window_start=window_start,
        window_end=window_end,
        rows=expected,
        summary={"window": plan.window, "unseen": unseen, "shards": len(plan.shards)},
        run=workspace.run.to_json(),
        published_at=now(),
    )
    with workspace.store.transaction() as transaction:
        read = record_scored(transaction, workspace, plan, scored)
        transaction.record(
            row,
            actor=workspace.run.actor,
            action="batch.published",
            subject=plan.batch,
            payload={
                "package": plan.package_digest,
                "version": plan.version,
                "window_start": window_start,
                "window_end": window_end,
                "rows": expected,
                "unseen": unseen,
                "run": workspace.run.to_json(),
            },
            lineage=batch_published(workspace.origin, row, version, spec, read),
        )
    return Published(
        batch=plan.batch,
        model=plan.model,
        version=plan.version,
        window=plan.window,
        rows=expected,
        view=f"{spec.content.deploy.output_schema}.{plan.model}",
    )
