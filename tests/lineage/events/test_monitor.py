"""What is recorded of a version's monitoring, as governed runs."""

from __future__ import annotations

from mlops.lineage.events import monitor
from mlops.spec.load import Spec
from tests.lineage.events.conftest import EventsOf, facet, names, read, version
from tests.lineage.events.facts import (
    MEASUREMENT,
    MONITOR,
    ORIGIN,
    READING,
    RESULT,
    SNAPSHOT,
    batch,
    sha,
)


def test_a_window_is_measured_from_its_scores_and_its_outcomes(
    events_of: EventsOf, spec: Spec
) -> None:
    readings = [READING, READING]
    (event,) = events_of(
        monitor.window_measured(ORIGIN, MEASUREMENT, spec, batch(), SNAPSHOT, readings)
    )
    assert event["job"]["name"] == "churn.v4.measure"
    assert names(event, "inputs") == [
        "predictions/churn/versions/4",
        "snapshots/churn/bbbbbbbbbbbb",
        "shop.public.visits",
        "shop.sales.plans",
    ]
    assert read(event, 2)["version"] == "10:12:"
    assert read(event) == {"version_kind": "batch", "version": "churn/2026-01/v4#2", "rows": 50}
    assert read(event, 1)["version"] == SNAPSHOT.sha256
    assert names(event, "outputs") == ["measurements/churn/4"]
    assert version(event) == sha("d")
    assert facet(event, "nominalTime")["nominalStartTime"].startswith("2026-01-01")


def test_a_verdict_is_recorded_feature_by_feature(events_of: EventsOf) -> None:
    (event,) = events_of(monitor.window_judged(ORIGIN, MONITOR, RESULT))
    assert event["job"]["name"] == "churn.v4.judge"
    assert (names(event, "inputs"), read(event)["version"]) == (["measurements/churn/4"], sha("d"))
    assert (names(event, "outputs"), version(event)) == (["monitoring/churn/4"], sha("d"))
    age, plan, score, performance = facet(event, "test")["tests"]
    assert (age["name"], age["status"], age["severity"]) == ("drift of age", "fail", "error")
    assert (age["actual"], age["expected"]) == ("PSI 0.2500", "0.0100 by chance")
    assert (plan["status"], plan["severity"]) == ("fail", "warn")
    assert plan["expected"] == "not known"
    assert score["status"] == "pass"
    # Too few labels are no failure: it was not measured.
    assert (performance["name"], performance["status"]) == ("auc", "skip")
    assert (performance["actual"], performance["expected"]) == ("none", "≥ 0.65")
    found = facet(event, "mlops_drift")
    assert (found["state"], found["period"]) == ("alarm", "2026-01")
    assert found["reasons"] == ["age has drifted"]
    assert found["kpi"] == "12 customers were kept"
