"""Deploy: which batches of a window were published, and which one of them applications see."""

from __future__ import annotations

from datetime import datetime

from mlops.store.tables import BatchRow, PlanRow, generation_number
from mlops.store.transaction import Transaction


def lock_window(transaction: Transaction, model: str, window: str) -> None:
    """Plans and publications of a window are recorded one after the other."""
    transaction.advisory_lock(f"mlops.publish.{model}.{window}")


def publications(
    transaction: Transaction, model: str, start: datetime, end: datetime
) -> list[BatchRow]:
    """Every publication for a window, the one that is shown last.

    Of the publications of one batch the last one describes the rows that are there.
    """
    found = transaction.find(BatchRow, model=model, window_start=start, window_end=end)
    chosen: dict[str, datetime] = {}
    for row in found:
        chosen[row.batch] = max(chosen_at(row), chosen.get(row.batch, chosen_at(row)))
    return sorted(found, key=lambda row: (chosen[row.batch], row.published_at))


def chosen_at(row: BatchRow) -> datetime:
    """When it was chosen which version scores the batch.

    Batches from before that was kept were chosen shortly before they were published.
    """
    kept = row.summary.get("chosen_at")
    return datetime.fromisoformat(kept) if kept else row.published_at


def chosen_last(plan: PlanRow, known: list[BatchRow]) -> bool:
    """Whether nothing else was chosen for the window since the plan's version was.

    An old plan does not hide what came after it: clearing a task in a run from before a release is
    not a request to bring the earlier version back.
    """
    return all(chosen_at(row) <= plan.chosen_at for row in known if row.batch != plan.batch)


def plans_of_window(transaction: Transaction, plan: PlanRow) -> list[PlanRow]:
    """Every plan for the same window, in the order in which they were recorded."""
    found = transaction.find(
        PlanRow,
        model=plan.model,
        window_start=plan.window_start,
        window_end=plan.window_end,
    )
    return sorted(found, key=lambda row: row.id)


def names_before(transaction: Transaction, plan: PlanRow, known: list[BatchRow]) -> list[str]:
    """How the warehouse names the earlier rows of the plan's batch, published or not."""
    names = {row.stored_as: row.id for row in known if row.batch == plan.batch}
    for row in plans_of_window(transaction, plan):
        if row.batch == plan.batch:
            names[row.generation] = row.generation
    return sorted(name for name, of in names.items() if generation_number(of) < plan.number)


def generation_after(plan: PlanRow, plans: list[PlanRow], known: list[BatchRow]) -> str:
    """The name of the next generation of the plan's batch."""
    names = [row.generation for row in plans if row.batch == plan.batch]
    names += [row.id for row in known if row.batch == plan.batch]
    number = max(map(generation_number, names), default=0) + 1
    return plan.batch if number == 1 else f"{plan.batch}#{number}"
