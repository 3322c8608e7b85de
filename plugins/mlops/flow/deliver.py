"""All models: deliver to Marquez the events that have not arrived there yet."""

from __future__ import annotations

from mlops.errors import LineageError, LineageUnreachable
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.relay import deliver
from mlops.workspace.results import LineageDelivered
from mlops.workspace.workspace import Workspace

# No person waits for it, and a Marquez that has just started is slow.
PATIENCE_S = 30.0


def deliver_lineage(
    workspace: Workspace, url: str, *, api_key: str | None = None
) -> LineageDelivered:
    """Send what waits in the outbox, in order; what is not sent now is sent next time.

    :raises LineageUnreachable: Marquez is away.
    :raises LineageError: it refused an event, which holds back the later ones of its model.
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
    return LineageDelivered(delivered=found.delivered, waiting=found.waiting)
