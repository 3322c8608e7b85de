"""Stop, roll back, resume, revoke: what a person does about a version that is live.

Each asks for a reason, is done by a person whom Airflow authenticated, takes one task, and changes
the live version in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlops.approvals.decisions import (
    Answer,
    as_text,
    decision_events,
    decision_row,
    record_decision,
)
from mlops.approvals.eligibility import Person, current_seat, refusal_reason
from mlops.approvals.signatures import require_signed
from mlops.approvals.signed_bytes import signed_bytes
from mlops.digests import digest_json
from mlops.errors import RecordMissing, SignOffError
from mlops.flow.deployment_events import deployment_events
from mlops.flow.deployments import current_deployment, lock_live_version
from mlops.flow.fallback import previous_version
from mlops.flow.load_version import load_version
from mlops.store.tables import DecisionRow, DeploymentRow, RunStartRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import (
    API,
    RESUME,
    REVOKE,
    REVOKE_SIGNATURE,
    ROLLBACK,
    STOP,
    LedgerAction,
    run_subject,
    version_subject,
)
from mlops.workspace.results import Controlled
from mlops.workspace.workspace import Workspace, now

ACTIONS = (ROLLBACK, STOP, RESUME, REVOKE_SIGNATURE)
_LEDGER_ACTIONS = {
    ROLLBACK: LedgerAction.VERSION_ROLLED_BACK,
    STOP: LedgerAction.MODEL_STOPPED,
    RESUME: LedgerAction.MODEL_RESUMED,
}


def control(
    workspace: Workspace,
    *,
    model: str,
    action: str,
    person: Person,
    reason: str,
    version: int | None = None,
    seat: str = "",
) -> Controlled:
    """Do one of :data:`ACTIONS`; done twice by the same run, it is done once.

    :param person: who asked, as Airflow authenticated them.
    :param version: to roll back to, or to revoke; default: the one before, or the live one.
    :param seat: whose signature is revoked.
    :raises SignOffError: no reason, no person, an unknown action, or no right to revoke.
    :raises NotSigned: the version to go live holds no valid signatures.
    :raises RecordMissing: nothing is live, or no version was live before.
    """
    if action not in ACTIONS:
        raise SignOffError(f"{model}: action '{action}'", found=action, expected=", ".join(ACTIONS))
    if not reason.strip() or not person.id:
        raise SignOffError(
            f"{model}: {action}",
            found="no reason" if person.id else "a run that no person started",
            expected="a reason, and a person whom Airflow authenticated",
            action="trigger the control DAG by hand and write the reason into its form",
        )
    reason = as_text(reason)
    if action == REVOKE_SIGNATURE:
        return _revoke(workspace, model, person, reason, version, seat)
    return _change(workspace, model, action, person, reason, version)


def record_run_start(workspace: Workspace, *, person: Person) -> None:
    """Record who started a run, as Airflow's API server authenticated them."""
    run = workspace.run
    row = RunStartRow(
        dag_id=run.dag_id,
        run_id=run.run_id,
        user_id=person.id,
        user_name=person.name,
        started_at=now(),
    )
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=person.id,
            action=LedgerAction.RUN_STARTED,
            subject=run_subject(run.dag_id, run.run_id),
            payload={"user_id": person.id, "user_name": person.name},
        )


def find_starter(workspace: Workspace) -> Person:
    """Who started this run: id and name as they were recorded, else the name that Airflow gives.

    With FAB, whose ids are numbers, a person whose start was not recorded holds no seat.
    """
    run = workspace.run
    subject = run_subject(run.dag_id, run.run_id)
    with workspace.store.transaction() as transaction:
        starts = transaction.ledger_backed(
            RunStartRow, subject=subject, dag_id=run.dag_id, run_id=run.run_id
        )
        # Before revision 0003 a start was an entry of the ledger without a row.
        earlier = transaction.notes(action=LedgerAction.RUN_STARTED, subject=subject)
    people = [Person(id=item.row.user_id, name=item.row.user_name) for item in starts if item.row]
    people += [
        Person(id=str(payload.get("user_id")), name=str(payload.get("user_name")))
        for payload in earlier
    ]
    default = Person(id=run.triggered_by, name=run.triggered_by)
    return next((person for person in people if person.name == run.triggered_by), default)


