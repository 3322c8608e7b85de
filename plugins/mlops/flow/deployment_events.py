"""The lineage of what changed the live version: a release or a person."""

from __future__ import annotations

from sqlalchemy import select

from mlops.lineage.events.deploy import approval_job, deployment_changed
from mlops.lineage.events.run import GovernedRuns
from mlops.store.tables import DecisionRow, DeploymentRow, LineageEventRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.workspace.workspace import Workspace, registered_spec


def deployment_events(
    transaction: Transaction,
    workspace: Workspace,
    row: DeploymentRow,
    version: VersionRow,
    *,
    replaced: int,
) -> GovernedRuns:
    """The lineage of a deployment, from the version and the signatures that it rests on."""
    return deployment_changed(
        workspace.origin,
        row,
        version,
        registered_spec(transaction, version.spec_digest),
        replaced=replaced,
        seats=_seats_in_lineage(transaction, version),
    )


def _seats_in_lineage(transaction: Transaction, version: VersionRow) -> list[str]:
    """The seats whose responses have events; an empty name where an earlier release wrote them."""
    job = approval_job(version.model, version.number)
    counted = transaction.find(
        DecisionRow, model=version.model, version=version.number, counted=True
    )
    jobs = {job: "", **{f"{job}_{row.seat}": row.seat for row in counted}}
    known = transaction.session.scalars(
        select(LineageEventRow.job).where(LineageEventRow.job.in_(jobs)).distinct()
    )
    return sorted(jobs[name] for name in known)
