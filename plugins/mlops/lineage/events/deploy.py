"""The events of a version's deployment: evidence, signatures, what is live, scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mlops.lineage.events import dataset_names, facets
from mlops.lineage.events.datasets import Dataset
from mlops.lineage.events.develop import failed_checks
from mlops.lineage.events.facets import From
from mlops.lineage.events.origin import (
    SCORE,
    Origin,
    from_columns,
    prediction_columns,
    same_columns,
)
from mlops.lineage.events.run import Facets, GovernedRuns, Port, Run
from mlops.lineage.events.sources import columns_from, inputs_of, rows_from
from mlops.spec.load import Spec
from mlops.store.tables import (
    BatchRow,
    CheckRow,
    DecisionRow,
    DeploymentRow,
    ReadingRow,
    ReportRow,
    VersionRow,
)
from mlops.vocabulary import APPROVALS, STOP


def report_written(
    origin: Origin, row: ReportRow, version: VersionRow, spec: Spec, sources: Iterable[Dataset]
) -> GovernedRuns:
    """The version and what else a report was made from → the file of its immutable bytes."""
    file = Port(
        origin.names.file(row.location),
        facets={**facets.version(row.sha256), **facets.dataset_type("FILE"), **facets.created()},
    )
    return origin.events_for(
        row.model,
        Run(
            # One job for each window: Marquez' graph keeps what a job's last run wrote.
            job=f"{row.model}.v{row.version}.report_{row.kind}"
            + (f"_{row.period}" if row.period else ""),
            at=row.written_at,
            inputs=(Port(origin.version(version, spec)), *map(Port, sources)),
            outputs=(file,),
            job_facets=facets.documentation(f"Writes the {row.kind} report of the version."),
        ),
    )


def decided(
    origin: Origin, row: DecisionRow, version: VersionRow, spec: Spec, reports: Sequence[ReportRow]
) -> GovernedRuns:
    """A response to an approval request, whether it counted or not, with what it binds.

    Each seat has a job and a dataset of its own: Marquez links a reader to the last writer of a
    dataset, so that of several seats in one dataset all but one could not be reached.
    """
    seat = row.seat if row.counted else dataset_names.NOT_COUNTED
    return origin.events_for(
        row.model,
        Run(
            job=f"{approval_job(row.model, row.version)}_{seat}",
            at=row.decided_at,
            inputs=(
                Port(
                    origin.version(version, spec),
                    io=facets.read(kind="sha256", version=row.package_digest),
                ),
                *(
                    Port(
                        origin.names.file(report.location),
                        io=facets.read(kind="sha256", version=report.sha256),
                    )
                    for report in reports
                ),
            ),
            outputs=(Port(origin.approvals(row.model, row.version, seat), facets.version(row.id)),),
            run_facets=facets.approval(
                model=row.model,
                version=row.version,
                seat=row.seat,
                decision=row.answer,
                counted=row.counted,
                refusal=row.refusal,
                approver_id=row.user_id,
                approver_name=row.user_name,
                decided_at=row.decided_at,
                valid_until=row.valid_until,
                reason=row.reason,
                method=row.method,
                package_sha256=row.package_digest,
                spec=row.spec_digest,
                snapshot=row.snapshot_digest,
                evidence=row.evidence_digest,
                criteria=row.criteria_digest,
            ),
            job_facets=facets.documentation(
                "Records the responses of one seat to the approval request of the version."
                if row.counted
                else "Records responses that did not count as signatures, with the reason."
            ),
            started=row.decided_at,
            error=_not_approved(row),
        ),
    )


def approval_job(model: str, version: int) -> str:
    """How the names of the jobs begin that record responses; the seat follows."""
    return f"{model}.v{version}.approve"


def _not_approved(row: DecisionRow) -> str:
    if not row.counted:
        return f"the response of {row.user_name or row.user_id} did not count: {row.refusal}"
    if row.answer not in APPROVALS:
        return f"{row.seat}: {row.answer} by {row.user_name or row.user_id}: {row.reason}"
    return ""


def deployment_changed(
    origin: Origin,
    row: DeploymentRow,
    version: VersionRow,
    spec: Spec,
    *,
    replaced: int,
    seats: Sequence[str],
) -> GovernedRuns:
    """A version and its signatures → what is live: deployed, rolled back, stopped or resumed.

    :param seats: whose responses the lineage has; an empty name for all those that an earlier
        release wrote into one dataset.
    """
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.v{row.version}.deploy",
            at=row.valid_from,
            inputs=(
                Port(
                    origin.version(version, spec),
                    io=facets.read(kind="sha256", version=row.package_digest),
                ),
                *(Port(origin.approvals(row.model, row.version, seat)) for seat in seats),
            ),
            outputs=(Port(origin.deployment(row.model), facets.version(_live(row, version))),),
            run_facets=facets.deployment(
                model=row.model,
                version=row.version,
                package_sha256=row.package_digest,
                action=row.action,
                replaced=replaced,
                reason=row.reason,
                actor=row.actor,
                valid_from=row.valid_from,
            ),
            job_facets=facets.documentation(
                "Makes the version live, rolls back to it, stops it or resumes it."
            ),
        ),
    )


def _live(row: DeploymentRow, version: VersionRow) -> str:
    """What decides from now on: the version, its rule, or nothing of it."""
    if row.action != STOP:
        return str(row.version)
    rule = version.signing_policy.fallback == "rule"
    return _rule_of(row.version) if rule else "stopped"


def _rule_of(version: int) -> str:
    return f"rule of {version}"


def input_checked(
    origin: Origin, row: CheckRow, batch: str, version: VersionRow, spec: Spec, read: ReadingRow
) -> GovernedRuns:
    """The contract's checks of the rows to be scored."""
    return origin.events_for(
        version.model,
        Run(
            job=f"{version.model}.v{version.number}.check_input",
            at=row.checked_at,
            inputs=(Port(origin.version(version, spec)), *inputs_of(origin, read)),
            outputs=(
                Port(
                    origin.names.ours(dataset_names.input_checks(version.model, version.number)),
                    facets.version(row.digest),
                ),
            ),
            run_facets={
                **facets.checks(row.checks),
                **facets.batch(model=version.model, version=version.number, batch=batch, rows=None),
            },
            job_facets=facets.documentation(
                "Checks the rows of a batch against the data contract before they are scored."
            ),
            error=failed_checks(row),
        ),
    )


