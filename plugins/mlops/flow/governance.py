"""All models: the ledger is whole, which reviews and signatures end, what crashed tasks left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.core.period import add_months
from mlops.errors import StoreError
from mlops.flow.deployments import current_deployment
from mlops.flow.retention import remove_inputs
from mlops.spec.load import Include, tier_of
from mlops.spec.signatories import eligible_users, has_enough_signatories
from mlops.store import ledger
from mlops.store.tables import DecisionRow, DeploymentRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.workspace.results import LedgerVerified, LeftoversRemoved, Reviewed
from mlops.workspace.workspace import Workspace, now, registered_spec

SOON_DAYS = 30


@dataclass(frozen=True)
class Review:
    """When a live model is to be reviewed again."""

    model: str
    version: int
    due: datetime
    overdue: bool


def verify_ledger(workspace: Workspace) -> LedgerVerified:
    """Walk the whole chain.

    :raises StoreError: it is broken; naming the first broken entry.
    """
    with workspace.store.transaction() as transaction:
        count, broken = ledger.verify(transaction.session.connection())
        seq, digest = ledger.head(transaction.session)
    if broken is not None:
        raise StoreError(
            f"the ledger is broken at entry {broken.seq}",
            found=broken.reason,
            expected=f"an unbroken chain; {count} entries before it hold",
            action="compare with the head digests in reports and lineage, and find out who had "
            "the rights of an owner on the store",
        )
    return LedgerVerified(entries=count, head=digest, last=seq)


def find_reviews(transaction: Transaction, *, at: datetime) -> tuple[Review, ...]:
    """Every live model with the date of its next review: so many months after it was packaged."""
    models = sorted({row.model for row in transaction.find(DeploymentRow)})
    found = []
    for model in models:
        deployment = current_deployment(transaction, model, as_of=at)
        if deployment is None:
            continue
        version = transaction.get(VersionRow, model, deployment.version)
        months = registered_spec(transaction, version.spec_digest).content.manage.review_months
        due = add_months(version.packaged_at, months)
        found.append(Review(model=model, version=version.number, due=due, overdue=due <= at))
    return tuple(found)


def review(workspace: Workspace) -> Reviewed:
    """Name the live models whose review is overdue, and the signatures that end soon."""
    at = now()
    with workspace.store.transaction() as transaction:
        overdue = [item for item in find_reviews(transaction, at=at) if item.overdue]
        ending = expiring_signatures(transaction, at=at, within=timedelta(days=SOON_DAYS))
    return Reviewed(
        overdue=tuple(f"{item.model} v{item.version}, due {item.due:%Y-%m-%d}" for item in overdue),
        expiring=ending,
    )


def expiring_signatures(
    transaction: Transaction, *, at: datetime, within: timedelta
) -> tuple[str, ...]:
    """Signatures of live versions that end within a time, or have ended."""
    lines = []
    for model in sorted({row.model for row in transaction.find(DeploymentRow)}):
        deployment = current_deployment(transaction, model, as_of=at)
        if deployment is None:
            continue
        rows = transaction.find(DecisionRow, model=model, version=deployment.version, counted=True)
        lines += [
            f"{model} v{row.version}: {row.user_name} as {row.seat}, "
            f"until {row.valid_until:%Y-%m-%d}"
            for row in sorted(rows, key=lambda row: row.decided_at)
            if row.valid_until is not None and row.valid_until <= at + within
        ]
    return tuple(lines)


def remove_leftovers(workspace: Workspace) -> LeftoversRemoved:
    """Remove what crashed tasks had begun to write, and inputs that are kept no longer."""
    return LeftoversRemoved(
        files=workspace.artifacts.remove_leftovers(), inputs=remove_inputs(workspace)
    )


@dataclass(frozen=True)
class Orphaned:
    """A seat of a person without whom a model's versions could not be signed.

    :ivar left: who else holds it; they may be needed in other seats.
    """

    model: str
    seat: str
    needed: int
    left: tuple[str, ...]


def find_orphaned_seats(include: Include, leaving: str) -> tuple[Orphaned, ...]:
    """The models that could not be signed any more if ``leaving`` left."""
    found: list[Orphaned] = []
    for file in include.spec_files():
        spec = include.read_spec(file).content
        policy = include.policy(spec.deploy.policy)
        seats, developer = tier_of(spec, policy).seats, spec.manage.developer
        if has_enough_signatories(policy, seats, developer, leaving):
            continue
        theirs = [
            Orphaned(
                model=spec.model,
                seat=name,
                needed=policy.seats[name].required,
                left=eligible_users(policy, name, developer, leaving),
            )
            for name in seats
            if leaving in policy.seats[name].users
        ]
        found += [item for item in theirs if len(item.left) < item.needed] or theirs
    return tuple(found)
