"""Recorded facts of a model ``churn``, as rows that no database has seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlops.core.records import (
    FeatureDrift,
    KpiResult,
    MonitorResult,
    Performance,
    State,
    to_json,
)
from mlops.lineage.events.datasets import DatasetNames
from mlops.lineage.events.origin import Origin
from mlops.store.tables import (
    BatchRow,
    CheckRow,
    DecisionRow,
    DeploymentRow,
    MeasurementRow,
    MonitorRow,
    ReadingRow,
    ReportRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)
from mlops.warehouse.records import Address

RUN = {
    "dag_id": "churn_release",
    "run_id": "manual-1",
    "task_id": "step",
    "try_number": 2,
    "map_index": -1,
    "triggered_by": "dora",
}
ORIGIN = Origin(
    names=DatasetNames(
        warehouse=Address(
            "postgres", "db:5432", "shop", dialect="postgres", state_kind="pg_snapshot"
        ),
        store_place="db:5432/mlops",
    ),
    namespace="mlops-test",
    run=RUN,
)
OURS, TABLES = "mlops://db:5432/mlops", "postgres://db:5432"
AT = datetime(2026, 3, 14, 1, 59, 26, tzinfo=UTC)
START, MIDDLE, END = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


def sha(digit: int | str) -> str:
    """A digest that is easy to tell from others."""
    return str(digit) * 64


SPEC_DIGEST, SNAPSHOT_ID, TRAINING_ID = sha("a"), sha("b"), sha("c")

SPEC = SpecRow(
    digest=SPEC_DIGEST, model="churn", criteria_digest=sha(1), content={}, registered_at=AT
)

READING = ReadingRow(
    digest=sha(2),
    subject=SNAPSHOT_ID,
    model="churn",
    content={
        "query_sha256": sha(3),
        "snapshot": "10:12:",
        "lsn": "0/1A",
        "tables": [
            {
                "schema": "public",
                "table": "visits",
                "kind": "table",
                "columns": [["customer", "bigint"], ["amount", "numeric"], ["plan", "text"]],
                "used": ["amount", "plan"],
            },
            {
                "schema": "sales",
                "table": "plans",
                "kind": "view",
                "columns": [["plan", "text"]],
                "used": [],
            },
        ],
        "columns": {
            "age": [["public", "visits", "amount", "DIRECT", "AGGREGATION", "sum(amount)"]],
            "plan": [["public", "visits", "plan", "DIRECT", "IDENTITY", "plan"]],
            "gone": [],
        },
        "rows": [["sales", "plans", "plan", "INDIRECT", "JOIN", ""]],
        "unknown": [],
    },
    read_at=AT,
)

SNAPSHOT = SnapshotRow(
    id=SNAPSHOT_ID,
    model="churn",
    spec_digest=SPEC_DIGEST,
    sha256=sha(4),
    rows=100,
    bytes=2_048,
    train_start=START,
    test_start=MIDDLE,
    test_end=END,
    query="SELECT 1",
    columns=[
        {"name": "age", "type": "double precision"},
        {"name": "plan", "type": "text"},
        {"name": "gone", "type": "boolean"},
    ],
    summary={},
    taken_at=AT,
)

CHECKS = [
    {"name": "enough rows", "passed": True, "found": "100", "expected": "≥ 10", "subject": None},
    {"name": "in range", "passed": False, "found": "130", "expected": "≤ 120", "subject": "age"},
]


def checks(subject: str) -> CheckRow:
    """One check that passed and one that did not."""
    return CheckRow(digest=sha(5), subject=subject, passed=False, checks=CHECKS, checked_at=AT)


TRAINING = TrainingRow(
    id=TRAINING_ID,
    model="churn",
    spec_digest=SPEC_DIGEST,
    snapshot_id=SNAPSHOT_ID,
    criteria_digest=sha(1),
    candidates=[
        {
            "name": "line",
            "technique": "sklearn.linear_model.LogisticRegression",
            "params": [["C", "0.1"]],
            "metrics": {"auc": 0.8, "rows": 30, "calibration_error": None},
            "chosen": True,
        },
        {"name": "tree", "technique": "tree", "params": [], "metrics": {}, "chosen": False},
    ],
    chosen="line",
    model_sha256=sha(6),
    encoder={},
    code={"python": "3.11", "git": "none"},
    trained_at=AT,
)

VALIDATION = ValidationRow(
    training_id=TRAINING_ID,
    champion=3,
    model="churn",
    evaluation={"metrics": {"auc": 0.81, "brier": float("nan"), "note": "text"}},
    gates=[
        {"name": "auc", "passed": True, "bound": "≥ 0.7", "measured": 0.8123456789, "note": ""},
        {"name": "brier", "passed": False, "bound": "≤ 0.1", "measured": None, "note": "too few"},
    ],
    passed=False,
    champion_metrics=None,
    validated_at=AT,
)

VERSION = VersionRow(
    model="churn",
    number=4,
    package_digest=sha(7),
    training_id=TRAINING_ID,
    champion=3,
    spec_digest=SPEC_DIGEST,
    snapshot_id=SNAPSHOT_ID,
    criteria_digest=sha(1),
    policy={},
    tier="low",
    tier_reason="exposure is low",
    developer="sam",
    triggered_by="dora",
    run=RUN,
    packaged_at=AT,
)

REPORT = ReportRow(
    sha256=sha(8),
    kind="validation",
    model="churn",
    version=4,
    period="",
    location="s3://models/reports/churn/v4/validation-88888888.html",
    written_at=AT,
)


def decision(**changes: Any) -> DecisionRow:
    """An approval of the version."""
    return DecisionRow(
        **{
            "id": sha(9),
            "gate": "g",
            "model": "churn",
            "version": 4,
            "seat": "owner",
            "answer": "Approve",
            "user_id": "bea",
            "user_name": "Bea",
            "reason": "as the report says",
            "method": "required_action",
            "counted": True,
            "refusal": "",
            "package_digest": sha(7),
            "spec_digest": SPEC_DIGEST,
            "snapshot_digest": sha(4),
            "evidence_digest": sha(8),
            "criteria_digest": sha(1),
            "run": RUN,
            "decided_at": AT,
            "valid_until": None,
            **changes,
        }
    )


DEPLOYMENT = DeploymentRow(
    key="k",
    model="churn",
    version=4,
    action="deploy",
    package_digest=sha(7),
    reason="release manual-1",
    actor="task:churn_release.deploy",
    run=RUN,
    valid_from=AT,
)


def batch(*, by_rule: bool = False) -> BatchRow:
    """January, scored by the version or its rule and published a second time."""
    name = "churn/2026-01/v4/rule" if by_rule else "churn/2026-01/v4"
    return BatchRow(
        id=f"{name}#2",
        model="churn",
        version=4,
        package_digest="" if by_rule else sha(7),
        window_start=START,
        window_end=MIDDLE,
        rows=50,
        summary={"unseen": {"plan": 3, "age": 1}, "by_rule": by_rule},
        run=RUN,
        published_at=AT,
    )


MEASUREMENT = MeasurementRow(
    digest=sha("d"), model="churn", version=4, batch=batch().id, content={}, measured_at=AT
)


def drift(feature: str, state: State, by_chance: float | None) -> FeatureDrift:
    """How far a feature is from its reference."""
    return FeatureDrift(
        feature=feature,
        state=state,
        statistic="psi",
        value=0.25,
        expected_by_chance=by_chance,
        null_share=0.0,
        null_share_reference=0.0,
        unseen_share=0.0,
        mean_shift=None,
        rows=50,
    )


RESULT = MonitorResult(
    state="alarm",
    rows=50,
    reasons=("age has drifted",),
    drift=(drift("age", "alarm", 0.01), drift("plan", "warn", None), drift("score", "ok", 0.02)),
    performance=Performance(
        state="not_enough_data",
        metric="auc",
        bound="≥ 0.65",
        measured=None,
        metrics=None,
        rows=50,
        labels=0,
    ),
    kpi=KpiResult("kept", "customers", 10.0, "higher", 12.0, True, "12 customers were kept"),
)

MONITOR = MonitorRow(
    measurement=sha("d"),
    model="churn",
    version=4,
    batch=batch().id,
    period="2026-01",
    window_start=START,
    window_end=MIDDLE,
    state="alarm",
    result=to_json(RESULT),
    judged_at=AT,
)
