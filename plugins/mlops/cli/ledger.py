"""``ledger verify``: is the chain whole, and is each approval signed?"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from mlops.approvals.key_register import read_key_register
from mlops.approvals.verification import UNSIGNED, Verifier, approvals
from mlops.connections import approval_trust
from mlops.store import ledger
from mlops.store.connect import Store
from mlops.store.transaction import Transaction
from mlops.trust import Trust


def verify(url: str, noted: tuple[int, str] | None = None) -> int:
    """Walk the chain of the store at ``url``; 0 when whole, 1 with the first broken entry.

    The signature of each approval is verified as well. Where the settings pin no key, the keys of
    the ledger verify it, and a line shows that: then the ledger vouches for itself.

    :param noted: number and digest of an entry, as noted down elsewhere: the ledger must still
        hold it.
    """
    with Store(url, trust=approval_trust()).transaction() as transaction:
        connection = transaction.session.connection()
        count, broken = ledger.verify(connection)
        seq, digest = ledger.head(connection)
        found = _verify_approvals(transaction)
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
    return _print_approvals(found)


@dataclass(frozen=True)
class Approvals:
    """What became of the approvals of a ledger: how many are signed, and each that is not."""

    signed: int
    unsigned: int
    faults: tuple[str, ...]
    pinned: bool


def _verify_approvals(transaction: Transaction) -> Approvals:
    register, trust = read_key_register(transaction), transaction.trust
    pinned = bool(trust.keys)
    verifier = Verifier(register, trust if pinned else Trust(keys=frozenset(register.keys)))
    signed = unsigned = 0
    faults = []
    for item in approvals(transaction):
        fault = verifier.signature_fault(item)
        if verifier.is_from_before(item):
            unsigned += 1
        elif fault is None:
            signed += 1
        else:
            faults.append(f"the approval of entry {item.seq} is {fault}")
    return Approvals(signed, unsigned, tuple(faults), pinned)


def _print_approvals(found: Approvals) -> int:
    if found.signed:
        by = "by pinned keys" if found.pinned else "by keys of the ledger, of which none is pinned"
        print(f"{found.signed} approvals are signed {by}")
    if found.unsigned:
        print(f"{found.unsigned} approvals are {UNSIGNED}")
    for fault in found.faults:
        print(fault, file=sys.stderr)
    return 1 if found.faults else 0
