"""Where events come from: names, the namespace of our jobs, and the Airflow task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlops.core.targets.target import target_of
from mlops.lineage.events import dataset_names, facets
from mlops.lineage.events.datasets import Dataset, DatasetNames
from mlops.lineage.events.facets import From
from mlops.lineage.events.run import GovernedRuns, Run
from mlops.spec.load import Spec
from mlops.store.tables import SnapshotRow, TrainingRow, VersionRow

SCORE = ("score", "double precision")


_PREDICTIONS = "_predictions"


def prediction_table_name(model: str) -> str:
    """The table that all versions of a model write."""
    return f"{model}{_PREDICTIONS}"


def model_of_predictions(table: str) -> str:
    """The model whose predictions a table of this name would hold."""
    return table.removesuffix(_PREDICTIONS)


@dataclass(frozen=True)
class Origin:
    """The place and the task that a step's lineage is recorded from.

    :param namespace: of our jobs, which is not Airflow's.
    :param run: identity of the Airflow task, as plain JSON.
    :param started: when the step began; None where that is not known.
    """

    names: DatasetNames
    namespace: str
    run: Mapping[str, Any]
    started: datetime | None = None

    def events_for(self, model: str, *runs: Run) -> GovernedRuns:
        """The runs of a fact, each with the task that made it."""
        by_whom = facets.airflow(self.run)
        named = tuple(
            replace(
                run,
                run_facets={**run.run_facets, **by_whom},
                started=self.started if run.started is None else run.started,
            )
            for run in runs
        )
        return GovernedRuns(namespace=self.namespace, model=model, runs=named)

    # ── our own things, each under one name everywhere

    def spec(self, model: str, digest: str) -> Dataset:
        """A registered spec."""
        return self.names.ours(dataset_names.spec(model, digest))

    def snapshot(self, row: SnapshotRow) -> Dataset:
        """The frozen rows of a training."""
        columns = tuple((column["name"], column["type"]) for column in row.columns)
        return self.names.ours(dataset_names.snapshot(row.model, row.id), columns)

    def training(self, row: TrainingRow, spec: Spec) -> Dataset:
        """What training made: the features that it takes, and the score that it gives."""
        return self.names.ours(dataset_names.training(row.model, row.id), model_columns(spec))

    def validation(self, row: TrainingRow) -> Dataset:
        """The evaluation of a training."""
        return self.names.ours(dataset_names.validation(row.model, row.id))

    def version(self, row: VersionRow, spec: Spec) -> Dataset:
        """One model version."""
        return self.names.ours(dataset_names.version(row.model, row.number), model_columns(spec))

    def approvals(self, model: str, version: int, seat: str) -> Dataset:
        """The response of one seat; of no seat, all of them as earlier releases wrote them."""
        return self.names.ours(dataset_names.approvals(model, version, seat))

    def deployment(self, model: str) -> Dataset:
        """What is live."""
        return self.names.ours(dataset_names.deployment(model))

    def scores(self, version: int, spec: Spec) -> Dataset:
        """The rows of the predictions table that one version made."""
        return self.names.ours(dataset_names.scores(spec.model, version), prediction_columns(spec))

    def table_of_predictions(self, spec: Spec) -> Dataset:
        """The predictions of all versions, in the warehouse."""
        return self.names.table(
            spec.content.deploy.output_schema,
            prediction_table_name(spec.model),
            prediction_columns(spec),
        )

    def view_of_predictions(self, spec: Spec) -> Dataset:
        """What applications read."""
        return self.names.table(
            spec.content.deploy.output_schema, spec.model, prediction_columns(spec)
        )

    def monitoring(self, model: str, version: int) -> Dataset:
        """The verdicts on a version."""
        return self.names.ours(dataset_names.monitoring(model, version))

    def measurements(self, model: str, version: int) -> Dataset:
        """What was measured of a version."""
        return self.names.ours(dataset_names.measurements(model, version))


def model_columns(spec: Spec) -> tuple[tuple[str, str], ...]:
    """A model as columns: its features, and its score."""
    features = spec.content.develop.features
    return (*((name, feature.kind) for name, feature in features.items()), SCORE)


def prediction_columns(spec: Spec) -> tuple[tuple[str, str], ...]:
    """What a row of predictions holds of the model's answer."""
    columns = target_of(spec.content).prediction_columns
    return (SCORE, *((column.name, column.type) for column in columns))


def same_columns(source: Dataset, columns: Sequence[str], description: str = "") -> dict[str, Any]:
    """Each column from the one of the same name."""
    return {
        name: [From(source.namespace, source.name, name, description=description)]
        for name in columns
    }


def from_columns(
    source: Dataset, columns: Sequence[str], *, subtype: str, description: str
) -> list[From]:
    """One output column from all of these, by their values."""
    return [
        From(source.namespace, source.name, name, subtype=subtype, description=description)
        for name in columns
    ]
