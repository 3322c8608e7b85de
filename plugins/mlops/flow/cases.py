"""Monitor: open a case, by which a person who can act on a cause comes to know of it."""

from __future__ import annotations

from mlops.store.tables import CaseRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction, case_subject
from mlops.workspace.workspace import Workspace, now


def open_case(
    transaction: Transaction,
    workspace: Workspace,
    *,
    model: str,
    version: int,
    cause: str,
    owner: str,
    finding: str,
    severity: str = "alarm",
    measurement: str | None = None,
) -> None:
    """Record a case; a version has one for each cause.

    :param owner: who is responsible for the cause.
    :param measurement: digest of the measurement that shows it, if one does.
    """
    identity = case_subject(model, version, cause)
    shown = {} if measurement is None else {"measurement": measurement}
    transaction.record(
        CaseRow(
            id=identity,
            model=model,
            version=version,
            cause=cause,
            severity=severity,
            owner=owner,
            finding=finding,
            opened_at=now(),
        ),
        actor=workspace.run.actor,
        action=LedgerAction.CASE_OPENED,
        subject=identity,
        payload={**shown, "owner": owner, "finding": finding},
    )