def shard_scored(
    origin: Origin,
    version: VersionRow,
    spec: Spec,
    read: ReadingRow,
    *,
    by_rule: bool,
    at: datetime,
) -> GovernedRuns:
    """What one shard reads and writes; the fact is the publication of the whole batch."""
    return origin.events_for(
        version.model,
        Run(
            job=_scoring_job(version.model, version.number, by_rule=by_rule),
            at=at,
            inputs=_scoring_inputs(origin, version, spec, read, by_rule=by_rule),
            outputs=tuple(map(Port, _predictions(origin, version, spec))),
            job_facets=facets.documentation("Scores batches with the version, or with its rule."),
        ),
    )


def batch_published(
    origin: Origin, row: BatchRow, version: VersionRow, spec: Spec, read: ReadingRow
) -> GovernedRuns:
    """Version or rule, slot and tables → scores; and scores → the view that applications read."""
    if row.by_rule:
        score_from = columns_from(origin, read).get(SCORE[0], [])
    else:
        score_from = _score_from(origin, version, spec, read)
    made_of = facets.column_lineage(
        dict.fromkeys(_columns(spec), score_from), rows_from(origin, read)
    )
    scoring = Run(
        job=_scoring_job(row.model, row.version, by_rule=row.by_rule),
        at=row.published_at,
        inputs=_scoring_inputs(origin, version, spec, read, by_rule=row.by_rule),
        outputs=tuple(
            Port(place, facets={**facets.version(row.id), **made_of}, io=_written(row))
            for place in _predictions(origin, version, spec)
        ),
        run_facets=_about(row),
        job_facets=facets.documentation("Scores batches with the version, or with its rule."),
    )
    return origin.events_for(row.model, scoring, _publication(origin, row, version, spec))


