"""``signoff status``: which approval requests wait for whom, since when."""

from __future__ import annotations

from datetime import timedelta

from mlops.approvals.reminders import pending_requests
from mlops.store.connect import Store
from mlops.workspace.workspace import now


def status(url: str) -> int:
    """Print every approval request that waits, the longest first; always 0."""
    at = now()
    with Store(url).transaction() as transaction:
        pending = pending_requests(transaction, at=at)
    if not pending:
        print("no approval request waits for an answer")
    for request in pending:
        left = request.answer_by - at
        when = f"lapses in {_format_length(left)}" if left > timedelta(0) else "past its deadline"
        print(
            f"{request.model} v{request.version}  {request.seat}: waits for "
            f"{', '.join(request.users)} since {request.asked_at:%Y-%m-%d %H:%M} UTC "
            f"({_format_length(at - request.asked_at)}), {when}"
        )
    return 0


def _format_length(length: timedelta) -> str:
    hours = int(length.total_seconds() // 3600)
    if hours < 1:
        return f"{int(length.total_seconds() // 60)} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004
