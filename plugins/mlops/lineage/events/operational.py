"""Airflow's own lineage of a task, derived from the governed runs of its step.

Each step is mapped once, to the runs of its fact. What Airflow's listener is given is a projection
of them: the same inputs and outputs with their columns, and none of the facets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlops.lineage.events.datasets import Dataset
from mlops.lineage.events.run import GovernedRuns, Port


@dataclass(frozen=True)
class TaskDatasets:
    """What a task read and what it wrote."""

    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()


def task_datasets(emitted: Iterable[GovernedRuns]) -> TaskDatasets:
    """The inputs and outputs of all runs of a step, each once, by their operational names."""
    runs = [run for governed in emitted for run in governed.runs]
    return TaskDatasets(
        inputs=_datasets(port for run in runs for port in run.inputs),
        outputs=_datasets(port for run in runs for port in run.outputs),
    )


def operational(dataset: Dataset) -> Dataset:
    """The dataset as Airflow's own lineage names it.

    Our own things have a second name there: where two producers write one dataset, Marquez takes
    the later event for the one that made it. Tables and files have one name in both layers.
    """
    if not dataset.is_ours:
        return dataset
    return replace(dataset, name=f"airflow/{dataset.name}")


def _datasets(ports: Iterable[Port]) -> tuple[Dataset, ...]:
    found = {(port.dataset.namespace, port.dataset.name): port.dataset for port in ports}
    return tuple(operational(dataset) for dataset in found.values())
