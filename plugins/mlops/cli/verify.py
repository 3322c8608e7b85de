"""``verify predictions``: are published predictions and their views what was recorded?"""

from __future__ import annotations

import sys

from mlops.connections import open_warehouse
from mlops.flow.verify_predictions import ACTION, compare_predictions
from mlops.store.connect import Store


def predictions(url: str, model: str | None) -> int:
    """Compare them with the store at ``url``; 0 when all are, 1 with a line for each difference.

    Nothing is recorded.
    """
    with Store(url).transaction() as transaction:
        compared = compare_predictions(transaction, open_warehouse, model=model)
    for line in compared.lines:
        print(line, file=sys.stderr)
    if compared.lines:
        print(f"what to do: {ACTION}", file=sys.stderr)
        return 1
    print(f"{compared.batches} batches of {compared.models} models are as they were published")
    return 0
