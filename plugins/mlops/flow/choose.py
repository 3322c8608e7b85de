"""Deploy: what scores a window: the live version, or what its policy falls back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops.errors import NoDecision
from mlops.flow.cases import open_case
from mlops.flow.deployments import require_live_version
from mlops.flow.fallback import choose_version
from mlops.store.tables import VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import CONTROL_PHASE, model_dag_id
from mlops.workspace.workspace import Workspace, now, registered_spec


@dataclass(frozen=True)
class ToScore:
    """What scores a window.

    :ivar by_rule: whether it is the rule that was signed with the version, not its model.
    :ivar at: when that was found, by the store's clock.
    """

    version: VersionRow
    by_rule: bool
    at: datetime


def choose_to_score(workspace: Workspace, model: str) -> ToScore:
    """The live version, or what its policy falls back to.

    Signatures that are no longer valid open a case for the business owner, also when the rule
    scores.

    :raises NoDecision: nothing is to be scored.
    :raises RecordMissing: nothing was ever deployed.
    """
    with workspace.store.transaction() as transaction:
        live = require_live_version(transaction, model)
        choice = choose_version(transaction, model, at=now())
        at = transaction.clock()
        if choice.owed:
            _open_case(transaction, workspace, live, choice.reason)
    if choice.version is None:
        raise NoDecision(
            f"{model} scores nothing",
            found=choice.reason,
            action=f"resume it or roll it back with {model_dag_id(model, CONTROL_PHASE)}, "
            "or release a version",
        )
    return ToScore(choice.version, choice.by_rule, at)


def _open_case(
    transaction: Transaction, workspace: Workspace, live: VersionRow, reason: str
) -> None:
    open_case(
        transaction,
        workspace,
        model=live.model,
        version=live.number,
        cause="signature",
        owner=registered_spec(transaction, live.spec_digest).content.manage.business_owner,
        finding=reason,
    )
