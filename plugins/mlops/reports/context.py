"""What each report is made of: one frozen context a report, of records and plain values only.

The report states of each optional value that is not given here that it is not known. It is never
left blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops.core.period import Period
from mlops.core.records import (
    CandidateResult,
    Check,
    Evaluation,
    GateResult,
    Metrics,
    MonitorResult,
)
from mlops.spec.model import DEFAULT_FORMAT, Feature, ModelSpec
from mlops.spec.policy import Policy


@dataclass(frozen=True)
class SeatView:
    """A seat that signs: its title, what its signature attests, and how many people it takes."""

    title: str
    attests: str
    required: int = 1


@dataclass(frozen=True)
class FeatureView:
    """One input of the model, as the contract has it."""

    name: str
    kind: str
    means: str | None
    expected: str


@dataclass(frozen=True)
class Subject:
    """What is asked for: the decision, the use, and who answers for it."""

    title: str
    decision: str
    use: str
    restrictions: tuple[str, ...]
    business_owner: str
    developer: str
    exposure: str
    purpose: str
    tier: str | None
    tier_reason: str | None
    seats: tuple[SeatView, ...]
    kpi: str
    kpi_target: str
    value_per_period: str | None
    review_months: int
    runbook: str | None


@dataclass(frozen=True)
class Identity:
    """Which bytes this is about. Every digest is a SHA-256 in 64 hex characters.

    :ivar criteria_registered_at: when the gates were written to the ledger, before training.
    :ivar code: library or factory by name, and its version or digest.
    :ivar ledger_head: ``SEQ:DIGEST`` of the ledger entry about what the report is about.
    """

    model: str
    version: int
    package_sha256: str
    spec_digest: str
    snapshot_digest: str
    criteria_digest: str
    criteria_registered_at: datetime | None
    made_at: datetime
    run_id: str | None
    code: tuple[tuple[str, str], ...] = ()
    ledger_head: str | None = None


@dataclass(frozen=True)
class DataWindow:
    """Rows of one window.

    :ivar labels: what is known of their labels; only the target knows its keys.
    """

    period: Period
    rows: int
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationContext:
    """Everything that the validation report shows.

    :ivar target: name of the target: what kind of label is predicted.
    :ivar label: name of the label's column.
    :ivar noun: what a row is, in the plural: ``flights``.
    :ivar sql: each query by the name of its file.
    :ivar champion: the live version's metrics on the same test rows, and its number.
    :ivar model_format: the format in which the model is packaged.
    :ivar trusted_types: types that the spec allows in the package beyond the curated list.
    :ivar missing_facts: what else the caller knows to be missing, one sentence each.
    :ivar limitations: what the spec states of the model's limits, one sentence each.
    """

    subject: Subject
    identity: Identity
    target: str
    label: str
    train: DataWindow
    test: DataWindow
    features: tuple[FeatureView, ...]
    sql: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    candidates: tuple[CandidateResult, ...]
    select_by: str
    gates: tuple[GateResult, ...]
    evaluation: Evaluation
    tables: tuple[str, ...] = ()
    champion: Metrics | None = None
    champion_version: int | None = None
    model_format: str = DEFAULT_FORMAT
    trusted_types: tuple[str, ...] = ()
    missing_facts: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    noun: str = "rows"


@dataclass(frozen=True)
class EvidenceContext:
    """What one seat reads beside the buttons: the validation, and what this signature attests.

    :ivar report: address of the whole report.
    :ivar answer_by: when the seat lapses.
    """

    validation: ValidationContext
    seat: SeatView
    report: str
    answer_by: datetime | None = None


@dataclass(frozen=True)
class WindowResult:
    """What was measured in one window."""

    period: Period
    result: MonitorResult


@dataclass(frozen=True)
class Action:
    """Something that may be done now, when it is the right thing, and how."""

    name: str
    when: str
    how: str


@dataclass(frozen=True)
class MonitoringContext:
    """Everything that the monitoring report shows of one version in one window.

    :ivar target: name of the target: what kind of label is predicted.
    :ivar label: name of the label's column.
    :ivar drift_statistic: the name of the statistic by which drift is measured.
    :ivar reference: the training window, which drift is measured against.
    :ivar validated: the metrics of the validation, for comparison.
    :ivar earlier: windows before this one in which this version was live, the oldest first.
    :ivar performance_bound: the number behind ``performance.bound``, for the picture.
    :ivar previous_version: the version to which one may roll back.
    :ivar actions: what may be done; the usual three where none are given.
    """

    title: str
    target: str
    label: str
    model: str
    version: int
    package_sha256: str
    made_at: datetime
    window: Period
    result: MonitorResult
    drift_statistic: str
    drift_warn: float
    drift_alarm: float
    drift_min_rows: int
    min_labels: int
    business_owner: str
    developer: str
    earlier: tuple[WindowResult, ...] = ()
    reference: DataWindow | None = None
    validated: Metrics | None = None
    performance_bound: float | None = None
    live_since: datetime | None = None
    previous_version: int | None = None
    runbook: str | None = None
    actions: tuple[Action, ...] = ()
    missing_facts: tuple[str, ...] = ()
    ledger_head: str | None = None
    noun: str = "rows"


def subject_of(spec: ModelSpec, policy: Policy) -> Subject:
    """What a spec asks for, with the tier and the seats that the policy gives it."""
    manage, tier = spec.manage, policy.tier(spec)
    seats = tuple(policy.seats[name] for name in tier.seats) if tier is not None else ()
    sign = "at least" if manage.kpi.better == "higher" else "at most"
    return Subject(
        title=spec.title,
        decision=manage.decision,
        use=manage.use,
        restrictions=manage.restrictions,
        business_owner=manage.business_owner,
        developer=manage.developer,
        exposure=manage.exposure,
        purpose=manage.purpose,
        tier=tier.name if tier is not None else None,
        tier_reason=tier.reason(spec) if tier is not None else None,
        seats=tuple(SeatView(seat.title, seat.attests, seat.required) for seat in seats),
        kpi=manage.kpi.name,
        kpi_target=f"{sign} {manage.kpi.target:,g} {manage.kpi.unit}",
        value_per_period=manage.value_per_period,
        review_months=manage.review_months,
        runbook=manage.runbook,
    )


def features_of(spec: ModelSpec) -> tuple[FeatureView, ...]:
    """The model's inputs, in the spec's order, each with what its contract expects."""
    return tuple(
        FeatureView(name, feature.kind, feature.means, _expected(feature))
        for name, feature in spec.develop.features.items()
    )


def _expected(feature: Feature) -> str:
    if feature.kind == "numeric":
        least = "" if feature.min is None else f"{feature.min:,g}"
        most = "" if feature.max is None else f"{feature.max:,g}"
        bounds = f"{least} to {most}" if least and most else least and f"≥ {least}"
        parts = [bounds or (most and f"≤ {most}") or "any number"]
    else:
        parts = [f"new names ≤ {100 * feature.max_unseen_share:g} %"]
    missing = feature.max_null_share
    parts.append(f"missing ≤ {100 * missing:g} %" if missing else "never missing")
    return "; ".join(parts)
