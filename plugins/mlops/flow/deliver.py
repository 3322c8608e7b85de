"""All models: deliver to Marquez the events that have not arrived there yet.

Once a week all of it is compared with Marquez, whose web pages let anybody hide a job.
"""

from __future__ import annotations

from mlops.errors import LineageError, LineageUnreachable
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.compare import compare_marquez
from mlops.lineage.marquez.relay import deliver, record_verified, verification_due
from mlops.workspace.results import LineageDelivered
from mlops.workspace.workspace import Workspace, now

# No person waits for it, and a Marquez that has just started is slow.
PATIENCE_S = 30.0
MOST_SHOWN = 20


def deliver_lineage(
    workspace: Workspace, url: str, *, api_key: str | None = None
) -> LineageDelivered:
    """Send what waits in the outbox, in order; what is not sent now is sent next time.

    :raises LineageUnreachable: Marquez is away.
    :raises LineageError: it refused an event, which holds back the later ones of its model; or the
        weekly comparison found a difference.
    """
    found = deliver(workspace.store, Marquez(url, timeout_s=PATIENCE_S, api_key=api_key))
    if found.unreachable:
        raise LineageUnreachable(
            f"lineage waits: {found.waiting} events have not arrived at {url}",
            found=found.unreachable,
            action="start Marquez or correct [mlops] marquez_url; nothing is lost, and the next "
            "run delivers it",
        )
    if found.refused:
        raise LineageError(
            f"Marquez at {url} refused lineage; {found.waiting} events wait",
            found="; ".join(found.refused),
            expected="every event to be taken",
            action="only the models of these events wait; look into Marquez' log for the reason, "
            "and compare afterwards: python -m mlops lineage verify",
        )
    if not found.busy:
        _verify_weekly(workspace, Marquez(url, timeout_s=PATIENCE_S, api_key=api_key))
    return LineageDelivered(delivered=found.delivered, waiting=found.waiting)


def _verify_weekly(workspace: Workspace, marquez: Marquez) -> None:
    """Compare what Marquez shows with the outbox, a week after they last agreed.

    :raises LineageError: they differ, until that is repaired.
    """
    if not verification_due(workspace.store, marquez.url, at=now()):
        return
    problems = compare_marquez(workspace.store, marquez).problems
    if problems:
        raise LineageError(
            f"Marquez at {marquez.url} differs from the ledger in {len(problems)} places",
            found="; ".join(problems[:MOST_SHOWN]),
            expected="every job, dataset and run as it was delivered",
            action="send it again: python -m mlops lineage verify --repair",
        )
    record_verified(workspace.store, marquez.url)
