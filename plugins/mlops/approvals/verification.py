"""Whether a recorded approval is signed by a key that counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from mlops.approvals.key_register import KeyRegister, read_key_register
from mlops.approvals.statement import signature_fits
from mlops.store import fact_digests
from mlops.store.ledger import read_object
from mlops.store.tables import DecisionRow, LedgerRow
from mlops.store.transaction import LedgerBacked, Transaction
from mlops.trust import Trust
from mlops.vocabulary import APPROVALS, LedgerAction

SIGNATURE = "signature"
UNSIGNED = "not signed; it was recorded before approvals were signed"


@dataclass(frozen=True)
class Verifier:
    """Verifies approvals with the keys that the ledger registers and the settings pin."""

    register: KeyRegister
    trust: Trust

    def fault(self, item: LedgerBacked[DecisionRow], *, policy: str, at: datetime) -> str | None:
        """Why an approval does not count at a moment; none if it does.

        :param policy: name of the version's policy, which may accept what was recorded before the
            ledger had a key.
        """
        if not self.is_from_before(item):
            return self.signature_fault(item)
        until = self.trust.unsigned_until(policy)
        if until is not None and at.date() <= until:
            return None
        accepted = "not accept it" if until is None else f"accept it until {until} only"
        return f"{UNSIGNED} (entry {item.seq}), and the policy does {accepted}"

    def is_from_before(self, item: LedgerBacked[DecisionRow]) -> bool:
        """Whether it has no signature, and the ledger had no key when it was recorded."""
        first = self.register.first
        return SIGNATURE not in item.payload and (first is None or item.seq < first)

    def signature_fault(self, item: LedgerBacked[DecisionRow]) -> str | None:
        """What is wrong with the signature of an approval; none if nothing is."""
        signature = item.payload.get(SIGNATURE)
        if not isinstance(signature, dict):
            return f"not signed by the API server (entry {item.seq})"
        fingerprint = str(signature.get("key"))
        short = f"{fingerprint[:12]}…"
        key = self.register.keys.get(fingerprint)
        if key is None:
            return f"signed by key {short}, which the ledger does not know"
        if fingerprint not in self.trust.keys:
            return f"signed by key {short}, which [mlops] approval_keys does not pin"
        if item.row is None or not signature_fits(item.row, signature, key.public_key):
            return f"another one than key {short} signed"
        if not key.counts(item.seq, item.row.decided_at):
            why = f": {key.revoked}" if key.revoked else ""
            return f"signed by key {short}, which does not count for entry {item.seq}{why}"
        return None


def read_verifier(transaction: Transaction) -> Verifier:
    """What verifies the approvals that are read in a transaction."""
    return Verifier(read_key_register(transaction), transaction.trust)


def approvals(transaction: Transaction) -> Iterator[LedgerBacked[DecisionRow]]:
    """Every approval of the ledger that counted when it was recorded, in its order."""
    entries = transaction.session.execute(
        select(LedgerRow.seq, LedgerRow.payload)
        .where(LedgerRow.action == str(LedgerAction.SIGNATURE_GIVEN))
        .order_by(LedgerRow.seq)
    )
    for seq, content in entries:
        payload = read_object(content) or {}
        fact = fact_digests.read_reference(seq, payload.get("fact"))
        is_decision = fact is not None and fact.table is DecisionRow.__table__
        row = transaction.session.get(DecisionRow, fact.key) if fact and is_decision else None
        if row is None or row.answer in APPROVALS:
            yield LedgerBacked(seq, payload, row)
