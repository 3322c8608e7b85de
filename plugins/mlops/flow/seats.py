"""How each seat of a version stands, in a word and a sentence, for those who look on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mlops.errors import NotSigned
from mlops.flow.signatures import (
    LAPSE,
    REJECT,
    REVOKE,
    Standing,
    seats_needed,
    standings,
)
from mlops.store.connect import Transaction
from mlops.store.tables import DecisionRow, VersionRow

SeatState = Literal["signed", "open", "rejected", "revoked", "lapsed", "void"]
_BY_ANSWER: Mapping[str, SeatState] = {REJECT: "rejected", REVOKE: "revoked", LAPSE: "lapsed"}


@dataclass(frozen=True)
class SeatStanding:
    """One seat of one version, at one moment.

    :ivar state: ``void`` is a signature that holds no more: expired, or of other bytes.
    :ivar reason: why the seat does not hold, for a reader.
    """

    seat: str
    title: str
    state: SeatState
    signed_by: tuple[str, ...]
    reason: str

    @property
    def holds(self) -> bool:
        """Whether the seat's signatures hold."""
        return self.state == "signed"


def seats_of(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[SeatStanding, ...]:
    """How every needed seat of ``version`` stands at ``at``."""
    decisions = transaction.find(
        DecisionRow, model=version.model, version=version.number, counted=True
    )
    last: dict[str, str] = {}
    for row in sorted(decisions, key=lambda row: row.decided_at):
        if row.decided_at <= at:
            last[row.seat] = row.answer
    return tuple(
        SeatStanding(
            seat=item.seat,
            title=item.title,
            state=_state(item, last.get(item.seat)),
            signed_by=item.signed_by,
            reason=item.reason,
        )
        for item in _standings(transaction, version, at=at)
    )


def _state(standing: Standing, last: str | None) -> SeatState:
    if standing.holds:
        return "signed"
    # Of several people that a seat needs, some may have signed.
    if last is None or standing.signed_by:
        return "open"
    return _BY_ANSWER.get(last, "void")


def _standings(
    transaction: Transaction, version: VersionRow, *, at: datetime
) -> tuple[Standing, ...]:
    """The standings; before the version has its report, nobody can have signed."""
    try:
        return standings(transaction, version, at=at)
    except NotSigned as error:
        return tuple(
            Standing(
                seat=name,
                title=seat.title,
                needed=seat.people,
                signed_by=(),
                holds=False,
                reason=str(error.found),
            )
            for name, seat in seats_needed(version).items()
        )
