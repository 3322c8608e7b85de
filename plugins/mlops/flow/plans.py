"""Deploy: the recorded plan of a window, which every later step of its run goes by.

A plan is a fact: which version scores which rows. Tasks hand on its digest only, and each step
reads it through the ledger, so that a changed XCom can at most name a plan that is refused.
"""

from __future__ import annotations

from typing import Any

from mlops.approvals.signatures import require_signed
from mlops.digests import digest_json
from mlops.errors import NotSigned, RecordMissing
from mlops.flow.deployments import current_deployment
from mlops.flow.fallback import choose_version
from mlops.store.tables import BatchRow, PlanRow, VersionRow, generation_number
from mlops.store.transaction import Transaction
from mlops.vocabulary import ROLLBACK, STOP, LedgerAction
from mlops.warehouse.records import Part
from mlops.workspace.workspace import Workspace, now

READ_AGAIN = "clear the task 'check_input', which reads the window again"


def record_plan(transaction: Transaction, workspace: Workspace, row: PlanRow) -> PlanRow:
    """Record a plan for this run; the same plan of the same run is recorded once."""
    row.run = workspace.run.to_json()
    row.digest = digest_json([row.generation, row.content, row.run["dag_id"], row.run["run_id"]])
    transaction.record(
        row,
        actor=workspace.run.actor,
        action=LedgerAction.WINDOW_PLANNED,
        subject=row.batch,
        payload={
            "plan": row.digest,
            "generation": row.generation,
            "package": row.package_digest,
            "version": row.version,
            "by_rule": row.by_rule,
            "window_start": row.window_start,
            "window_end": row.window_end,
            "rows": row.rows,
            "parts": len(row.parts),
            "content": row.content,
            "run": row.run,
        },
    )
    return transaction.get(PlanRow, row.digest)


def recorded_plan(transaction: Transaction, digest: str) -> PlanRow:
    """Read a plan as the ledger has it.

    :raises RecordMissing: none was recorded, or its row is not what was recorded.
    """
    row = transaction.session.get(PlanRow, digest)
    backed = transaction.ledger_backed(PlanRow, subject=row.batch, digest=digest) if row else ()
    if row is None or not any(found.row is row for found in backed):
        raise RecordMissing(
            f"the plan {digest}",
            found="no plan that the ledger records" if row is None else "a row that was changed",
            expected="the digest of a plan that check_input recorded",
            action=READ_AGAIN,
        )
    return row


def plan_of_run(
    transaction: Transaction, workspace: Workspace, *, model: str, digest: Any
) -> PlanRow:
    """Read the plan that this run goes by.

    :param digest: as a task handed it on, so it may be anything.
    :raises RecordMissing: it is not a recorded plan of this model and this run.
    """
    row = recorded_plan(transaction, str(digest))
    run = workspace.run
    found = (row.model, row.run["dag_id"], row.run["run_id"])
    if found != (model, run.dag_id, run.run_id):
        raise RecordMissing(
            f"the plan {digest} of another run",
            found=" ".join(found),
            expected=f"a plan of {model} that was made in {run.dag_id} {run.run_id}",
            action=f"find out who changed the XCom of check_input; then {READ_AGAIN}",
        )
    return row


def parts_of_shard(plan: PlanRow, shard: int) -> tuple[Part, ...]:
    """The parts that one shard scores: whole ones, in order, about as many as the others have.

    :raises RecordMissing: the plan has no such shard.
    """
    if not 0 <= shard < plan.shards:
        raise RecordMissing(
            f"shard {shard} of {plan.generation}",
            found=f"a plan of {plan.shards} shards",
            expected=f"a shard from 0 to {plan.shards - 1}",
            action=READ_AGAIN,
        )
    first, end = (-(-len(plan.parts) * at // plan.shards) for at in (shard, shard + 1))
    return tuple(Part(**part) for part in plan.parts[first:end])


def published_as(transaction: Transaction, plan: PlanRow) -> BatchRow | None:
    """The publication of a plan's rows; none if they were not published.

    :raises RecordMissing: a later reading of the window was published, which replaced these rows.
    """
    rows = transaction.find(BatchRow, model=plan.model, window_start=plan.window_start)
    mine = [row for row in rows if row.batch == plan.batch]
    found = next((row for row in mine if row.id == plan.generation), None)
    later = [row.id for row in mine if generation_number(row.id) > plan.number]
    if found is None and later:
        raise RecordMissing(
            f"batch {plan.generation} was overtaken",
            found=f"{', '.join(sorted(later))}, which was read later and is published",
            expected="the newest reading of the window",
            action=READ_AGAIN,
        )
    return found


def require_may_score(transaction: Transaction, plan: PlanRow) -> None:
    """Refuse a plan whose version, or rule, may not give scores at this moment.

    A version that was merely replaced by a release is let through: what it scores is published
    behind the new version's batch.

    :raises NotSigned: a signature no longer holds, the rule is not what scores now, or the version
        was stopped or rolled back.
    """
    if not plan.by_rule:
        version = plan_version(transaction, plan)
        require_signed(transaction, version, at=now())
    deployment = current_deployment(transaction, plan.model)
    undone = deployment is not None and deployment.action in (STOP, ROLLBACK)
    if not plan.by_rule and not undone:
        return
    choice = choose_version(transaction, plan.model, at=now())
    number = None if choice.version is None else choice.version.number
    if (number, choice.by_rule) != (plan.version, plan.by_rule):
        raise NotSigned(
            f"batch {plan.generation}",
            found=f"a plan of {'the rule' if plan.by_rule else f'v{plan.version}'}, "
            "which is not what scores now",
            expected="what is live, or the safe state that the policy names",
            action="clear the task 'check_input', which plans the window again",
        )


def plan_version(transaction: Transaction, plan: PlanRow) -> VersionRow:
    """The version whose model or rule a plan names."""
    return transaction.get(VersionRow, plan.model, plan.version)
