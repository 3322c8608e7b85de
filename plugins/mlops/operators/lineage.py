"""What our operators give Airflow's OpenLineage listener: the operational lineage.

It may be lost, and nothing depends on it: the governed lineage goes its own way, see
:mod:`mlops.lineage.marquez.relay`. It is derived from the governed runs that the step emitted, so
each step is mapped once. Nothing here may fail a task, and nothing opens a connection: the listener
calls these methods in a process that it forked from the task's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops.errors import LineageError

if TYPE_CHECKING:
    from mlops.lineage.events.datasets import Dataset, DatasetNames
    from mlops.lineage.events.operational import TaskDatasets
    from mlops.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# Marquez stores a column without a type once more with each event.
_NO_TYPE = "unknown"


class Reads(NamedTuple):
    """A field of an operator that names what it reads.

    :ivar field: name of the operator's field.
    :ivar dataset_name: gives the dataset's name, from the model and the field's value.
    """

    field: str
    dataset_name: Callable[[str, str], str]


class EmitsLineage:
    """Mix-in of the operators: what is known of their datasets at each stage of a task.

    ======== ============ =====================================================================
    event    datasets     why
    ======== ============ =====================================================================
    START    none         names hold the place of the store or the warehouse, and the ids that
                          the step is about to make: neither is known without a connection
    COMPLETE both sides   what the finished step read and wrote
    COMPLETE none         of a skipped task: Airflow reports a success, and it wrote nothing
    FAIL     inputs       what the step had read so far, or what the task's own fields name;
                          what the step wrote before it failed was undone, or will be
                          written again
    ======== ============ =====================================================================

    Marquez takes an event with an empty side for the job's present state and drops the edges of the
    runs before: at START that is right, since they are another run's. The datasets of a task are
    named after what that very run works on, so the edges that would stay are those of another
    snapshot or another version; and a task may wait for days, or be killed and never end. A START
    with a part of them, or without the columns that COMPLETE has, would leave a version of the
    dataset that no run wrote.

    :cvar reads: the fields that name what the operator reads. What a query reads is in a spec, and
        so in no field.
    """

    reads: tuple[Reads, ...] = ()

    _datasets: TaskDatasets | None = None
    _names: DatasetNames | None = None
    _finished = False

    def begin(self, workspace: Workspace) -> None:
        """Keep how datasets are named, and nothing of an earlier try."""
        self._names, self._datasets, self._finished = workspace.names, None, False

    @contextmanager
    def noting_lineage(self, workspace: Workspace) -> Iterator[None]:
        """Keep what the step inside the block reads and writes, also where it fails half-way."""
        from mlops.lineage.events.operational import task_datasets

        self.begin(workspace)
        try:
            yield
            self._finished = True
        finally:
            self._datasets = task_datasets(workspace.emitted)

    def get_openlineage_facets_on_start(self) -> Any:
        """Nothing yet; see the class."""
        return operator_lineage((), ())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """What the step read and wrote; nothing where it did not finish, as in a skipped task."""
        found = self._datasets if self._finished else None
        return operator_lineage(found.inputs, found.outputs) if found else operator_lineage((), ())

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:  # noqa: ARG002
        """What the step read or was given to read, and no outputs."""
        if self._datasets is not None and self._datasets.inputs:
            return operator_lineage(self._datasets.inputs, ())
        return operator_lineage(known_inputs(self, self._names) if self._names else (), ())


def known_inputs(operator: Any, names: DatasetNames) -> Iterator[Dataset]:
    """The inputs that an operator's own, rendered fields name."""
    from mlops.lineage.events.operational import operational

    for field, dataset_name in operator.reads:
        value = str(getattr(operator, field, None) or "")
        if value not in ("", "None"):
            yield operational(names.ours(dataset_name(operator.model, value)))


def operator_lineage(inputs: Iterable[Dataset], outputs: Iterable[Dataset]) -> Any:
    """The provider's record; an empty one, rather than none, about which it would warn."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    found: Any = OperatorLineage(inputs=list(_datasets(inputs)), outputs=list(_datasets(outputs)))
    if not (found.inputs or found.outputs):
        _forget_files()
    return found


def _forget_files() -> None:
    """Clear the files that Airflow noted for hooks.

    Where we name nothing, the provider would name each file that the task opened: a step that
    failed or was skipped would claim the parts of artifacts that it began to write to a bucket.
    """
    from airflow.sdk import lineage

    forget = getattr(lineage.get_hook_lineage_collector, "cache_clear", None)
    if forget is not None:
        forget()


def _datasets(items: Iterable[Dataset]) -> Iterator[Any]:
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    from mlops.lineage.safe_names import checked_namespace, safe_name

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
    from mlops.lineage.safe_names import safe_name

    for name, kind in item.columns:
        try:
            yield safe_name(name), str(kind or _NO_TYPE)
        except LineageError as error:
            log.warning("a column of %s is left out of Airflow's own lineage: %s", item.name, error)
