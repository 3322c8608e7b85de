"""Deploy: what scores when the live version was stopped, or its signatures hold no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from mlops.approvals.signatures import require_signed
from mlops.errors import NotSigned
from mlops.flow.deployments import current_deployment
from mlops.store.tables import DeploymentRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import DEPLOY, ROLLBACK, STOP


@dataclass(frozen=True)
class Choice:
    """What scores at a moment.

    :ivar version: None if no decision is to be made.
    :ivar by_rule: whether it is the rule that was signed with the version, not its model.
    :ivar reason: why it is not the live one; empty where it is.
    :ivar owed: whether a person has to look into it: signatures no longer hold.
    """

    version: VersionRow | None
    reason: str = ""
    owed: bool = False
    by_rule: bool = False


def choose_version(transaction: Transaction, model: str, *, at: datetime) -> Choice:
    """The live version, or the safe state that its policy names; nothing before a deployment."""
    deployment = current_deployment(transaction, model)
    if deployment is None:
        return Choice(version=None, reason=f"{model} was never deployed", owed=True)
    live = transaction.get(VersionRow, model, deployment.version)
    if deployment.action == STOP:
        reason = (
            f"{model} was stopped by {deployment.actor} at "
            f"{deployment.valid_from:%Y-%m-%d %H:%M} UTC: {deployment.reason}"
        )
        return _fall_back(transaction, live, at=at, reason=reason, owed=False)
    try:
        require_signed(transaction, live, at=at)
    except NotSigned as error:
        return _fall_back(transaction, live, at=at, reason=str(error), owed=True)
    return Choice(version=live)


def _fall_back(
    transaction: Transaction, live: VersionRow, *, at: datetime, reason: str, owed: bool
) -> Choice:
    fallback = live.signing_policy.fallback
    if fallback == "no_decision":
        return Choice(version=None, reason=reason, owed=owed)
    if fallback == "rule":
        # The rule outlives the signatures of its version: it is what people agreed on for the
        # day on which the model may not be used.
        return Choice(version=live, reason=reason, owed=owed, by_rule=True)
    before = previous_version(transaction, live, at=at)
    return Choice(version=before, reason=reason, owed=owed)


def previous_version(
    transaction: Transaction, live: VersionRow, *, at: datetime
) -> VersionRow | None:
    """The version that was live before, whose signatures still hold; None without one.

    A version that was rolled back from is not chosen again.
    """
    for number in reversed(_before(transaction, live)):
        version = transaction.get(VersionRow, live.model, number)
        try:
            require_signed(transaction, version, at=at)
        except NotSigned:
            continue
        return version
    return None


def _before(transaction: Transaction, live: VersionRow) -> list[int]:
    """The versions that went live before this one and were not rolled back from, in order."""
    rows = transaction.session.scalars(
        select(DeploymentRow)
        .where(DeploymentRow.model == live.model, DeploymentRow.action.in_((DEPLOY, ROLLBACK)))
        .order_by(DeploymentRow.id)
    )
    numbers: list[int] = []
    for row in rows:
        if row.version in numbers and row.action == ROLLBACK:
            del numbers[numbers.index(row.version) :]
        elif row.version in numbers:
            numbers.remove(row.version)
        numbers.append(row.version)
    return [number for number in numbers if number != live.number]
