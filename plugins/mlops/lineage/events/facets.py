"""OpenLineage facets, the standard ones that we use and our own.

Each function gives ``{key: facet}``, so that facets are put together with ``{**a, **b}``. Our own
facets are small and flat; their JSON schemas are in ``docs/facets``, one file for each version of
each. A number that is none (NaN, infinity) is left out as null: JSON has no word for it, and
Marquez would refuse the whole event, as it would one with a NUL in its text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.lineage.safe_names import safe_name
from mlops.store.ledger import Entry

PRODUCER = "urn:airflow-mlops:0.1"
LEDGER = "mlops_ledger"
READ = "mlops_read"
APPROVAL = "mlops_approval"
DEPLOYMENT = "mlops_deployment"
BATCH = "mlops_batch"
DRIFT = "mlops_drift"
_SPEC = "https://openlineage.io/spec/facets"
# Of the schema of each of our own facets; that of another one is 1-0-0.
_OWN_VERSIONS = {READ: "2-0-0"}

Facet = dict[str, dict[str, Any]]


def _standard(key: str, version: str, definition: str, **content: Any) -> Facet:
    url = f"{_SPEC}/{version}/{definition}.json#/$defs/{definition}"
    return {key: {"_producer": PRODUCER, "_schemaURL": url, **_plain(content)}}


def _own(key: str, **content: Any) -> Facet:
    url = f"urn:airflow-mlops:facet:{key}:{_OWN_VERSIONS.get(key, '1-0-0')}"
    return {key: {"_producer": PRODUCER, "_schemaURL": url, **_plain(content)}}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        # Marquez keeps facets as jsonb, which has no character of the number zero.
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


# ── standard: of datasets


def schema(columns: Iterable[tuple[str, str]]) -> Facet:
    """Names and types of columns; a column without a type would be stored again with each event."""
    fields = [{"name": safe_name(name), "type": kind} for name, kind in columns]
    return _standard("schema", "1-2-0", "SchemaDatasetFacet", fields=fields)


def data_source(namespace: str) -> Facet:
    """Where a dataset is."""
    return _standard("dataSource", "1-0-1", "DatasourceDatasetFacet", name=namespace, uri=namespace)


def version(text: str) -> Facet:
    """The content of a dataset, as a digest or a number."""
    return _standard("version", "1-0-1", "DatasetVersionDatasetFacet", datasetVersion=text)


def dataset_documentation(text: str) -> Facet:
    """What a dataset is, in a sentence."""
    return _standard("documentation", "1-1-0", "DocumentationDatasetFacet", description=text)


def dataset_type(kind: str) -> Facet:
    """``TABLE``, ``VIEW``, ``FILE``, ``MODEL``."""
    return _standard("datasetType", "1-0-1", "DatasetTypeDatasetFacet", datasetType=kind)


def created() -> Facet:
    """The dataset is new with this run."""
    return _standard(
        "lifecycleStateChange",
        "1-0-1",
        "LifecycleStateChangeDatasetFacet",
        lifecycleStateChange="CREATE",
    )


@dataclass(frozen=True, order=True)
class From:
    """A column that an output column comes from.

    :ivar kind: ``DIRECT`` where its value goes in, ``INDIRECT`` where it only decides.
    :ivar subtype: ``IDENTITY``, ``TRANSFORMATION``, ``AGGREGATION``; ``JOIN``, ``FILTER``,
        ``GROUP_BY``, ``SORT``, ``WINDOW``, ``CONDITIONAL``.
    """

    namespace: str
    name: str
    field: str
    kind: str = "DIRECT"
    subtype: str = "IDENTITY"
    description: str = ""


def column_lineage(fields: Mapping[str, Sequence[From]], rows: Sequence[From] = ()) -> Facet:
    """Which input columns each output column comes from.

    :param fields: for each output column its sources.
    :param rows: columns that decide which rows there are. They stand with every column as well,
        since Marquez reads nothing else.
    """
    every = {name: [*found, *rows] for name, found in fields.items()}
    return _standard(
        "columnLineage",
        "1-2-0",
        "ColumnLineageDatasetFacet",
        fields={safe_name(name): _sources(found) for name, found in every.items() if found},
        dataset=[_source(item) for item in rows],
    )


def _sources(found: Sequence[From]) -> dict[str, Any]:
    # Marquez reads what is stated of the whole field; the standard wants it for each source.
    direct = [item for item in found if item.kind == "DIRECT"] or found
    subtypes = {item.subtype for item in direct}
    return {
        "inputFields": [_source(item) for item in found],
        "transformationType": subtypes.pop() if len(subtypes) == 1 else "TRANSFORMATION",
        "transformationDescription": "; ".join(
            dict.fromkeys(item.description for item in direct if item.description)
        )[:500],
    }


def _source(item: From) -> dict[str, Any]:
    return {
        "namespace": item.namespace,
        "name": safe_name(item.name),
        "field": safe_name(item.field),
        "transformations": [
            {
                "type": item.kind,
                "subtype": item.subtype,
                "description": item.description,
                "masking": False,
            }
        ],
    }


# ── standard: of one reading or writing


def assertions(checks: Iterable[Mapping[str, Any]]) -> Facet:
    """Checks of an input; Marquez shows them beside the dataset.

    :param checks: each with ``name``, ``passed`` and ``column`` (None: of the rows as a whole).
    """
    return _standard(
        "dataQualityAssertions",
        "1-1-0",
        "DataQualityAssertionsDatasetFacet",
        assertions=[
            {
                "assertion": check["name"],
                "success": check["passed"],
                **({"column": safe_name(check["column"])} if check["column"] else {}),
            }
            for check in checks
        ],
    )


def output_statistics(*, rows: int, size: int | None = None) -> Facet:
    """How much was written; ``size`` in bytes."""
    more = {} if size is None else {"size": size}
    return _standard(
        "outputStatistics",
        "1-0-2",
        "OutputStatisticsOutputDatasetFacet",
        rowCount=rows,
        **more,
    )


# ── standard: of jobs and runs


def job_type() -> Facet:
    """What kind of job ours are."""
    return _standard(
        "jobType",
        "2-0-4",
        "JobTypeJobFacet",
        processingType="BATCH",
        integration="MLOPS",
        jobType="TASK",
    )


def sql(query: str, dialect: str) -> Facet:
    """The query that was run."""
    return _standard("sql", "1-1-0", "SQLJobFacet", query=query, dialect=dialect)


def documentation(text: str) -> Facet:
    """What a job is for, in a sentence."""
    return _standard("documentation", "1-1-0", "DocumentationJobFacet", description=text)


def source_location(url: str) -> Facet:
    """The file that a job takes its definition from."""
    return _standard(
        "sourceCodeLocation", "1-1-0", "SourceCodeLocationJobFacet", type="file", url=url
    )


def error_message(text: str) -> Facet:
    """Why a run ended as a failure."""
    return _standard(
        "errorMessage",
        "1-0-1",
        "ErrorMessageRunFacet",
        message=text,
        programmingLanguage="Python",
    )


def owners(people: Mapping[str, str]) -> Facet:
    """Who answers for a job: the name for each duty."""
    return _standard(
        "ownership",
        "1-0-1",
        "OwnershipJobFacet",
        owners=[{"name": name, "type": duty} for duty, name in people.items()],
    )


def nominal_time(start: Any, end: Any) -> Facet:
    """The window that a run is about."""
    return _standard(
        "nominalTime", "1-0-1", "NominalTimeRunFacet", nominalStartTime=start, nominalEndTime=end
    )


def parameters(found: Iterable[tuple[str, str]]) -> Facet:
    """Hyper-parameters: a list, since the value under a key like ``max_tokens`` would be masked."""
    return _standard(
        "executionParameters",
        "1-0-0",
        "ExecutionParametersRunFacet",
        parameters=[{"key": k, "name": k, "value": v} for k, v in found],
    )


def tests(found: Iterable[Mapping[str, Any]]) -> Facet:
    """Gates and verdicts: ``name``, ``status`` (pass, fail, skip), ``expected``, ``actual``."""
    return _standard("test", "1-0-1", "TestRunFacet", tests=list(found))


def checks(found: Iterable[Mapping[str, Any]]) -> Facet:
    """Recorded checks of rows, as tests."""
    return tests(
        {
            "name": f"{check['name']}: {check['subject']}" if check["subject"] else check["name"],
            "status": "pass" if check["passed"] else "fail",
            "severity": "error",
            "expected": str(check["expected"]),
            "actual": str(check["found"]),
        }
        for check in found
    )


# ── our own


def airflow(run: Mapping[str, Any]) -> Facet:
    """Which Airflow task did it; ours carry no parent, see ``run.py``."""
    return _own(
        "mlops_airflow",
        dag_id=run["dag_id"],
        run_id=run["run_id"],
        task_id=run["task_id"],
        try_number=run["try_number"],
        map_index=run["map_index"],
        triggered_by=run["triggered_by"],
    )


def ledger(entry: Entry) -> Facet:
    """The ledger's entry that a run belongs to: on every governed event."""
    return _own(
        LEDGER,
        seq=entry.seq,
        digest=entry.digest,
        prev_digest=entry.prev_digest,
        action=entry.action,
        subject=entry.subject,
        actor=entry.actor,
    )


