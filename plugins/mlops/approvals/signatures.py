"""Which seats a version needs, who has signed, and whether those signatures hold at a moment.

As in python-tuf, each seat is a role with a threshold, and verifying it gives who has signed and
whether that is enough, not only yes or no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlops.approvals.signed_bytes import SignedBytes, signed_bytes
from mlops.approvals.verification import Verifier, read_verifier
from mlops.errors import NotSigned
from mlops.spec.load import Spec
from mlops.spec.policy import Seat
from mlops.store.tables import (
    DecisionRow,
    SpecRow,
    TrainingRow,
    VersionRow,
)
from mlops.store.transaction import LedgerBacked, Transaction
from mlops.vocabulary import (
    APPROVALS,
    LAPSE,
    MARK_SUCCESS,
    REJECT,
    REVOKE,
    version_subject,
)

_ANSWERS = {
    REJECT: "{} rejected",
    REVOKE: "{} revoked the signature",
    LAPSE: "none of {} answered in time",
}
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SeatStatus:
    """Which signatures of one seat of one version hold, at one moment.

    :ivar threshold: how many different people have to sign.
    :ivar signed: the people whose signatures hold, by user id.
    :ivar reason: why the seat does not hold; ``signed`` if it does.
    """

    seat: str
    title: str
    threshold: int
    signed: Mapping[str, str]
    reason: str

    @property
    def holds(self) -> bool:
        """Whether enough people have signed."""
        return len(self.signed) >= self.threshold

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The names of the people whose signatures hold."""
        return tuple(sorted(self.signed.values()))


def seats_needed(version: VersionRow) -> dict[str, Seat]:
    """The seats of the version's tier, from the policy as it was when the version was packaged."""
    policy = version.signing_policy
    tier = next(tier for tier in policy.tiers if tier.name == version.tier)
    return {name: policy.seats[name] for name in tier.seats}


