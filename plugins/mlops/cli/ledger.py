"""``ledger verify``: is the chain whole?"""

from __future__ import annotations

import sys

from mlops.store import ledger
from mlops.store.connect import Store


def verify(url: str) -> int:
    """Walk the chain of the store at ``url``; 0 when whole, 1 with the first broken entry."""
    with Store(url).transaction() as transaction:
        count, broken = ledger.verify(transaction.session.connection())
    if broken is not None:
        print(
            f"the ledger is broken at entry {broken.seq}: {broken.reason}; "
            f"{count} entries before it hold",
            file=sys.stderr,
        )
        return 1
    print(f"the ledger is whole: {count} entries")
    return 0
