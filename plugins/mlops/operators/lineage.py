"""From what a step read and wrote to what Airflow's OpenLineage listener wants to be given."""

from __future__ import annotations

from typing import Any

from mlops.lineage.datasets import Dataset, ReadAndWritten


def operator_lineage(found: ReadAndWritten | None) -> Any:
    """The provider's record; none where the step did not finish, so that nothing is claimed."""
    if found is None:
        return None
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_dataset(item) for item in found.inputs],
        outputs=[_dataset(item) for item in found.outputs],
    )


def _dataset(item: Dataset) -> Any:
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset
    from openlineage.client.facet_v2 import schema_dataset

    facets: dict[str, Any] = {}
    if item.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=name, type=kind)
                for name, kind in item.columns
            ]
        )
    return OpenLineageDataset(namespace=item.namespace, name=item.name, facets=facets)