def read(
    *,
    kind: str,
    version: str,
    columns: Sequence[str] = (),
    rows: int | None = None,
    sha256: str | None = None,
    lsn: str | None = None,
    as_of: Any = None,
) -> Facet:
    """What exactly was read of an input: a part of the run's facet, see :func:`reads`.

    :param kind: of version: ``sha256``, ``number``, ``batch``, or a state of the warehouse as it
        names it (``pg_snapshot``: pg_visible_in_snapshot() answers whether a load is in it).
    """
    return {
        READ: {
            "version_kind": kind,
            "version": version,
            "columns": list(columns),
            "rows": rows,
            "sha256": sha256,
            "lsn": lsn,
            "as_of": as_of,
        }
    }


def reads(inputs: Sequence[Mapping[str, Any]]) -> Facet:
    """What exactly a run read, input by input."""
    return _own(READ, inputs=list(inputs))


def model(**facts: Any) -> Facet:
    """A model version, or a training: digests, technique, parameters and metrics."""
    return _own("mlops_model", **facts)


def approval(**facts: Any) -> Facet:
    """A decision of a person, and the digests that it binds."""
    return _own(APPROVAL, **facts)


def deployment(**facts: Any) -> Facet:
    """A change of the live version."""
    return _own(DEPLOYMENT, **facts)


def batch(**facts: Any) -> Facet:
    """A scored batch."""
    return _own(BATCH, **facts)


def evaluation(**facts: Any) -> Facet:
    """What validation measured, and the verdict."""
    return _own("mlops_evaluation", **facts)


def drift(**facts: Any) -> Facet:
    """What monitoring found in a window."""
    return _own(DRIFT, **facts)
