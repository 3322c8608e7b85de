"""Records as JSON, also as earlier versions wrote them."""

from __future__ import annotations

import json

import pytest

from mlops.core.records import (
    FeatureDrift,
    GateResult,
    KpiResult,
    MonitorResult,
    Performance,
    from_json,
    to_json,
)

DRIFT = FeatureDrift(
    feature="temp_f",
    state="alarm",
    statistic="psi",
    value=9.8,
    expected_by_chance=0.001,
    null_share=0.1,
    null_share_reference=0.0,
    unseen_share=0.2,
    mean_shift=1.5,
    rows=900,
)
RESULT = MonitorResult(
    state="alarm",
    rows=900,
    reasons=("temp_f has drifted",),
    drift=(DRIFT,),
    performance=Performance(
        state="ok", metric="auc", bound="≥ 0.7", measured=0.8, metrics=None, rows=900, labels=0
    ),
    kpi=KpiResult("k", "%", 30.0, "higher", None, None, "nothing yet"),
    rows_missing=3,
    by_rule=True,
)
EARLIER_DRIFT = {
    "feature": "temp_f",
    "state": "alarm",
    "psi": 9.8,
    "psi_expected_by_chance": 0.001,
    "null_share": 0.1,
    "null_share_reference": 0.0,
    "unseen_share": 0.2,
    "mean_shift": 1.5,
    "rows": 900,
}


def test_json_there_and_back():
    written = json.loads(json.dumps(to_json(RESULT)))
    assert written == to_json(RESULT)
    assert from_json(MonitorResult, written) == RESULT


def test_drift_as_earlier_versions_stored_it_is_the_same_record():
    assert from_json(FeatureDrift, EARLIER_DRIFT) == DRIFT
    earlier = {**to_json(RESULT), "drift": [EARLIER_DRIFT]}
    assert from_json(MonitorResult, earlier) == RESULT


@pytest.mark.parametrize(
    ("name", "bound", "kind", "metric", "column", "direction", "limit"),
    [
        ("auc", "≥ 0.75", "metric", "auc", None, "at_least", 0.75),
        ("brier", "≤ 1e-05", "metric", "brier", None, "at_most", 1e-05),
        ("auc by origin", "≥ 0.7", "slice", "auc", "origin", "at_least", 0.7),
        ("auc against champion", "≥ -0.01", "champion", "auc", None, "at_least", -0.01),
    ],
)
def test_a_gate_as_earlier_versions_stored_it_gets_its_structure(
    name, bound, kind, metric, column, direction, limit
):
    earlier = {"name": name, "bound": bound, "measured": 0.8, "passed": True, "note": "n"}
    found = from_json(GateResult, earlier)
    assert found == GateResult(name, bound, 0.8, True, "n", kind, metric, column, direction, limit)
    assert from_json(GateResult, to_json(found)) == found


def test_a_stored_key_keeps_its_name():
    assert to_json(RESULT)["rows_gone"] == 3
    earlier = {key: item for key, item in to_json(RESULT).items() if key != "rows_gone"}
    assert from_json(MonitorResult, earlier).rows_missing == 0


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="FeatureDrift has no field colour"):
        from_json(FeatureDrift, {**to_json(DRIFT), "colour": "red"})
    with pytest.raises(TypeError, match="missing 1 required"):
        from_json(FeatureDrift, {k: v for k, v in to_json(DRIFT).items() if k != "rows"})
