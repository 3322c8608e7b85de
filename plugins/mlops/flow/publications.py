"""Deploy: which batches of a window were published, and which one of them applications see."""

from __future__ import annotations

from datetime import datetime

from mlops.core.period import Period
from mlops.store.tables import BatchRow
from mlops.store.transaction import Transaction
from mlops.workspace.plan import Plan


def publications(transaction: Transaction, model: str, window: Period) -> list[BatchRow]:
    """Every publication for a window, the one that is shown last.

    A batch has one set of rows, whichever plan wrote them last: of its publications the last one
    describes them, though a later plan may have been published before it.
    """
    found = transaction.find(
        BatchRow, model=model, window_start=window.start, window_end=window.end
    )
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


def chosen_last(plan: Plan, known: list[BatchRow]) -> bool:
    """Whether nothing else was chosen for the window since the plan's version was.

    An old plan does not hide what came after it: clearing a task in a run from before a release is
    not a request to bring the earlier version back.
    """
    at = datetime.fromisoformat(plan.chosen_at)
    return all(chosen_at(row) <= at for row in known if row.batch != plan.batch)


def published_before(known: list[BatchRow], plan: Plan, *, content: str) -> BatchRow | None:
    """The recorded publication with the content of this one; None if this one is a new fact.

    :param known: of the window, the one that is shown last.
    :param content: digest of the batch's rows.
    """
    own = [row for row in known if row.batch == plan.batch]
    if not own or (known[-1].batch != plan.batch and chosen_last(plan, known)):
        return None
    # Batches from before digests were kept are assumed to be the same.
    return own[-1] if own[-1].summary.get("content", content) == content else None
