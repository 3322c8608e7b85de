"""The state of each seat of a version, in a word and a sentence, for pages and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mlops.approvals.signatures import SeatStatus, seat_statuses, seats_needed
from mlops.errors import NotSigned
from mlops.store.tables import ApprovalRequestRow, DecisionRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LAPSE, REJECT, REVOKE

SeatState = Literal["signed", "open", "rejected", "revoked", "lapsed", "invalid"]
_UNWRITTEN = "the validation report is not written yet"
_BY_ANSWER: Mapping[str, SeatState] = {REJECT: "rejected", REVOKE: "revoked", LAPSE: "lapsed"}


@dataclass(frozen=True)
class SeatSummary:
    """One seat of one version, at one moment.

    :ivar state: ``invalid`` is a signature that holds no longer: expired, or of other bytes.
    :ivar reason: why the seat does not hold, for a reader.
    :ivar asked: who was asked last; empty before the first request.
    """

    seat: str
    title: str
    state: SeatState
    signed_by: tuple[str, ...]
    reason: str
    asked: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the seat's signatures hold."""
        return self.state == "signed"


def summarize_seats(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[SeatSummary, ...]:
    """Summarize every needed seat of ``version`` at ``at``."""
    key = {"model": version.model, "version": version.number}
    asked = {
        request.seat: tuple(str(user) for user in request.users)
        for request in sorted(
            transaction.find(ApprovalRequestRow, **key), key=lambda request: request.asked_at
        )
        if request.asked_at <= at
    }
    last = {
        row.seat: row.answer
        for row in sorted(
            transaction.find(DecisionRow, **key, counted=True), key=lambda row: row.decided_at
        )
        if row.decided_at <= at
    }
    found = _seat_statuses(transaction, version, at=at)
    return tuple(
        SeatSummary(
            seat=seat,
            title=entry.title,
            state=_state(found.get(seat), last.get(seat)),
            signed_by=found[seat].signed_by if seat in found else (),
            reason=found[seat].reason if seat in found else _UNWRITTEN,
            asked=asked.get(seat, ()),
        )
        for seat, entry in seats_needed(version).items()
    )


def _state(status: SeatStatus | None, last: str | None) -> SeatState:
    if status is None:
        return "open"
    if status.holds:
        return "signed"
    # Of several people that a seat needs, some may have signed.
    if last is None or status.signed_by:
        return "open"
    return _BY_ANSWER.get(last, "invalid")


def _seat_statuses(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> dict[str, SeatStatus]:
    """The status of each seat; empty before the version has its report, which is what is signed."""
    try:
        return {item.seat: item for item in seat_statuses(transaction, version, at=at)}
    except NotSigned:
        return {}
