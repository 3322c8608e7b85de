"""From the outbox to a lineage server that fails in every way that servers do."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from mlops.digests import canonical_json
from mlops.errors import StoreError
from mlops.lineage.events import facets
from mlops.lineage.events.datasets import Dataset, DatasetNames
from mlops.lineage.events.origin import Origin
from mlops.lineage.events.run import GovernedRuns, Port, Run
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.marquez.delivery_worker import start
from mlops.lineage.marquez.relay import Delivery, deliver, waiting
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.tables import CaseRow, LedgerRow, LineageDeliveryRow, LineageEventRow
from mlops.store.transaction import Transaction
from mlops.warehouse.records import Address
from tests.lineage.faulty import FaultyServer, Mode
from tests.lineage.stand_in import StandInServer

AT = datetime(2026, 3, 14, 1, 59, 26, tzinfo=UTC)
ORIGIN = Origin(
    names=DatasetNames(
        warehouse=Address("postgres", "db:5432", "shop", dialect="postgres"),
        store_place="db:5432/mlops",
    ),
    namespace="mlops",
    run={
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "try_number": 1,
        "map_index": -1,
        "triggered_by": "dana",
    },
)


@pytest.fixture
def relay_store(database: str) -> Store:
    """A store of its own for each test."""
    upgrade(database)
    return Store(database)


def told(model: str, name: str, runs: int = 1) -> GovernedRuns:
    return ORIGIN.events_for(
        model,
        *(
            Run(
                job=f"{model}.{name}.{number}",
                at=AT,
                inputs=(Port(Dataset("postgres://db:5432", "shop.public.orders")),),
                outputs=(Port(ORIGIN.names.ours(f"{model}/{name}"), facets.version(name)),),
            )
            for number in range(runs)
        ),
    )


def record(transaction: Transaction, name: str, *, model: str = "churn", runs: int = 1) -> None:
    row = CaseRow(
        id=f"{model}/{name}",
        model=model,
        version=1,
        cause="drift",
        severity="low",
        owner="bea",
        finding="none",
        opened_at=AT,
    )
    transaction.record(
        row,
        actor="bea",
        action="a.b",
        subject=name,
        payload={},
        lineage=told(model, name, runs),
    )


def fact(store: Store, name: str, *, model: str = "churn", runs: int = 1) -> None:
    with store.transaction() as transaction:
        record(transaction, name, model=model, runs=runs)


def kept(server: FaultyServer) -> list[tuple[str, str]]:
    """Job and stage of what the server was told, in order."""
    bodies = [json.loads(body) for body in server.kept if body]
    return [(body["job"]["name"], body["eventType"]) for body in bodies]


def send(store: Store, server: FaultyServer) -> Delivery:
    return deliver(store, Marquez(server.url, timeout_s=0.5))


def both(*jobs: str) -> list[tuple[str, str]]:
    return [(job, stage) for job in jobs for stage in ("START", "COMPLETE")]


def test_events_are_written_with_the_fact_and_its_entry_or_not_at_all(relay_store: Store):
    with pytest.raises(RuntimeError), relay_store.transaction() as transaction:
        record(transaction, "x")
        raise RuntimeError
    fact(relay_store, "one", runs=2)
    fact(relay_store, "one", runs=2)  # the same fact again: no second entry, no second event
    with relay_store.transaction() as transaction:
        entries = transaction.session.scalars(select(LedgerRow)).all()
        events = transaction.session.scalars(
            select(LineageEventRow).order_by(LineageEventRow.position)
        ).all()
    (entry,) = entries
    assert [event.seq for event in events] == [entry.seq] * 4
    assert [(e.job, e.stage) for e in events] == both("churn.one.0", "churn.one.1")
    for event in events:
        body = json.loads(event.body)
        assert body["run"]["facets"]["mlops_ledger"]["digest"] == entry.digest
        assert canonical_json(body) == event.body
    assert json.loads(entry.payload)["lineage"] == told("churn", "one", 2).digest
    assert events[0].run_id == events[1].run_id != events[2].run_id


def test_all_is_delivered_in_order_and_nothing_twice(relay_store: Store, server: FaultyServer):
    for name in ("one", "two", "three"):
        fact(relay_store, name)
    found = send(relay_store, server)
    assert (found.delivered, found.waiting) == (6, 0)
    assert kept(server) == both("churn.one.0", "churn.two.0", "churn.three.0")
    assert send(relay_store, server).delivered == 0
    fact(relay_store, "four")
    assert send(relay_store, server).delivered == 2
    assert kept(server)[6:] == both("churn.four.0")


def test_more_than_a_chunk_is_delivered_in_one_round(relay_store: Store, server: FaultyServer):
    for number in range(4):
        fact(relay_store, f"n{number}", runs=20)
    seen: list[int] = []
    found = deliver(relay_store, Marquez(server.url, timeout_s=0.5), seen.append)
    assert (found.delivered, found.waiting, seen) == (160, 0, [100, 160])
    assert kept(server) == both(*(f"churn.n{n}.{m}" for n in range(4) for m in range(20)))


@pytest.mark.parametrize("mode", [Mode.ERROR, Mode.HANG, Mode.DROP, Mode.TRICKLE, Mode.DEAF])
def test_a_server_that_is_away_gets_everything_afterwards(
    relay_store: Store, server: FaultyServer, mode: Mode
):
    fact(relay_store, "one")
    server.mode = mode
    found = send(relay_store, server)
    assert found.unreachable
    assert (found.delivered, found.waiting) == (0, 2)
    fact(relay_store, "two")
    server.heal()
    assert send(relay_store, server).delivered == 4
    assert kept(server) == both("churn.one.0", "churn.two.0")


def test_a_server_that_refuses_connections_gets_everything_afterwards(
    relay_store: Store, server: FaultyServer
):
    fact(relay_store, "one")
    server.refuse()
    assert send(relay_store, server).unreachable
    server.heal()
    assert send(relay_store, server).delivered == 2
    assert kept(server) == both("churn.one.0")


@pytest.mark.parametrize("mode", [Mode.AFTERWARDS, Mode.HALF])
def test_a_server_that_dies_in_the_middle_is_told_that_part_again(
    relay_store: Store, server: FaultyServer, mode: Mode
):
    for name in ("one", "two", "three"):
        fact(relay_store, name)
    server.first(Mode.HEALTHY, Mode.HEALTHY, mode)
    found = send(relay_store, server)
    assert found.unreachable
    assert (found.delivered, found.waiting) == (2, 4)
    assert send(relay_store, server).delivered == 4
    # At least once: the event whose answer was lost came a second time, in its place.
    assert kept(server) == [
        *both("churn.one.0"),
        ("churn.two.0", "START"),
        *both("churn.two.0", "churn.three.0"),
    ]


def test_an_event_that_marquez_fails_over_holds_back_its_model_and_no_other(relay_store: Store):
    """Marquez answers 500 to a NUL, again and again, while it answers all else."""
    with StandInServer() as server:
        fact(relay_store, "one", model="churn")
        with relay_store.engine.begin() as connection:
            connection.execute(
                text("UPDATE mlops.lineage_event SET body = replace(body, 'urn:', 'urn:\\u0000')")
            )
        fact(relay_store, "two", model="churn")
        fact(relay_store, "one", model="fraud")
        found = deliver(relay_store, Marquez(server.url))
        assert (found.unreachable, found.delivered, found.waiting) == ("", 2, 4)
        (line,) = found.refused
        assert line.startswith("entry 1, churn.one.0: 500 ")
        assert line.endswith("(3 times, while it is alive)")
        jobs = {run["jobVersion"]["name"] for run in server.kept.runs.values()}
        assert jobs == {"fraud.one.0"}


def test_a_refused_event_holds_back_its_model_and_no_other(
    relay_store: Store, server: FaultyServer
):
    fact(relay_store, "one", model="churn")
    fact(relay_store, "one", model="fraud")
    fact(relay_store, "two", model="churn")
    server.first(Mode.HEALTHY, Mode.BAD_REQUEST)
    found = send(relay_store, server)
    assert kept(server) == [("churn.one.0", "START"), *both("fraud.one.0")]
    assert (found.delivered, found.waiting) == (3, 3)
    (line,) = found.refused
    assert "churn.one.0" in line
    assert "400" in line
    assert send(relay_store, server).delivered == 3
    assert kept(server)[3:] == [("churn.one.0", "COMPLETE"), *both("churn.two.0")]


def test_a_server_that_refuses_everything_is_not_asked_for_ever(
    relay_store: Store, server: FaultyServer
):
    for number in range(30):
        fact(relay_store, "one", model=f"m{number}")
    server.mode = Mode.HEALTHY
    server.status = 400
    found = send(relay_store, server)
    assert "refuses everything" in found.unreachable
    assert len([r for r in server.requests if r[0] == "POST"]) == 10
    for _ in range(3):
        send(relay_store, server)
    with relay_store.transaction() as transaction:
        noted = transaction.session.scalar(select(func.count()).select_from(LineageDeliveryRow))
    assert noted == 10  # what was said before is not noted again
    server.heal()
    assert send(relay_store, server).waiting == 0
    assert kept(server) == both(*(f"m{number}.one.0" for number in range(30)))


def test_a_server_that_was_emptied_is_told_everything_again(
    relay_store: Store, server: FaultyServer
):
    for name in ("one", "two"):
        fact(relay_store, name)
    assert send(relay_store, server).delivered == 4
    server.status = 404  # it knows no run any more
    assert send(relay_store, server).again
    server.heal()
    server.kept.clear()
    found = send(relay_store, server)
    assert (found.delivered, found.waiting) == (4, 0)
    assert kept(server) == both("churn.one.0", "churn.two.0")
    assert send(relay_store, server).delivered == 0


def test_two_destinations_know_nothing_of_one_another(relay_store: Store, server: FaultyServer):
    fact(relay_store, "one")
    assert send(relay_store, server).delivered == 2
    with FaultyServer() as other:
        assert waiting(relay_store, Marquez(other.url).url) == 2
        assert send(relay_store, other).delivered == 2
    assert waiting(relay_store, Marquez(server.url).url) == 0


def test_one_delivers_at_a_time(relay_store: Store, server: FaultyServer):
    fact(relay_store, "one")
    with relay_store.try_lock(f"mlops.lineage.{Marquez(server.url).url}") as alone:
        assert alone
        assert send(relay_store, server) == Delivery(busy=True)
    assert send(relay_store, server).delivered == 2


def test_the_tasks_role_can_deliver_and_cannot_change_what_was_told(
    postgres, database: str, server: FaultyServer
):
    postgres.ensure_role("mlops_tasks")
    upgrade(database, task_role="mlops_tasks")
    store = Store(postgres.url(database.rpartition("/")[2], user="mlops_tasks"))
    fact(store, "one")
    assert send(store, server).delivered == 2
    for statement in ("DELETE FROM mlops.lineage_event", "UPDATE mlops.lineage_event SET body=''"):
        with pytest.raises(StoreError, match="permission denied"), store.transaction() as t:
            t.session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE mlops.lineage_event SET body = replace(body, 'orders', 'others') "
            "WHERE seq = 2 AND stage = 'COMPLETE'",
            "entry 2: its events were changed",
        ),
        ("DELETE FROM mlops.lineage_event WHERE seq = 2", "entry 2: its events are missing"),
        (
            "INSERT INTO mlops.lineage_event SELECT 9, position, run_id, job, stream, stage, body "
            "FROM mlops.lineage_event WHERE seq = 2",
            "entry 9: the outbox has events that the ledger knows not of",
        ),
    ],
)
def test_an_outbox_that_was_edited_shows(relay_store: Store, statement: str, said: str):
    for name in ("one", "two", "three"):
        fact(relay_store, name)
    found = compare_outbox(relay_store)
    assert (found.entries, found.runs, found.problems) == (3, 3, ())
    with relay_store.transaction() as transaction:
        transaction.session.execute(text(statement))
    (problem,) = compare_outbox(relay_store).problems
    assert said in problem


def test_the_courier_delivers_right_after_the_commit(relay_store: Store, server: FaultyServer):
    fact(relay_store, "before")
    end = start(relay_store, server.url)
    try:
        _until(lambda: len(kept(server)) == 2)
        fact(relay_store, "after")
        committed = time.monotonic()
        _until(lambda: len(kept(server)) == 4)
        assert time.monotonic() - committed < 5
        server.refuse()
        fact(relay_store, "during")
        time.sleep(0.3)
        server.heal()
        _until(lambda: len(kept(server)) == 6, seconds=30)
    finally:
        end()
    assert kept(server) == both("churn.before.0", "churn.after.0", "churn.during.0")


def _until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_our_facets_are_the_published_ones():
    """Each facet of ours has a published schema of this very version."""
    folder = Path(__file__).parents[3] / "docs" / "facets"
    published = {json.loads(file.read_text())["$id"] for file in folder.glob("*.json")}
    used = {
        facets.airflow(ORIGIN.run)["mlops_airflow"]["_schemaURL"],
        *(
            make()[name]["_schemaURL"]
            for name, make in {
                "mlops_model": facets.model,
                "mlops_approval": facets.approval,
                "mlops_deployment": facets.deployment,
                "mlops_batch": facets.batch,
                "mlops_evaluation": facets.evaluation,
                "mlops_drift": facets.drift,
            }.items()
        ),
        facets.reads([{"version": "x"}])["mlops_read"]["_schemaURL"],
    }
    assert used < published
    earlier = {f"urn:airflow-mlops:facet:mlops_read:1-0-{number}" for number in (0, 1)}
    assert published - used == {"urn:airflow-mlops:facet:mlops_ledger:1-0-0", *earlier}
