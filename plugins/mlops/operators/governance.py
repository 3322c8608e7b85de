"""The operators of ``mlops_governance``: for all models, not for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mlops.connections import run_identity, server_workspace
from mlops.operators.base import plain, translated
from mlops.operators.earlier_imports import warn_of_earlier_name

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class GovernanceStepOperator(BaseOperator):
    """Base of the operators that look after all models together.

    :cvar generated_task: ``governance`` and the task's id in ``mlops_governance``.
    """

    generated_task: str = ""
    template_fields: Sequence[str] = ()
    ui_color = "#eef7ee"

    def execute(self, context: Context) -> Any:
        """Load, call, report."""
        workspace = server_workspace(run_identity(context))
        with translated():
            result = self.step(workspace, context)
        self.log.info("%s", result)
        return result if isinstance(result, list) else plain(result)

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Do the operator's one thing; gives a frozen result, or lines of text."""
        raise NotImplementedError(f"{type(self).__name__} must say which step it runs")


class VerifyLedgerOperator(GovernanceStepOperator):
    """Walk the ledger's whole chain; fails where it is broken."""

    generated_task = "governance.ledger"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.governance.verify_ledger`."""
        from mlops.flow.governance import verify_ledger

        return verify_ledger(workspace)


class VerifyPredictionsOperator(GovernanceStepOperator):
    """Compare published predictions and their views with what was recorded; fails on a difference.

    It reads each table of predictions once, so it needs the connections that the specs name.
    """

    generated_task = "governance.predictions"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.verify_predictions.verify_predictions`."""
        from mlops.connections import open_warehouse
        from mlops.flow.verify_predictions import verify_predictions

        return verify_predictions(workspace, open_warehouse)


class ReviewOperator(GovernanceStepOperator):
    """Name the live models whose review is overdue, and the signatures that end soon."""

    generated_task = "governance.reviews"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.governance.review`."""
        from mlops.flow.governance import review

        return review(workspace)


class RemindOperator(GovernanceStepOperator):
    """Send the reminders and escalations of waiting approval requests that are due."""

    generated_task = "governance.reminders"

    def step(self, workspace: Workspace, context: Context) -> list[str]:
        """Run :func:`mlops.approvals.reminders.due_notices`, and notify."""
        from mlops.approvals.reminders import due_notices
        from mlops.operators.notify import notify
        from mlops.workspace.workspace import now

        return [
            f"{notice.kind}: {notice.subject} to {', '.join(notice.to)}"
            for notice in due_notices(workspace, at=now())
            if notify(workspace, notice, context)
        ]


class DeliverLineageOperator(GovernanceStepOperator):
    """Send the lineage that Marquez has not received yet, and compare the two once a week.

    It fails where an event is refused, where the comparison finds a difference, or where Marquez
    cannot be reached, which a retry may cure; it is skipped where no Marquez is configured.
    """

    generated_task = "governance.lineage"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.deliver.deliver_lineage`."""
        from mlops.flow.deliver import deliver_lineage
        from mlops.settings import marquez_api_key, marquez_url

        url = marquez_url()
        if url is None:
            raise AirflowSkipException(
                "No Marquez is configured ([mlops] marquez_url). Lineage is kept in the store: "
                "python -m mlops trace reads it, and a Marquez that comes later receives all of it."
            )
        return deliver_lineage(workspace, url, api_key=marquez_api_key())


class RemoveLeftoversOperator(GovernanceStepOperator):
    """Remove what crashed tasks had begun to write, and inputs that the policies keep no longer."""

    generated_task = "governance.artifacts"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.governance.remove_leftovers`."""
        from mlops.flow.governance import remove_leftovers

        return remove_leftovers(workspace)


_EARLIER_STEPS = {
    "verify_ledger": VerifyLedgerOperator,
    "review": ReviewOperator,
    "remind": RemindOperator,
    "deliver_lineage": DeliverLineageOperator,
}


def GovernanceOperator(*, step: str, **kwargs: Any) -> GovernanceStepOperator:  # noqa: N802
    """Make the operator of a step: DAGs that were written for 0.1.0 name one class for all of them.

    :param step: ``verify_ledger``, ``review``, ``remind`` or ``deliver_lineage``.
    :raises ValueError: another step.
    """
    if step not in _EARLIER_STEPS:
        raise ValueError(f"step '{step}': expected one of {', '.join(_EARLIER_STEPS)}")
    operator = _EARLIER_STEPS[step]
    warn_of_earlier_name(f"from mlops.operators import {operator.__name__}", stacklevel=3)
    return operator(**kwargs)
