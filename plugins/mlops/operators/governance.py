"""The tasks of ``mlops_governance``: for all models, not for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mlops.connections import run_identity, server_workspace
from mlops.operators.base import plain, translated

if TYPE_CHECKING:
    from airflow.sdk import Context

STEPS = ("verify_ledger", "review", "remind", "deliver_lineage")


class GovernanceOperator(BaseOperator):
    """Do one thing for all models.

    :param step: ``verify_ledger`` (fails where the chain is broken), ``review`` (overdue reviews
        and signatures that end soon), ``remind`` (reminders and escalations of waiting gates) or
        ``deliver_lineage`` (whatever Marquez has not been told yet; fails where it is refused or
        Marquez cannot be reached, which a retry may mend).
    """

    template_fields: Sequence[str] = ()
    ui_color = "#eef7ee"

    def __init__(self, *, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step

    def execute(self, context: Context) -> Any:
        """Load, call, save, report."""
        from mlops.flow import governance

        if self.step not in STEPS:
            raise ValueError(f"step '{self.step}': expected one of {', '.join(STEPS)}")
        workspace = server_workspace(run_identity(context))
        with translated():
            if self.step == "remind":
                return self._remind(workspace, context)
            if self.step == "deliver_lineage":
                return self._deliver(workspace)
            result = getattr(governance, self.step)(workspace)
        self.log.info("%s", result)
        return plain(result)

    def _deliver(self, workspace: Any) -> Any:
        from mlops.flow.deliver import deliver_lineage
        from mlops.settings import marquez_api_key, marquez_url

        url = marquez_url()
        if url is None:
            raise AirflowSkipException(
                "No Marquez is configured ([mlops] marquez_url). Lineage is kept in the store: "
                "python -m mlops trace reads it, and a Marquez that comes later is told all of it."
            )
        result = deliver_lineage(workspace, url, api_key=marquez_api_key())
        self.log.info("%s", result)
        return plain(result)

    def _remind(self, workspace: Any, context: Context) -> list[str]:
        from mlops.approvals.reminders import due
        from mlops.operators.notify import notify
        from mlops.workspace.workspace import now

        return [
            f"{notice.kind}: {notice.subject} to {', '.join(notice.to)}"
            for notice in due(workspace, at=now())
            if notify(workspace, notice, context)
        ]
