"""Which version is live, now or as of a past moment. Nothing heavy is imported here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from mlops.errors import RecordMissing
from mlops.store.tables import DeploymentRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import RELEASE_PHASE, model_dag_id


def current_deployment(
    transaction: Transaction, model: str, *, as_of: datetime | None = None
) -> DeploymentRow | None:
    """The deployment in force, now or as of a past moment; none before the first."""
    query = select(DeploymentRow).where(DeploymentRow.model == model)
    if as_of is not None:
        query = query.where(DeploymentRow.valid_from <= as_of)
    return transaction.session.scalars(query.order_by(DeploymentRow.id.desc()).limit(1)).first()


def lock_live_version(transaction: Transaction, model: str) -> None:
    """Releases and control change what is live one after the other, never half."""
    transaction.advisory_lock(f"mlops.live.{model}")


def live_version(
    transaction: Transaction, model: str, *, as_of: datetime | None = None
) -> VersionRow | None:
    """The version that scores, now or as of a past moment; none before the first deployment."""
    deployment = current_deployment(transaction, model, as_of=as_of)
    return None if deployment is None else transaction.get(VersionRow, model, deployment.version)


def require_live_version(transaction: Transaction, model: str) -> VersionRow:
    """The version that scores now.

    :raises RecordMissing: nothing was deployed yet.
    """
    version = live_version(transaction, model)
    if version is None:
        release = model_dag_id(model, RELEASE_PHASE)
        raise RecordMissing(
            f"{model} has no live version",
            found="no deployment",
            expected=f"a release that was signed and deployed ({release})",
            action=f"trigger {release}, have it signed, then run this again",
        )
    return version
