"""Which seats a version needs, who has signed, and whether those signatures hold now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlops.errors import NotSigned
from mlops.spec.load import Spec
from mlops.spec.policy import Seat
from mlops.store.connect import LedgerBacked, Transaction
from mlops.store.tables import (
    DecisionRow,
    ReportRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    VersionRow,
)
from mlops.vocabulary import (
    APPROVALS,
    LAPSE,
    MARK_SUCCESS,
    REJECT,
    REVOKE,
    VALIDATION_REPORT,
    version_subject,
)

_ANSWERS = {
    REJECT: "{} rejected",
    REVOKE: "{} revoked the signature",
    LAPSE: "nobody of {} answered in time",
}


@dataclass(frozen=True)
class SignedBytes:
    """The digests that a signature binds; one that differs makes it a signature of other bytes.

    ``evidence`` is the newest validation report. A report that is written anew later does not undo
    a signature on an earlier one, as long as that one is on record.
    """

    package_digest: str
    spec_digest: str
    snapshot_digest: str
    evidence_digest: str
    criteria_digest: str
    reports: tuple[str, ...] = field(default=(), repr=False)

    def digests(self) -> dict[str, str]:
        """Each digest by what it is of."""
        return {
            name.removesuffix("_digest"): value
            for name, value in vars(self).items()
            if name.endswith("_digest")
        }


@dataclass(frozen=True)
class SeatStatus:
    """How one seat stands for one version, at one moment."""

    seat: str
    title: str
    needed: int
    signed_by: tuple[str, ...]
    signer_ids: tuple[str, ...]
    holds: bool
    reason: str


def signed_bytes(transaction: Transaction, version: VersionRow) -> SignedBytes:
    """What a signature of this version binds.

    :raises NotSigned: the version has no validation report yet, so there is nothing to sign on.
    """
    reports = transaction.find(
        ReportRow, model=version.model, version=version.number, kind=VALIDATION_REPORT
    )
    if not reports:
        raise NotSigned(
            f"{version.model} v{version.number}",
            found="no validation report",
            expected="evidence that approvers can read before they sign",
            action="run the task 'document' first",
        )
    newest = max(reports, key=lambda report: report.written_at)
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    return SignedBytes(
        package_digest=version.package_digest,
        spec_digest=version.spec_digest,
        snapshot_digest=snapshot.sha256,
        evidence_digest=newest.sha256,
        criteria_digest=version.criteria_digest,
        reports=tuple(sorted(report.sha256 for report in reports)),
    )


def seats_needed(version: VersionRow) -> dict[str, Seat]:
    """The seats of the version's tier, from the policy as it stood when it was packaged."""
    policy = version.signing_policy
    tier = next(tier for tier in policy.tiers if tier.name == version.tier)
    return {name: policy.seats[name] for name in tier.seats}


def seat_statuses(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[SeatStatus, ...]:
    """How every needed seat stands at ``at``.

    Only answers that the ledger vouches for are looked at: a row that somebody added to the
    decisions by hand is no signature, and one that somebody took away still undoes what it undid.
    """
    bound = signed_bytes(transaction, version)
    decisions = answers_of(transaction, version)
    return tuple(
        _seat_status(name, seat, [item for item in decisions if _seat(item) == name], bound, at)
        for name, seat in seats_needed(version).items()
    )


def answers_of(transaction: Transaction, version: VersionRow) -> list[LedgerBacked[DecisionRow]]:
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
    """Refuse unless every seat holds.

    :raises NotSigned: naming each seat that does not, and why.
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
    """What the version had to reach is what was registered before it was trained."""
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
    decisions: Sequence[LedgerBacked[DecisionRow]],
    bound: SignedBytes,
    at: datetime,
) -> SeatStatus:
    """Walk the answers in the ledger's order: a rejection or a revocation empties the seat.

    Times alone would not do: each is of the clock of the machine that saw the answer, and a
    revocation must not come before the signature that it takes back because a clock is slow. An
    approval that reached the ledger late, and was given before the seat was emptied, does not
    fill it again.
    """
    signers: dict[str, str] = {}
    reason, emptied_at = "nobody has signed", datetime.min.replace(tzinfo=UTC)
    for item in decisions:
        row = item.row
        if row is None:
            if item.payload.get("counted") and item.payload.get("answer") not in APPROVALS:
                signers.clear()
                reason = _lost(item)
        elif row.counted and row.decided_at <= at:
            fault = _fault(row, bound, at)
            if row.answer not in APPROVALS:
                signers.clear()
                emptied_at = max(emptied_at, row.decided_at)
            if fault is not None:
                signers.pop(row.user_id, None)
                reason = fault
            elif row.decided_at > emptied_at:
                signers[row.user_id] = row.user_name
    marks = [
        f"{row.user_name} marked the gate as a success, but {row.refusal}"
        for row in (item.row for item in decisions)
        if row is not None and row.decided_at <= at and _is_vain_mark(row)
    ]
    holds = len(signers) >= seat.required
    if signers and not holds:
        reason = f"{len(signers)} of {seat.required} different people have signed"
    return SeatStatus(
        seat=name,
        title=seat.title,
        needed=seat.required,
        signed_by=tuple(sorted(signers.values())),
        signer_ids=tuple(sorted(signers)),
        holds=holds,
        reason="signed" if holds else "; ".join([reason, *marks]),
    )


def _is_vain_mark(row: DecisionRow) -> bool:
    return row.method == MARK_SUCCESS and not row.counted


def _lost(item: LedgerBacked[DecisionRow]) -> str:
    return (
        f"{item.payload.get('user_name')} answered {item.payload.get('answer')}, and the row of "
        "that answer was changed or removed by hand; run: python -m mlops ledger verify"
    )


def _fault(row: DecisionRow, bound: SignedBytes, at: datetime) -> str | None:
    """Why an answer is no valid approval; none if it is one."""
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
