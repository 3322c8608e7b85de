"""``ledger verify``: is the chain whole?"""

from __future__ import annotations

import sys

from mlops.store import ledger
from mlops.store.connect import Store


def verify(url: str, noted: tuple[int, str] | None = None) -> int:
    """Walk the chain of the store at ``url``; 0 when whole, 1 with the first broken entry.

    :param noted: number and digest of an entry, as noted down elsewhere: the ledger must still
        hold it.
    """
    with Store(url).transaction() as transaction:
        connection = transaction.session.connection()
        count, broken = ledger.verify(connection)
        seq, digest = ledger.head(connection)
        lost = ledger.missing(connection, seq=noted[0], digest=noted[1]) if noted else None
    if broken is not None:
        print(
            f"the ledger is broken at entry {broken.seq}: {broken.reason}; "
            f"{count} entries before it hold",
            file=sys.stderr,
        )
        return 1
    if noted and lost is not None:
        print(
            f"the ledger does not hold entry {noted[0]} with digest {noted[1]}: {lost}; "
            f"the {count} entries that are there hold",
            file=sys.stderr,
        )
        return 1
    print(f"the ledger is whole: {count} entries, head {seq}:{digest}")
    return 0
