"""All models: remove the rows of scored windows that the policies keep no longer."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlops.store.tables import PlanRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction
from mlops.workspace.workspace import Workspace, now


def remove_inputs(workspace: Workspace) -> int:
    """Remove the files of windows that were read longer ago than ``keep_inputs`` of their policy.

    A file that a window to be kept has as well stays. Plans, profiles and scores stay; the rows
    themselves cannot be scored again then. Each removal is a ledger entry.

    :returns: how many files were removed.
    """
    removed = 0
    with workspace.store.transaction() as transaction:
        plans = transaction.find(PlanRow)
        due = [plan for plan in plans if _is_due(transaction, plan, at=now())]
        due_digests = {plan.digest for plan in due}
        kept = {
            part["sha256"]
            for plan in plans
            if plan.digest not in due_digests
            for part in plan.parts
        }
        for plan in due:
            if _was_removed(transaction, plan):
                continue
            files = {part["sha256"] for part in plan.parts} - kept
            removed += sum(workspace.artifacts.remove(digest) for digest in sorted(files))
            transaction.note(
                actor=workspace.run.actor,
                action=LedgerAction.INPUTS_REMOVED,
                subject=plan.batch,
                payload={
                    "plan": plan.digest,
                    "generation": plan.generation,
                    "parts": len(files),
                    "keep_inputs": _days(transaction, plan),
                    "run": workspace.run.to_json(),
                },
            )
    return removed


def _days(transaction: Transaction, plan: PlanRow) -> int | None:
    """For how many days the policy of the plan's version keeps the rows; None without a limit."""
    return transaction.get(VersionRow, plan.model, plan.version).signing_policy.keep_inputs


def _is_due(transaction: Transaction, plan: PlanRow, *, at: datetime) -> bool:
    days = _days(transaction, plan)
    return days is not None and plan.planned_at <= at - timedelta(days=days)


def _was_removed(transaction: Transaction, plan: PlanRow) -> bool:
    notes = transaction.notes(action=LedgerAction.INPUTS_REMOVED, subject=plan.batch)
    return any(note["plan"] == plan.digest for note in notes)