def _change(
    workspace: Workspace, model: str, action: str, person: Person, reason: str, version: int | None
) -> Controlled:
    with workspace.store.transaction() as transaction:
        lock_live_version(transaction, model)
        key = digest_json([action, model, workspace.run.dag_id, workspace.run.run_id])
        done = transaction.find(DeploymentRow, key=key)
        if done:
            version_row = transaction.get(VersionRow, model, done[0].version)
            workspace.emit(
                deployment_events(transaction, workspace, done[0], version_row, replaced=0)
            )
            return _controlled(done[0], replaced=done[0].version)
        before = _live(transaction, model)
        target = _TARGETS[action](transaction, before, version)
        if action != STOP:
            require_signed(transaction, target, at=now())
            load_version(workspace, target).check_golden()
        row = DeploymentRow(
            key=key,
            model=model,
            version=target.number,
            action=action,
            package_digest=target.package_digest,
            reason=reason,
            actor=person.name,
            run=workspace.run.to_json(),
            valid_from=now(),
        )
        transaction.record(
            row,
            actor=person.id,
            action=_LEDGER_ACTIONS[action],
            subject=version_subject(model, target.number),
            payload={
                "package": target.package_digest,
                "replaced": before.version,
                "reason": reason,
                "valid_from": row.valid_from,
                "run": workspace.run.to_json(),
            },
            lineage=workspace.emit(
                deployment_events(transaction, workspace, row, target, replaced=before.version)
            ),
        )
        return _controlled(row, replaced=before.version)


def _revoke(
    workspace: Workspace, model: str, person: Person, reason: str, number: int | None, seat: str
) -> Controlled:
    """Take a seat's signature back; only a holder of the seat may."""
    with workspace.store.transaction() as transaction:
        target = number if number is not None else _live(transaction, model).version
        version = transaction.get(VersionRow, model, target)
        request_id = digest_json([workspace.run.dag_id, workspace.run.run_id])
        done = transaction.find(DecisionRow, gate=request_id, answer=REVOKE, counted=True)
        if done:
            # Cleared much later, the task must not take back what was signed since.
            workspace.emit(decision_events(transaction, workspace.origin, done[0]))
            return _revoked(done[0])
        answer = Answer(person=person, choice=REVOKE, reason=reason, at=now(), method=API)
        entry = current_seat(workspace, version, seat)
        why = refusal_reason(
            transaction, version, seat, entry, person, choice=REVOKE, reason=reason, at=answer.at
        )
        row = decision_row(
            version,
            seat,
            answer,
            signed_bytes(transaction, version),
            request_id=request_id,
            run=workspace.run,
            refused=why,
        )
        record_decision(transaction, workspace, row)
    if why:
        raise SignOffError(f"{model} v{target}: the signature cannot be revoked", found=why)
    return _revoked(row)


def _revoked(row: DecisionRow) -> Controlled:
    return Controlled(
        model=row.model,
        action=REVOKE_SIGNATURE,
        version=row.version,
        replaced=row.version,
        by=row.user_name,
        seat=row.seat,
    )


def _live(transaction: Transaction, model: str) -> DeploymentRow:
    deployment = current_deployment(transaction, model)
    if deployment is None:
        raise RecordMissing(
            f"{model}", found="no deployment", expected="a version that is live or was stopped"
        )
    return deployment


def _to_roll_back_to(
    transaction: Transaction, before: DeploymentRow, version: int | None
) -> VersionRow:
    if version is not None:
        return transaction.get(VersionRow, before.model, version)
    live = transaction.get(VersionRow, before.model, before.version)
    found = previous_version(transaction, live, at=now())
    if found is None:
        raise RecordMissing(
            f"{before.model} v{before.version}: a version to roll back to",
            found="none that was live before and whose signatures still hold",
            expected="an earlier version with valid signatures",
            action="stop the model instead, or release a version",
        )
    return found


def _same(transaction: Transaction, before: DeploymentRow, version: int | None) -> VersionRow:  # noqa: ARG001
    return transaction.get(VersionRow, before.model, before.version)


_TARGETS: Mapping[str, Callable[[Transaction, DeploymentRow, int | None], VersionRow]] = {
    ROLLBACK: _to_roll_back_to,
    STOP: _same,
    RESUME: _same,
}


def _controlled(row: DeploymentRow, *, replaced: int) -> Controlled:
    return Controlled(
        model=row.model,
        action=row.action,
        version=row.version,
        replaced=replaced,
        by=row.actor,
        seat="",
    )
