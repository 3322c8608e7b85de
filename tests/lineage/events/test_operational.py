"""Airflow's own lineage of a task is a projection of the governed runs of its step."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops.lineage.events.datasets import Dataset, DatasetNames
from mlops.lineage.events.operational import operational, task_datasets
from mlops.lineage.events.run import GovernedRuns, Port, Run
from mlops.warehouse.records import Address

NAMES = DatasetNames(
    warehouse=Address("postgres", "db:5432", "shop", dialect="postgres"),
    store_place="db:5432/mlops",
)
FLIGHTS = NAMES.table("public", "flights", (("distance", "integer"),))
SNAPSHOT = NAMES.ours("snapshots/late/1", (("distance", "double precision"),))
CHECKS = NAMES.ours("checks/late/1")


def governed(*pairs: tuple[list[Dataset], list[Dataset]]) -> GovernedRuns:
    runs = [
        Run(
            job=f"late.{number}",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            inputs=tuple(Port(item, io={"mlops_read": {"version": "1"}}) for item in inputs),
            outputs=tuple(Port(item) for item in outputs),
        )
        for number, (inputs, outputs) in enumerate(pairs)
    ]
    return GovernedRuns(namespace="mlops", model="late", runs=tuple(runs))


def test_our_own_things_get_their_operational_name_and_keep_their_columns():
    found = task_datasets([governed(([FLIGHTS], [SNAPSHOT]))])
    assert found.inputs == (FLIGHTS,)
    assert found.outputs == (
        Dataset("mlops://db:5432/mlops", "airflow/snapshots/late/1", SNAPSHOT.columns),
    )


def test_tables_and_files_have_one_name_in_both_layers():
    file = NAMES.file("/reports/late/v1.html")
    assert [operational(item) for item in (FLIGHTS, file)] == [FLIGHTS, file]


def test_a_dataset_of_several_runs_is_named_once_in_the_order_of_the_runs():
    first, second = governed(([SNAPSHOT, FLIGHTS], [CHECKS])), governed(([FLIGHTS], [CHECKS]))
    found = task_datasets([first, second])
    assert [item.name for item in found.inputs] == [
        "airflow/snapshots/late/1",
        "shop.public.flights",
    ]
    assert [item.name for item in found.outputs] == ["airflow/checks/late/1"]


def test_a_step_without_runs_has_no_datasets():
    found = task_datasets([])
    assert (found.inputs, found.outputs) == ((), ())
