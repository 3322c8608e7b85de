"""``signoff status``: what waits for whom, since when."""

from __future__ import annotations

from datetime import timedelta

from mlops.approvals.reminders import waiting
from mlops.store.connect import Store
from mlops.workspace.workspace import now


def status(url: str) -> int:
    """Print every gate that waits, the longest first; always 0."""
    at = now()
    with Store(url).transaction() as transaction:
        gates = waiting(transaction, at=at)
    if not gates:
        print("no gate waits for anybody")
    for gate in gates:
        left = gate.answer_by - at
        when = f"lapses in {_words(left)}" if left > timedelta(0) else "past its deadline"
        print(
            f"{gate.model} v{gate.version}  {gate.seat}: waits for {', '.join(gate.users)} "
            f"since {gate.asked_at:%Y-%m-%d %H:%M} UTC ({_words(at - gate.asked_at)}), {when}"
        )
    return 0


def _words(length: timedelta) -> str:
    hours = int(length.total_seconds() // 3600)
    if hours < 1:
        return f"{int(length.total_seconds() // 60)} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004
