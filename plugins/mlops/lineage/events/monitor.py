"""The events of a live version's monitoring: what was measured, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from mlops.core.drift.statistic import statistic_title
from mlops.core.records import FeatureDrift, MonitorResult
from mlops.lineage.events import facets
from mlops.lineage.events.origin import Origin
from mlops.lineage.events.run import GovernedRuns, Port, Run
from mlops.lineage.events.sources import inputs_of
from mlops.spec.load import Spec
from mlops.store.tables import BatchRow, MeasurementRow, MonitorRow, ReadingRow, SnapshotRow

_STATUS = {"ok": "pass", "warn": "fail", "alarm": "fail", "not_enough_data": "skip"}


def window_measured(
    origin: Origin,
    row: MeasurementRow,
    spec: Spec,
    batch: BatchRow,
    snapshot: SnapshotRow,
    readings: Sequence[ReadingRow],
) -> GovernedRuns:
    """Scores, the rows of training and the tables → what was measured.

    :param readings: what the queries of features, outcomes and KPI read.
    """
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.v{row.version}.measure",
            at=row.measured_at,
            inputs=(
                Port(
                    origin.scores(row.version, spec),
                    io=facets.read(kind="batch", version=batch.id, rows=batch.rows),
                ),
                Port(
                    origin.snapshot(snapshot),
                    io=facets.read(kind="sha256", version=snapshot.sha256),
                ),
                *inputs_of(origin, *readings),
            ),
            outputs=(
                Port(origin.measurements(row.model, row.version), facets.version(row.digest)),
            ),
            run_facets=facets.nominal_time(batch.window_start, batch.window_end),
            job_facets=facets.documentation(
                "Measures a scored window: its features, its scores, and the outcomes so far."
            ),
        ),
    )


def window_judged(origin: Origin, row: MonitorRow, result: MonitorResult) -> GovernedRuns:
    """What was measured → the verdict: drift by feature, performance, KPI."""
    tests = [
        {
            "name": f"drift of {item.feature}",
            "status": _STATUS[item.state],
            "severity": "error" if item.state == "alarm" else "warn",
            "actual": f"{statistic_title(item.statistic)} {item.value:.4f}",
            "expected": _by_chance(item),
        }
        for item in result.drift
    ]
    performance = result.performance
    tests.append(
        {
            "name": performance.metric,
            "status": _STATUS[performance.state],
            "severity": "error",
            "actual": "none" if performance.measured is None else f"{performance.measured:.6g}",
            "expected": performance.bound,
        }
    )
    return origin.events_for(
        row.model,
        Run(
            job=f"{row.model}.v{row.version}.judge",
            at=row.judged_at,
            inputs=(
                Port(
                    origin.measurements(row.model, row.version),
                    io=facets.read(kind="sha256", version=row.measurement),
                ),
            ),
            outputs=(
                Port(origin.monitoring(row.model, row.version), facets.version(row.measurement)),
            ),
            run_facets={
                **facets.tests(tests),
                **facets.drift(
                    model=row.model,
                    version=row.version,
                    batch=row.batch,
                    period=row.period,
                    state=row.state,
                    reasons=list(result.reasons),
                    kpi=result.kpi.sentence,
                ),
                **facets.nominal_time(row.window_start, row.window_end),
            },
            job_facets=facets.documentation(
                "Judges what was measured of a window: drift, performance and KPI."
            ),
        ),
    )


def _by_chance(drift: FeatureDrift) -> str:
    if drift.expected_by_chance is None:
        return "not known"
    return f"{drift.expected_by_chance:.4f} by chance"
