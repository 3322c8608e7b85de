"""Who may sign a version, and why a person may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops.approvals.signatures import SeatStatus, count_answers, find_answers
from mlops.approvals.signed_bytes import signed_bytes
from mlops.approvals.verification import read_verifier
from mlops.errors import SpecError
from mlops.spec.policy import Seat
from mlops.spec.signatories import normalize_name
from mlops.store.tables import VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import APPROVALS, APPROVE_WITH_CONDITIONS, REJECT, REVOKE
from mlops.workspace.workspace import Workspace

_WITH_REASON = (APPROVE_WITH_CONDITIONS, REJECT, REVOKE)


@dataclass(frozen=True)
class Person:
    """A person as Airflow authenticated them.

    With SimpleAuthManager id and name are the same; with FAB the id is a number as text. Policies
    name ids; specs and runs name names.
    """

    id: str
    name: str

    def is_named(self, name: str) -> bool:
        """Whether a spec or a run names this person, in whichever spelling.

        A person who logs in as ``Sam`` is the developer ``sam``: FAB's login takes both for one,
        and the spec can cure a refusal too many.
        """
        return name.strip() != "" and normalize_name(name) in (
            normalize_name(self.id),
            normalize_name(self.name),
        )


def current_seat(workspace: Workspace, version: VersionRow, seat: str) -> Seat:
    """The seat with the people who hold it now.

    What a seat attests and how many people it requires are as they were when the version was
    packaged; who they are is read from the policy's file each time, so that a person who left can
    be replaced while an approval request waits.

    :raises SpecError: the policy's file is broken, or has lost the seat. A request for which it is
        unknown who may sign stays open.
    """
    packaged = version.signing_policy
    entry = packaged.seats.get(seat)
    current = workspace.include.policy(packaged.policy).seats.get(seat)
    if entry is None or current is None:
        raise SpecError(
            f"policy '{packaged.policy}' has no seat '{seat}'",
            found=", ".join(
                packaged.seats if entry is None else workspace.include.policy(packaged.policy).seats
            ),
            expected=f"the seat that {version.model} v{version.number} needs",
            action="put the seat back into the policy's file",
        )
    return entry.model_copy(update={"users": current.users})


def refusal_reason(
    transaction: Transaction,
    version: VersionRow,
    seat: str,
    entry: Seat,
    person: Person,
    *,
    choice: str,
    reason: str,
    at: datetime,
    asked_by: str = "",
) -> str:
    """Why an answer does not count; empty if it does.

    :param asked_by: who started the run that asks, which need not be the run that packaged it.
    """
    if person.id not in entry.users:
        return f"{person.name} does not hold the seat {entry.title}"
    conflict = duty_conflict(version, person, asked_by=asked_by)
    if conflict:
        return conflict
    if not reason.strip() and (choice in _WITH_REASON or entry.reason_needed):
        missing = "conditions" if choice == APPROVE_WITH_CONDITIONS else "reason"
        what = f"{version.model} v{version.number}"
        return f"{choice} of {what} by {person.name} has no {missing}; the policy asks for one"
    if choice not in APPROVALS:
        return ""
    # What the ledger holds was signed before, also if the clock of another machine is ahead.
    answers = find_answers(transaction, version)
    newest = max((at, *(item.row.decided_at for item in answers if item.row)))
    bound = signed_bytes(transaction, version)
    statuses = count_answers(version, bound, answers, read_verifier(transaction), at=newest)
    return _second_signature(statuses, seat, person) or _second_seat(
        version, statuses, seat, person
    )


def duty_conflict(version: VersionRow, person: Person, *, asked_by: str = "") -> str:
    """Why separation of duties bars a person, who built the version or started it; or empty."""
    what = f"{version.model} v{version.number}"
    if person.is_named(version.developer):
        return f"{person.name} developed {what} and cannot sign it"
    if person.is_named(version.triggered_by) or person.is_named(asked_by):
        return f"{person.name} started the release of {what} and cannot sign it"
    return ""


def _second_signature(statuses: Sequence[SeatStatus], seat: str, person: Person) -> str:
    own = next(item for item in statuses if item.seat == seat)
    if own.threshold > 1 and not own.holds and person.id in own.signed:
        return (
            f"{person.name} has signed as {own.title} already; "
            f"the seat needs {own.threshold} different people"
        )
    return ""


def _second_seat(
    version: VersionRow, statuses: Sequence[SeatStatus], seat: str, person: Person
) -> str:
    shared = {frozenset(pair) for pair in version.signing_policy.seats_shared}
    for item in statuses:
        is_shared = frozenset((item.seat, seat)) in shared
        if item.seat != seat and person.id in item.signed and not is_shared:
            return (
                f"{person.name} has signed as {item.title} already; "
                "one person fills one seat of a version"
            )
    return ""
