"""How each seat of a version stands, in a word and a sentence, for those who look on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mlops.approvals.signatures import SeatStatus, seat_statuses, seats_needed
from mlops.errors import NotSigned
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, GateRow, VersionRow
from mlops.vocabulary import LAPSE, REJECT, REVOKE

SeatState = Literal["signed", "open", "rejected", "revoked", "lapsed", "void"]
_BY_ANSWER: Mapping[str, SeatState] = {REJECT: "rejected", REVOKE: "revoked", LAPSE: "lapsed"}


@dataclass(frozen=True)
class SeatSummary:
    """One seat of one version, at one moment.

    :ivar state: ``void`` is a signature that holds no more: expired, or of other bytes.
    :ivar reason: why the seat does not hold, for a reader.
    :ivar asked: who was asked last; nobody before the seat's gate has run.
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


def seats_of(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[SeatSummary, ...]:
    """How every needed seat of ``version`` stands at ``at``."""
    key = {"model": version.model, "version": version.number}
    asked = {
        gate.seat: tuple(str(user) for user in gate.users)
        for gate in sorted(transaction.find(GateRow, **key), key=lambda gate: gate.asked_at)
        if gate.asked_at <= at
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
            reason=found[seat].reason if seat in found else "there is no validation report yet",
            asked=asked.get(seat, ()),
        )
        for seat, entry in seats_needed(version).items()
    )


def _state(standing: SeatStatus | None, last: str | None) -> SeatState:
    if standing is None:
        return "open"
    if standing.holds:
        return "signed"
    # Of several people that a seat needs, some may have signed.
    if last is None or standing.signed_by:
        return "open"
    return _BY_ANSWER.get(last, "void")


def _seat_statuses(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> dict[str, SeatStatus]:
    """Each seat and its state; none before the version has its report, which is what is signed."""
    try:
        return {item.seat: item for item in seat_statuses(transaction, version, at=at)}
    except NotSigned:
        return {}
