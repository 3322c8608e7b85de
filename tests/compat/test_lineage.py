"""The lineage that 0.1.0 recorded is followed, verified and delivered."""

from __future__ import annotations

from typing import Any

from mlops.lineage.marquez.client import Outcome
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.marquez.relay import deliver
from mlops.lineage.marquez.relay import waiting as events_waiting
from mlops.lineage.trace.graph import load as load_graph
from mlops.lineage.trace.trace import trace
from mlops.store.transaction import Transaction
from tests.compat.earlier import EARLIER, EXPECTED, MARQUEZ
from tests.fixtures.life import Life

pytestmark = EARLIER


class Receiver:
    """A lineage server that takes everything."""

    url = MARQUEZ

    def run(self, run_id: str) -> dict[str, Any]:
        """It holds every run."""
        return {"id": run_id}

    def post(self, body: str) -> Outcome:
        """It takes every event."""
        return Outcome("delivered", "201 Created")


def jobs(transaction: Transaction, about: str, *, upstream: bool = False) -> list[str]:
    """The jobs that a thing has come from, or has reached, in the ledger's order."""
    return [run.job for run in trace(load_graph(transaction), about, upstream=upstream).runs]


def test_the_lineage_of_0_1_0_is_followed_now(transaction: Transaction) -> None:
    expected = EXPECTED["lineage"]
    assert len(load_graph(transaction).runs) == expected["runs"]
    assert jobs(transaction, "late/2013-07-04/v1", upstream=True) == expected["before_a_batch"]
    assert jobs(transaction, "public.flights.scheduled_arrival") == expected["after_a_column"]


def test_the_outbox_agrees_with_the_ledger_and_is_delivered_to_its_end(left: Life) -> None:
    store, expected = left.workspace.store, EXPECTED["lineage"]
    found = compare_outbox(store)
    assert (found.problems, found.entries) == ((), expected["entries"])
    assert events_waiting(store, MARQUEZ) == expected["waiting"] > 0
    delivered = deliver(store, Receiver())  # type: ignore[arg-type]
    assert (delivered.delivered, delivered.waiting) == (expected["waiting"], 0)
    left.run("UPDATE mlops.lineage_event SET body = replace(body, 'dora', 'eve') WHERE seq = 5")
    assert compare_outbox(store).problems == ("entry 5: its events were changed in the outbox",)
