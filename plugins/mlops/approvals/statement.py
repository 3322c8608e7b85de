"""What the API server signs: one approval, as canonical JSON.

The text is made from the recorded decision, so that a change of any field that it has makes the
signature one of another text. ``version`` is the first kind of subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops.approvals.signing_key import is_signed_by
from mlops.digests import canonical_json
from mlops.store.tables import DecisionRow
from mlops.trust import Signer
from mlops.vocabulary import version_subject

FORMAT = "mlops approval 1"
VERSION = "version"


@dataclass(frozen=True)
class Statement:
    """An approval of one subject by one person for one seat.

    :ivar key: fingerprint of the key that signs.
    :ivar kind: of the subject.
    :ivar evidence: digests of what was put before the person, by what each is of.
    :ivar until: when the approval expires; none if it does not.
    """

    key: str
    kind: str
    subject: str
    subject_digest: str
    evidence: Mapping[str, str]
    seat: str
    user: str
    answer: str
    reason: str
    at: datetime
    until: datetime | None

    def to_bytes(self) -> bytes:
        """The canonical text, in UTF-8."""
        content = {**vars(self), "evidence": dict(self.evidence), "format": FORMAT}
        return canonical_json(content).encode()


def version_statement(row: DecisionRow, *, key: str) -> Statement:
    """What a key signs of a decision about a version."""
    return Statement(
        key=key,
        kind=VERSION,
        subject=version_subject(row.model, row.version),
        subject_digest=row.package_digest,
        evidence={
            "criteria": row.criteria_digest,
            "report": row.evidence_digest,
            "snapshot": row.snapshot_digest,
            "spec": row.spec_digest,
        },
        seat=row.seat,
        user=row.user_id,
        answer=row.answer,
        reason=row.reason,
        at=row.decided_at,
        until=row.valid_until,
    )


def sign_decision(row: DecisionRow, signer: Signer) -> dict[str, str]:
    """A signature as the ledger keeps it. Only what counts is signed.

    A refused answer must never have one: with its ledger entry written again as if it counted, the
    signature would fit.
    """
    statement = version_statement(row, key=signer.fingerprint)
    return {
        "format": FORMAT,
        "key": signer.fingerprint,
        "value": signer.sign(statement.to_bytes()).hex(),
    }


def signature_fits(row: DecisionRow, signature: Any, public_key: bytes) -> bool:
    """Whether what the ledger keeps is this key's signature of this decision."""
    if not isinstance(signature, dict) or signature.get("format") != FORMAT:
        return False
    try:
        value = bytes.fromhex(signature["value"])
    except (KeyError, TypeError, ValueError):
        return False
    statement = version_statement(row, key=str(signature.get("key")))
    return is_signed_by(public_key, value, statement.to_bytes())
