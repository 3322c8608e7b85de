"""``status``: which version was live on a date, trained on what, signed by whom."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops.connections import approval_trust
from mlops.store.connect import Store
from mlops.views.status import status_as_of


def status(url: str, model: str, as_of: datetime | None) -> int:
    """Print the state of a model as of a moment; 0 when something was live, 1 otherwise."""
    moment = as_of or datetime.now(UTC)
    with Store(url, trust=approval_trust()).transaction() as transaction:
        found = status_as_of(transaction, model, moment)
    if found is None:
        print(f"{model}: nothing was live on {moment:%Y-%m-%d %H:%M} UTC")
        return 1
    print(f"{model} as of {moment:%Y-%m-%d %H:%M} UTC")
    for name, value in found.lines():
        print(f"  {name:<12} {value}")
    return 0
