"""The events of a model's development: spec, snapshot, checks, training, validation, package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops.lineage.events import dataset_names, facets
from mlops.lineage.events.dataset_names import SHORT
from mlops.lineage.events.origin import Origin, from_columns, same_columns
from mlops.lineage.events.run import GovernedRuns, Port, Run
from mlops.lineage.events.sources import columns_from, inputs_of, rows_from
from mlops.spec.load import Spec
from mlops.store.tables import (
    CheckRow,
    ReadingRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)


def spec_registered(origin: Origin, row: SpecRow, *, file: str) -> GovernedRuns:
    """A spec file became the spec that versions are held against.

    The file is not an input: no run of ours wrote it, and Marquez walks upstream only over
    datasets that a run wrote.
    """
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.register",
            at=row.registered_at,
            inputs=(),
            outputs=(Port(origin.spec(row.model, row.digest), facets.version(row.digest)),),
            job_facets={
                **facets.documentation("Registers the spec and its acceptance criteria."),
                **facets.source_location(_file_url(file)),
            },
        ),
    )


def _file_url(path: str) -> str:
    return Path(path).absolute().as_uri()


def snapshot_taken(origin: Origin, row: SnapshotRow, read: ReadingRow) -> GovernedRuns:
    """Tables → the frozen rows of a training, column by column."""
    snapshot = origin.snapshot(row)
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.s{row.id[:SHORT]}.snapshot",
            at=row.taken_at,
            inputs=inputs_of(origin, read),
            outputs=(
                Port(
                    snapshot,
                    facets={
                        **facets.version(row.sha256),
                        **facets.created(),
                        **facets.column_lineage(
                            columns_from(origin, read), rows_from(origin, read)
                        ),
                    },
                    io=facets.output_statistics(rows=row.rows, size=row.bytes),
                ),
            ),
            run_facets=facets.nominal_time(row.train_start, row.test_end),
            job_facets={
                **facets.sql(row.query, origin.names.warehouse.dialect),
                **facets.documentation("Freezes the rows that a version is trained and tested on."),
            },
        ),
    )


def snapshot_checked(origin: Origin, row: CheckRow, snapshot: SnapshotRow) -> GovernedRuns:
    """The contract's checks of a snapshot."""
    name = dataset_names.snapshot_checks(snapshot.model, snapshot.id)
    return origin.events_for(
        snapshot.model,
        Run(
            job=f"{snapshot.model}.s{snapshot.id[:SHORT]}.check_data",
            at=row.checked_at,
            inputs=(Port(origin.snapshot(snapshot), io=_checked(row, snapshot.sha256)),),
            outputs=(Port(origin.names.ours(name), facets.version(row.digest)),),
            run_facets=facets.checks(row.checks),
            job_facets=facets.documentation("Checks the frozen rows against the data contract."),
            error=failed_checks(row),
        ),
    )


def failed_checks(row: CheckRow) -> str:
    """The checks that failed, as a sentence each; empty where all passed."""
    return "; ".join(
        f"{check['name']}{' of ' + check['subject'] if check['subject'] else ''}: "
        f"found {check['found']}, expected {check['expected']}"
        for check in row.checks
        if not check["passed"]
    )


def _checked(row: CheckRow, sha256: str) -> dict[str, Any]:
    found = [
        {"name": check["name"], "passed": check["passed"], "column": check["subject"]}
        for check in row.checks
    ]
    return {
        **facets.assertions(found),
        **facets.read(kind="sha256", version=sha256, sha256=sha256),
    }