def batch_shown(origin: Origin, row: BatchRow, version: VersionRow, spec: Spec) -> GovernedRuns:
    """Scores → the view: of a batch's two runs the one that publishes it."""
    return origin.events_for(row.model, _publication(origin, row, version, spec))


def _publication(origin: Origin, row: BatchRow, version: VersionRow, spec: Spec) -> Run:
    same = same_columns(origin.table_of_predictions(spec), _columns(spec), "published")
    view = Port(
        origin.view_of_predictions(spec),
        facets={**facets.dataset_type("VIEW"), **facets.column_lineage(same)},
        io=_written(row),
    )
    return Run(
        job=f"{row.model}.v{row.version}.publish",
        at=row.published_at,
        inputs=tuple(
            Port(place, io=facets.read(kind="batch", version=row.id, rows=row.rows))
            for place in _predictions(origin, version, spec)
        ),
        outputs=(view,),
        run_facets=_about(row),
        job_facets=facets.documentation("Shows a scored batch in the view of the applications."),
    )


def _scoring_job(model: str, version: int, *, by_rule: bool) -> str:
    return f"{model}.v{version}.{'rule' if by_rule else 'score'}"


def _scoring_inputs(
    origin: Origin, version: VersionRow, spec: Spec, read: ReadingRow, *, by_rule: bool
) -> tuple[Port, ...]:
    """The version, unless its rule scores, the live slot, and the tables."""
    package = facets.read(kind="sha256", version=version.package_digest)
    live = _rule_of(version.number) if by_rule else str(version.number)
    number = facets.read(kind="number", version=live)
    return (
        *(() if by_rule else (Port(origin.version(version, spec), io=package),)),
        Port(origin.deployment(version.model), io=number),
        *inputs_of(origin, read),
    )


def _predictions(origin: Origin, version: VersionRow, spec: Spec) -> tuple[Dataset, Dataset]:
    """The version's own predictions, and the table of those of all versions."""
    return origin.scores(version.number, spec), origin.table_of_predictions(spec)


def _columns(spec: Spec) -> tuple[str, ...]:
    return tuple(name for name, _ in prediction_columns(spec))


def _batch(row: BatchRow) -> Facets:
    # Summaries of the earliest batches have fewer keys.
    unseen = row.summary.get("unseen", {})
    return facets.batch(
        model=row.model,
        version=row.version,
        batch=row.batch,
        **({} if row.by_rule else {"package_sha256": row.package_digest}),
        window_start=row.window_start,
        window_end=row.window_end,
        rows=row.rows,
        unseen=[{"name": n, "rows": count} for n, count in sorted(unseen.items())],
    )


def _about(row: BatchRow) -> Facets:
    return {**_batch(row), **facets.nominal_time(row.window_start, row.window_end)}


def _written(row: BatchRow) -> Facets:
    return {**facets.output_statistics(rows=row.rows), **_batch(row)}


def _score_from(origin: Origin, version: VersionRow, spec: Spec, read: ReadingRow) -> list[From]:
    """Where a score comes from: the model, and the columns of tables behind its features."""
    by_column = columns_from(origin, read)
    model = origin.version(version, spec)
    through = {
        From(
            found.namespace,
            found.name,
            found.field,
            found.kind,
            "TRANSFORMATION" if found.kind == "DIRECT" else found.subtype,
            "through the model" if found.kind == "DIRECT" else "",
        )
        for feature in spec.content.develop.features
        for found in by_column.get(feature, ())
    }
    features = list(spec.content.develop.features)
    return [
        *from_columns(model, ["score"], subtype="IDENTITY", description="the model's score"),
        *from_columns(model, features, subtype="TRANSFORMATION", description="the model"),
        *sorted(through),
    ]
