"""Deploy: make a version live, if and only if these very bytes are signed by every seat."""

from __future__ import annotations

from mlops.approvals.signatures import require_signed
from mlops.digests import digest_json
from mlops.flow.deployment_events import deployment_events
from mlops.flow.deployments import current_deployment, lock_live_version
from mlops.flow.load_version import load_version
from mlops.store.tables import ConfirmationRow, DeploymentRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import DEPLOY, ROLLBACK, STOP, LedgerAction, version_subject
from mlops.workspace.results import Deployed
from mlops.workspace.workspace import Workspace, now


def deploy(workspace: Workspace, *, model: str, version: int) -> Deployed:
    """Check the signatures and the bytes, then change the live version in one transaction.

    Task states are not looked at: an approval task that was marked as a success is not a signature.
    Deployed once for a release run: run again, it changes nothing, also where the version was
    rolled back, stopped or replaced since; the result shows that.

    :raises NotSigned: a seat is unsigned, expired, revoked, or has signed other bytes.
    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: the package is not what was signed.
    :raises PredictionError: the package does not reproduce its golden rows here.
    """
    with workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, model, version)
        require_signed(transaction, row, at=now())
    load_version(workspace, row).check_golden()
    with workspace.store.transaction() as transaction:
        lock_live_version(transaction, model)
        require_signed(transaction, row, at=now())
        before = current_deployment(transaction, model)
        if before is not None and before.version == version:
            _confirm(transaction, workspace, row)
        elif not _confirmed(transaction, workspace, row):
            _make_live(transaction, workspace, row, before)
        return _deployed(transaction, workspace, row)


def _deployed(transaction: Transaction, workspace: Workspace, version: VersionRow) -> Deployed:
    """What is live now, whichever of the release's tries asks."""
    every = sorted(transaction.find(DeploymentRow, model=version.model), key=lambda row: row.id)
    live, key = every[-1], _key(workspace, version)
    own = next((place for place, row in enumerate(every) if row.key == key), None)
    replaced = every[own - 1].version if own else 0
    deployment = live if own is None else every[own]
    if deployment.version == version.number:
        workspace.emit(
            deployment_events(transaction, workspace, deployment, version, replaced=replaced)
        )
    return Deployed(
        model=version.model,
        version=version.number,
        package_digest=version.package_digest,
        replaced=replaced,
        live=live.version,
        live_since=live.valid_from.isoformat(),
        superseded=_superseded(version, live),
    )


def _superseded(version: VersionRow, live: DeploymentRow) -> str:
    if live.version == version.number and live.action != STOP:
        return ""
    what = f"{live.action} of v{live.version}"
    if live.action == ROLLBACK:
        what = f"rollback to v{live.version}"
    return (
        f"{version.model} v{version.number} is not what scores since the {what} by {live.actor} "
        f"at {live.valid_from:%Y-%m-%d %H:%M} UTC"
    )


def _key(workspace: Workspace, version: VersionRow) -> str:
    """A release run deploys a version once."""
    run = workspace.run
    return digest_json([DEPLOY, version.model, version.number, run.dag_id, run.run_id])


def _confirm(transaction: Transaction, workspace: Workspace, version: VersionRow) -> None:
    """Note that this release found its version deployed already, unless it did that itself.

    Its task may be cleared much later, when another version is live: it has had its turn then.
    """
    key = _key(workspace, version)
    if transaction.find(DeploymentRow, key=key) or _confirmed(transaction, workspace, version):
        return
    run = workspace.run.to_json()
    transaction.record(
        ConfirmationRow(
            key=key, model=version.model, version=version.number, run=run, confirmed_at=now()
        ),
        actor=workspace.run.actor,
        action=LedgerAction.VERSION_CONFIRMED,
        subject=version_subject(version.model, version.number),
        payload={"key": key, "run": run},
    )


def _confirmed(transaction: Transaction, workspace: Workspace, version: VersionRow) -> bool:
    key, subject = _key(workspace, version), version_subject(version.model, version.number)
    confirmations = transaction.ledger_backed(ConfirmationRow, subject=subject, key=key)
    if any(item.row is not None for item in confirmations):
        return True
    # Before revision 0003 a confirmation was an entry of the ledger without a row.
    earlier = transaction.notes(action=LedgerAction.VERSION_CONFIRMED, subject=subject)
    return any(payload.get("key") == key for payload in earlier)


def _make_live(
    transaction: Transaction,
    workspace: Workspace,
    version: VersionRow,
    before: DeploymentRow | None,
) -> None:
    run = workspace.run
    replaced = before.version if before is not None else 0
    row = DeploymentRow(
        key=_key(workspace, version),
        model=version.model,
        version=version.number,
        action=DEPLOY,
        package_digest=version.package_digest,
        reason=f"release {run.run_id}",
        actor=run.actor,
        run=run.to_json(),
        valid_from=now(),
    )
    transaction.record(
        row,
        actor=run.actor,
        action=LedgerAction.VERSION_DEPLOYED,
        subject=version_subject(version.model, version.number),
        payload={
            "package": version.package_digest,
            "replaced": replaced or None,
            "valid_from": row.valid_from,
            "run": run.to_json(),
        },
        lineage=deployment_events(transaction, workspace, row, version, replaced=replaced),
    )
