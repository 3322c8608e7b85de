"""What our operators tell Airflow's OpenLineage listener: the operational lineage.

It may be lost, and nothing depends on it: the governed lineage goes its own way, see
:mod:`mlops.lineage.marquez.relay`. So nothing here may fail a task, and nothing opens a
connection: the listener asks in a process that it forked from the task's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlops.errors import LineageError, MlopsError
from mlops.lineage.events import dataset_names

if TYPE_CHECKING:
    from mlops.lineage.events.datasets import Dataset, Names, ReadAndWritten
    from mlops.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# An operator's fields that name what it reads, as they stand in what the step tells when it is
# done. What a query reads stands in a spec, and so not in a field.
READS: Mapping[str, tuple[str, ...]] = {
    "CheckDataOperator": ("snapshot_id",),
    "TrainOperator": ("snapshot_id",),
    "ValidateOperator": ("training_id",),
    "PackageOperator": ("training_id",),
    "DocumentOperator": ("version",),
    "ApprovalSensor": ("version",),
    "DeployOperator": ("version",),
    "ControlOperator": ("version",),
    "JudgeOperator": ("measurement",),
}
_CALLED: Mapping[str, Callable[[str, str], str]] = {
    "snapshot_id": dataset_names.snapshot,
    "training_id": dataset_names.training,
    "measurement": dataset_names.measurement,
    "version": dataset_names.version,
}
# Marquez stores a column without a type anew with each event.
_NO_TYPE = "unknown"


class EmitsLineage:
    """Mix-in of the operators: what is known of their datasets at each stage of a task.

    ======== ============ =====================================================================
    event    tells        why
    ======== ============ =====================================================================
    START    nothing      names hold the place of the store or the warehouse, and the ids that
                          the step is about to make: neither is known without a connection
    COMPLETE both sides   what the finished step read and wrote
    COMPLETE nothing      of a skipped task: it is told as a success, and wrote nothing
    FAIL     inputs       as far as the task's own fields name them; whatever was written before
                          the step failed was undone, or will be written again
    ======== ============ =====================================================================

    Marquez takes an event with an empty side for the job's present state and drops the edges of the
    runs before: at START that is right, since they are another run's. The datasets of a task are
    named after what that very run works on, so the edges that would stay are those of another
    snapshot or another version; and a task may wait for days, or be killed and never end. A START
    with a part of them, or without the columns that COMPLETE has, would leave a version of the
    dataset that nobody wrote.
    """

    _datasets: ReadAndWritten | None = None
    _names: Names | None = None

    def begin(self, workspace: Workspace) -> None:
        """Remember how things are named, and nothing of an earlier try."""
        self._names, self._datasets = workspace.names, None

    def finish(self, workspace: Workspace, result: Any) -> None:
        """Work out what the finished step read and wrote, once, while its task still runs."""
        from mlops.flow.task_datasets import read_and_written

        try:
            self._datasets = read_and_written(workspace, result)
        except MlopsError as error:
            log.warning("Airflow's own lineage of this task stays empty: %s", error)

    def get_openlineage_facets_on_start(self) -> Any:
        """Nothing yet; see the class."""
        return operator_lineage((), ())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """What the step read and wrote; nothing where it did not finish, as in a skipped task."""
        found = self._datasets
        return operator_lineage(found.inputs, found.outputs) if found else operator_lineage((), ())

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:  # noqa: ARG002
        """What the step was given to read, and no outputs."""
        if self._datasets is not None:
            return operator_lineage(self._datasets.inputs, ())
        return operator_lineage(known_inputs(self, self._names) if self._names else (), ())


def known_inputs(operator: Any, names: Names) -> Iterator[Dataset]:
    """The inputs that an operator's own, rendered fields name."""
    for field in READS.get(type(operator).__name__, ()):
        value = str(getattr(operator, field, None) or "")
        if value not in ("", "None"):
            yield names.airflow(_CALLED[field](operator.model, value))


def operator_lineage(inputs: Iterable[Dataset], outputs: Iterable[Dataset]) -> Any:
    """The provider's record; an empty one, rather than none, about which it would warn."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    found: Any = OperatorLineage(inputs=list(_datasets(inputs)), outputs=list(_datasets(outputs)))
    if not (found.inputs or found.outputs):
        _forget_files()
    return found


def _forget_files() -> None:
    """Where we name nothing, the provider would name each file that the task opened by itself.

    Airflow notes them for hooks: so a step that failed, or was skipped, would claim the parts of
    artifacts that it began to write to a bucket.
    """
    from airflow.sdk import lineage

    forget = getattr(lineage.get_hook_lineage_collector, "cache_clear", None)
    if forget is not None:
        forget()


def _datasets(items: Iterable[Dataset]) -> Iterator[Any]:
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    from mlops.lineage.node_ids import checked_namespace, safe_name

    for item in items:
        try:
            namespace, name = checked_namespace(item.namespace), safe_name(item.name)
        except LineageError as error:
            log.warning("a dataset is left out of Airflow's own lineage: %s", error)
            continue
        yield OpenLineageDataset(namespace=namespace, name=name, facets=_facets(item))


def _facets(item: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import schema_dataset

    fields = [
        schema_dataset.SchemaDatasetFacetFields(name=name, type=kind)
        for name, kind in _columns(item)
    ]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}


def _columns(item: Dataset) -> Iterator[tuple[str, str]]:
    from mlops.lineage.node_ids import safe_name

    for name, kind in item.columns:
        try:
            yield safe_name(name), str(kind or _NO_TYPE)
        except LineageError as error:
            log.warning("a column of %s is left out of Airflow's own lineage: %s", item.name, error)