def seat_statuses(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[SeatStatus, ...]:
    """The status of every needed seat at ``at``.

    Only answers that have a ledger entry are looked at: a row that was added to the decisions by
    hand is not a signature, and one that was taken away still undoes what it undid.
    """
    answers = find_answers(transaction, version)
    bound = signed_bytes(transaction, version)
    return count_answers(version, bound, answers, read_verifier(transaction), at=at)


def count_answers(
    version: VersionRow,
    bound: SignedBytes,
    answers: Sequence[LedgerBacked[DecisionRow]],
    verifier: Verifier,
    *,
    at: datetime,
) -> tuple[SeatStatus, ...]:
    """The status of every needed seat at ``at``, from all answers about the version."""
    policy = version.signing_policy.policy
    return tuple(
        _seat_status(
            name,
            seat,
            [item for item in answers if _seat(item) == name],
            _Tally(bound, verifier, policy, at),
        )
        for name, seat in seats_needed(version).items()
    )


def find_answers(transaction: Transaction, version: VersionRow) -> list[LedgerBacked[DecisionRow]]:
    """Every answer about a version, in the order in which the ledger took them."""
    return transaction.ledger_backed(
        DecisionRow,
        subject=version_subject(version.model, version.number),
        model=version.model,
        version=version.number,
    )


def _seat(item: LedgerBacked[DecisionRow]) -> str:
    return item.row.seat if item.row is not None else str(item.payload.get("seat"))


def require_signed(transaction: Transaction, version: VersionRow, *, at: datetime) -> None:
    """Refuse a version of which a seat is not signed.

    :raises NotSigned: with each such seat and the reason.
    """
    _require_criteria(transaction, version)
    missing = [item for item in seat_statuses(transaction, version, at=at) if not item.holds]
    if missing:
        raise NotSigned(
            f"{version.model} v{version.number} (package sha256 {version.package_digest[:12]}…)",
            found="; ".join(f"{item.title}: {item.reason}" for item in missing),
            expected="a valid signature of these bytes for every seat",
            action="have the seats signed under Required Actions, then run this task again",
        )


def _require_criteria(transaction: Transaction, version: VersionRow) -> None:
    """Refuse a version whose criteria are not those that were registered before its training."""
    training = transaction.get(TrainingRow, version.training_id)
    spec = transaction.get(SpecRow, version.spec_digest)
    registered = Spec.from_json(spec.content)
    found = {
        "training": training.criteria_digest,
        "version": version.criteria_digest,
        "registration": spec.criteria_digest,
    }
    changed = {what: d for what, d in found.items() if d != registered.criteria_digest}
    if changed or registered.digest != version.spec_digest:
        raise NotSigned(
            f"{version.model} v{version.number}: criteria changed after registration",
            found="; ".join(f"{what} has criteria sha256 {d}" for what, d in changed.items())
            or f"a spec with sha256 {registered.digest}",
            expected=f"criteria sha256 {version.criteria_digest} of spec sha256 "
            f"{version.spec_digest}",
            action="run: python -m mlops ledger verify; then start a release with the new criteria",
        )


def _seat_status(
    name: str,
    seat: Seat,
    answers: Sequence[LedgerBacked[DecisionRow]],
    tally: _Tally,
) -> SeatStatus:
    for item in answers:
        tally.count(item)
    holds = len(tally.signed) >= seat.required
    reason = tally.reason
    if tally.signed and not holds:
        reason = f"{len(tally.signed)} of {seat.required} different people have signed"
    marks = [
        f"{row.user_name} marked the task as a success, but {row.refusal}"
        for row in (item.row for item in answers)
        if row is not None and row.decided_at <= tally.at and _is_refused_mark(row)
    ]
    return SeatStatus(
        seat=name,
        title=seat.title,
        threshold=seat.required,
        signed=tally.signed,
        reason="signed" if holds else "; ".join([reason, *marks]),
    )


@dataclass
class _Tally:
    """Counts the answers of a seat in the ledger's order: a rejection or a revocation empties it.

    Times alone would not do: each is of the clock of the machine that saw the answer, and a
    revocation must not come before the signature that it takes back because a clock is slow. An
    approval that reached the ledger late, and was given before the seat was emptied, does not
    fill it again.
    """

    bound: SignedBytes
    verifier: Verifier
    policy: str
    at: datetime
    signed: dict[str, str] = field(default_factory=dict)
    reason: str = "nobody has signed"
    emptied_at: datetime = _BEFORE_ALL

    def count(self, item: LedgerBacked[DecisionRow]) -> None:
        """Take the next answer into account."""
        row = item.row
        if row is None:
            self._count_without_row(item.payload)
        elif row.counted and row.decided_at <= self.at:
            self._count_row(item, row)

    def _count_without_row(self, payload: Mapping[str, Any]) -> None:
        if payload.get("counted") and payload.get("answer") not in APPROVALS:
            self.signed.clear()
            self.reason = (
                f"{payload.get('user_name')} answered {payload.get('answer')}, and the row of "
                "that answer was changed or removed by hand; run: python -m mlops ledger verify"
            )

    def _count_row(self, item: LedgerBacked[DecisionRow], row: DecisionRow) -> None:
        fault = _fault(row, self.bound, self.at) or self._signature_fault(item, row)
        if row.answer not in APPROVALS:
            self.signed.clear()
            self.emptied_at = max(self.emptied_at, row.decided_at)
        if fault is not None:
            self.signed.pop(row.user_id, None)
            self.reason = fault
        elif row.decided_at > self.emptied_at:
            self.signed[row.user_id] = row.user_name

    def _signature_fault(self, item: LedgerBacked[DecisionRow], row: DecisionRow) -> str | None:
        fault = self.verifier.fault(item, policy=self.policy, at=self.at)
        return fault and f"the approval of {row.user_name} is {fault}"


def _is_refused_mark(row: DecisionRow) -> bool:
    return row.method == MARK_SUCCESS and not row.counted


def _fault(row: DecisionRow, bound: SignedBytes, at: datetime) -> str | None:
    """Why an answer is not a valid approval; none if it is one."""
    if row.answer not in APPROVALS:
        return f"{_ANSWERS[row.answer].format(row.user_name)}: {row.reason or 'no reason given'}"
    for what, expected in bound.digests().items():
        approved = getattr(row, f"{what}_digest")
        known = bound.reports if what == "evidence" else (expected,)
        if approved not in known:
            return (
                f"{row.user_name} approved {what} sha256 {approved[:12]}…, "
                f"found sha256 {expected[:12]}…"
            )
    if row.valid_until is not None and row.valid_until <= at:
        return f"the signature of {row.user_name} expired on {row.valid_until:%Y-%m-%d}"
    return None