def model_trained(
    origin: Origin, row: TrainingRow, snapshot: SnapshotRow, spec: Spec
) -> GovernedRuns:
    """Snapshot → model, with all candidates and the code."""
    frozen, trained = origin.snapshot(snapshot), origin.training(row, spec)
    develop = spec.content.develop
    features = list(develop.features)
    chosen = next(found for found in row.candidates if found["chosen"])
    into_score = [
        *from_columns(frozen, features, subtype="TRANSFORMATION", description="the model"),
        *from_columns(frozen, [develop.label], subtype="TRANSFORMATION", description="the label"),
    ]
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.t{row.id[:SHORT]}.train",
            at=row.trained_at,
            inputs=(
                Port(frozen, io=_whole(snapshot)),
                Port(origin.spec(row.model, row.spec_digest)),
            ),
            outputs=(
                Port(
                    trained,
                    facets={
                        **facets.version(row.model_sha256),
                        **facets.dataset_type("MODEL"),
                        **facets.column_lineage(
                            {
                                **same_columns(frozen, features, "a feature"),
                                "score": into_score,
                            }
                        ),
                    },
                ),
            ),
            run_facets={
                **facets.model(
                    model=row.model,
                    training=row.id,
                    model_sha256=row.model_sha256,
                    snapshot_sha256=snapshot.sha256,
                    spec=row.spec_digest,
                    criteria=row.criteria_digest,
                    chosen=row.chosen,
                    technique=chosen["technique"],
                    candidates=[found["name"] for found in row.candidates],
                    metrics=_metrics(chosen["metrics"]),
                    code=[{"name": name, "value": str(v)} for name, v in sorted(row.code.items())],
                ),
                **facets.parameters(
                    [("seed", str(develop.seed)), *((k, v) for k, v in chosen["params"])]
                ),
            },
            job_facets=facets.documentation(
                "Trains the candidates of the spec on the snapshot and chooses one."
            ),
        ),
    )


def _whole(row: SnapshotRow) -> dict[str, Any]:
    """A snapshot is read whole."""
    return facets.read(
        kind="sha256",
        version=row.sha256,
        sha256=row.sha256,
        rows=row.rows,
        columns=[column["name"] for column in row.columns],
    )


def _metrics(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": value}
        for name, value in sorted(found.items())
        if isinstance(value, int | float)
    ]


def model_validated(
    origin: Origin, row: ValidationRow, training: TrainingRow, snapshot: SnapshotRow, spec: Spec
) -> GovernedRuns:
    """Model and its test rows → the verdict, gate by gate, also where it failed."""
    gates = [
        {
            "name": gate["name"],
            "status": "pass" if gate["passed"] else "fail",
            "severity": "error",
            "expected": gate["bound"],
            "actual": "none" if gate["measured"] is None else f"{gate['measured']:.6g}",
            **({"description": gate["note"]} if gate["note"] else {}),
        }
        for gate in row.gates
    ]
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.t{training.id[:SHORT]}.validate",
            at=row.validated_at,
            inputs=(
                Port(origin.training(training, spec)),
                Port(origin.snapshot(snapshot), io=_whole(snapshot)),
            ),
            outputs=(
                Port(origin.validation(training), facets.version(f"champion-{row.champion}")),
            ),
            run_facets={
                **facets.tests(gates),
                **facets.evaluation(
                    model=row.model,
                    training=row.training_id,
                    champion=row.champion,
                    criteria=training.criteria_digest,
                    passed=row.passed,
                    metrics=_metrics(row.evaluation["metrics"]),
                ),
            },
            job_facets=facets.documentation(
                "Holds the trained model against its acceptance criteria on the test rows."
            ),
            error=_failed_gates(gates),
        ),
    )


def _failed_gates(gates: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{gate['name']}: measured {gate['actual']}, expected {gate['expected']}"
        for gate in gates
        if gate["status"] == "fail"
    )


def version_packaged(
    origin: Origin, row: VersionRow, training: TrainingRow, snapshot: SnapshotRow, spec: Spec
) -> GovernedRuns:
    """Model and verdict → a version: the very bytes that people sign."""
    trained = origin.training(training, spec)
    columns = [name for name, _ in trained.columns]
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.v{row.number}.package",
            at=row.packaged_at,
            inputs=(
                Port(trained, io=facets.read(kind="sha256", version=training.model_sha256)),
                Port(origin.validation(training)),
            ),
            outputs=(
                Port(
                    origin.version(row, spec),
                    facets={
                        **facets.version(row.package_digest),
                        **facets.dataset_type("MODEL"),
                        **facets.column_lineage(same_columns(trained, columns, "packaged")),
                    },
                ),
            ),
            run_facets=facets.model(
                model=row.model,
                version=row.number,
                package_sha256=row.package_digest,
                training=row.training_id,
                model_sha256=training.model_sha256,
                snapshot_sha256=snapshot.sha256,
                spec=row.spec_digest,
                criteria=row.criteria_digest,
                champion=row.champion,
                tier=row.tier,
                developer=row.developer,
                technique=next(c["technique"] for c in training.candidates if c["chosen"]),
            ),
            job_facets={
                **facets.documentation(
                    "Packages the validated model as a version: the bytes that people sign."
                ),
                **facets.owners(
                    {
                        "developer": row.developer,
                        "business_owner": spec.content.manage.business_owner,
                    }
                ),
            },
        ),
    )
