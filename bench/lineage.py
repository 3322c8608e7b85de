"""Lineage: what it adds to a step, and a trace through five hundred versions."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

import psycopg

from bench import server
from bench.harness import reach

if TYPE_CHECKING:
    from mlops.lineage.events.origin import Origin
    from mlops.lineage.events.run import GovernedRuns
    from mlops.store.connect import Store

ROUNDS, QUICK_ROUNDS = 200, 20
VERSIONS, QUICK_VERSIONS = 500, 10
FEATURES = tuple(f"feature_{number}" for number in range(20))
SLOWED_MS, ANSWER_S = 50, 2
AT = datetime(2026, 1, 1, tzinfo=UTC)


def main(quick: bool) -> None:  # noqa: FBT001 (as every bench is called)
    """Print three tables and their targets."""
    from mlops.store.connect import Store
    from mlops.store.migrate import upgrade

    server.server().ensure_database("lineage_bench")
    url = server.server().url("lineage_bench")
    upgrade(url)
    store = Store(url)
    _commits(store, QUICK_ROUNDS if quick else ROUNDS, quick=quick)
    _reading(QUICK_ROUNDS if quick else ROUNDS // 4, quick=quick)
    _traces(store, QUICK_VERSIONS if quick else VERSIONS, quick=quick)


def _commits(store: Store, rounds: int, *, quick: bool) -> None:
    """One fact in one transaction, with and without its lineage; another connection listens."""
    listening = psycopg.connect(store.libpq_url, autocommit=True)
    listening.execute("LISTEN mlops_lineage")
    ended = threading.Event()
    threading.Thread(target=_drain, args=(listening, ended), daemon=True).start()
    plain, with_events = [], []
    for number in range(rounds):
        for ms, lineage in ((plain, None), (with_events, _version(_origin(), number))):
            begin = time.perf_counter()
            _record(store, f"{number}/{lineage is None}", lineage)
            ms.append((time.perf_counter() - begin) * 1e3)
    ended.set()
    print(f"\nLineage: a fact, its ledger entry and the commit; medians of {rounds}, in turn")
    print(f"{'without lineage':<58}{median(plain):>10.1f} ms")
    print(f"{'with 22 events of 20 columns in the outbox':<58}{median(with_events):>10.1f} ms")
    added = median(with_events) - median(plain)
    reach("ms that lineage adds to a commit", added, SLOWED_MS, quick=quick)


def _drain(connection: psycopg.Connection, ended: threading.Event) -> None:
    while not ended.is_set():
        list(connection.notifies(timeout=0.2))


def _reading(rounds: int, *, quick: bool) -> None:
    """What a query reads: Postgres is asked, and its columns are followed."""
    from mlops.lineage.columns.derive import column_lineage
    from mlops.warehouse.postgres.catalog import read_query

    table = server.table(server.QUICK_ROWS)
    query = f"WITH rows AS (SELECT * FROM {table}) SELECT *, n1 + n2 AS both FROM rows WHERE n3 > 0"
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        column_lineage(query, read_query(server.url(), query))
        took.append((time.perf_counter() - begin) * 1e3)
    print(f"\nLineage: which columns a query reads; median of {rounds}")
    print(f"{'ours: catalog, referee and walk, 28 columns':<58}{median(took):>10.1f} ms")
    reach("ms for one query", median(took), SLOWED_MS, quick=quick)


def _traces(store: Store, versions: int, *, quick: bool) -> None:
    from mlops.lineage.trace.graph import load
    from mlops.lineage.trace.trace import trace

    for number in range(versions):
        _record(store, f"version {number}", _version(_origin(), 1_000 + number))
    begin = time.perf_counter()
    with store.transaction() as transaction:
        graph = load(transaction)
    loaded = time.perf_counter() - begin
    print(f"\nLineage: a trace through {versions} versions, {len(graph.runs):,} runs")
    print(f"{'ours: read the outbox and link it':<58}{loaded:>10.2f} s")
    for about, upstream in (("public.orders.amount", False), (f"m/v{1_000}", True)):
        begin = time.perf_counter()
        found = trace(graph, about, upstream=upstream)
        took = time.perf_counter() - begin
        print(f"{f'ours: {about}, {len(found.runs):,} runs':<58}{took:>10.2f} s")
        reach("s for the whole answer", loaded + took, ANSWER_S, quick=quick)


def _record(store: Store, name: str, lineage: GovernedRuns | None) -> None:
    from mlops.store.tables import CaseRow

    row = CaseRow(
        id=name,
        model="m",
        version=1,
        cause="bench",
        severity="low",
        owner="nobody",
        finding="none",
        opened_at=AT,
    )
    with store.transaction() as transaction:
        transaction.record(
            row, actor="bench", action="a.b", subject=name, payload={}, lineage=lineage
        )


def _origin() -> Origin:
    from mlops.lineage.events.datasets import DatasetNames
    from mlops.lineage.events.origin import Origin
    from mlops.warehouse.records import Address

    run = {"dag_id": "d", "run_id": "r", "task_id": "t", "try_number": 1, "map_index": -1}
    return Origin(
        names=DatasetNames(
            warehouse=Address("postgres", "db:5432", "shop", dialect="postgres"),
            store_place="db:5432/mlops",
        ),
        namespace="mlops",
        run={**run, "triggered_by": "nobody"},
    )


def _version(origin: Origin, number: int) -> GovernedRuns:
    """The eleven runs of a version's life, each as wide as ours are."""
    from mlops.lineage.events import facets
    from mlops.lineage.events.origin import same_columns
    from mlops.lineage.events.run import Port, Run

    columns = tuple((name, "double precision") for name in (*FEATURES, "amount"))
    names = [name for name, _ in columns]
    orders = origin.names.table("public", "orders", columns)
    places = [
        origin.names.ours("contracts/shop.public.orders", columns),
        orders,
        *(
            origin.names.ours(f"{kind}/m/{number}", columns)
            for kind in ("snapshots", "checks", "trainings", "validations", "models", "reports")
        ),
        *(origin.names.ours(f"{kind}/m/{number}", columns) for kind in ("approvals", "live")),
        origin.names.ours(f"predictions/m/{number}", columns),
        origin.names.table("ml", "m_predictions", columns),
    ]
    verbs = [
        "observe.shop.public.orders",
        *(
            f"m.v{number}.{verb}"
            for verb in (
                *("snapshot", "check_data", "train", "validate", "package", "report", "approve"),
                *("deploy", "score", "publish"),
            )
        ),
    ]
    return origin.events_for(
        "m",
        *(
            Run(
                job=job,
                at=AT + timedelta(seconds=number),
                inputs=(Port(source, io=_read(source.name, number)),),
                outputs=(
                    Port(
                        target,
                        facets={
                            **facets.version(str(number)),
                            **facets.column_lineage(same_columns(source, names)),
                        },
                    ),
                ),
            )
            for job, source, target in zip(verbs, places[:-1], places[1:], strict=True)
        ),
    )


def _read(name: str, number: int) -> dict[str, object]:
    from mlops.lineage.events import facets

    if name.startswith("contracts/"):
        return {}
    return facets.read(kind="number", version=str(number))
