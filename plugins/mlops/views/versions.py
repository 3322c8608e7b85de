"""The versions of one model: what each was made of, how it did, who signed it, when it was live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from mlops.approvals.signatures import seats_needed
from mlops.core.period import Period
from mlops.core.records import CandidateResult, GateResult, Metrics, from_json
from mlops.store.tables import (
    DecisionRow,
    DeploymentRow,
    SnapshotRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)
from mlops.store.transaction import Transaction
from mlops.views.records import Report, Reports
from mlops.vocabulary import VALIDATION_REPORT


@dataclass(frozen=True)
class Signature:
    """A response to an approval request; ``refusal`` is the reason why one did not count."""

    seat: str
    title: str
    answer: str
    user: str
    reason: str
    method: str
    counted: bool
    refusal: str
    decided_at: datetime
    valid_until: datetime | None

    def expired(self, at: datetime) -> bool:
        """Whether it held once and no more at ``at``."""
        return self.valid_until is not None and self.valid_until <= at


@dataclass(frozen=True)
class Deployment:
    """A stretch of time in which a version was live; ``end`` is none for the one that is."""

    version: int
    action: str
    start: datetime
    end: datetime | None
    reason: str
    run_id: str
    triggered_by: str


@dataclass(frozen=True)
class Version:
    """A packaged version.

    :ivar state: ``live``, ``retired`` (was live), or never live: ``pending`` (newer than all that
        were) or ``superseded``.
    :ivar metrics: of the chosen candidate on the test rows.
    """

    number: int
    state: str
    package_digest: str
    spec_digest: str
    snapshot_digest: str
    criteria_digest: str
    packaged_at: datetime
    developer: str
    triggered_by: str
    tier: str
    tier_reason: str
    trained: Period
    tested: Period
    rows: int
    candidates: tuple[CandidateResult, ...]
    metrics: Metrics
    gates: tuple[GateResult, ...]
    signatures: tuple[Signature, ...]
    deployments: tuple[Deployment, ...]
    report: Report | None

    @property
    def chosen(self) -> CandidateResult:
        """The candidate that was packaged."""
        return next(candidate for candidate in self.candidates if candidate.chosen)


def deployments_of(transaction: Transaction, model: str) -> tuple[Deployment, ...]:
    """Every deployment of a model, the newest first; each ends where the next one begins."""
    rows = transaction.session.scalars(
        select(DeploymentRow).where(DeploymentRow.model == model).order_by(DeploymentRow.id.desc())
    )
    found: list[Deployment] = []
    for row in rows:
        found.append(
            Deployment(
                version=row.version,
                action=row.action,
                start=row.valid_from,
                end=found[-1].start if found else None,
                reason=row.reason,
                run_id=row.run.get("run_id", ""),
                triggered_by=row.run.get("triggered_by", ""),
            )
        )
    return tuple(found)


def versions_of(
    transaction: Transaction,
    model: str,
    *,
    deployments: Sequence[Deployment],
    reports: Reports,
    at_most: int,
) -> tuple[Version, ...]:
    """The newest versions of a model.

    :param deployments: all of the model's, from :func:`deployments_of`.
    :param reports: by version, from :func:`mlops.views.records.newest_reports`.
    """
    rows = transaction.session.execute(_query(model).limit(at_most)).all()
    newest = max((item.version for item in deployments), default=0)
    signatures = _signatures(transaction, model, {row[0].number: row[0] for row in rows})
    return tuple(
        _version(
            row,
            live=[item for item in deployments if item.version == row[0].number],
            newest=newest,
            signatures=signatures.get(row[0].number, ()),
            report=reports.get((model, row[0].number, VALIDATION_REPORT, "")),
        )
        for row in rows
    )


def _query(model: str) -> Any:
    """Versions with what made them; of the large documents only the parts that are shown."""
    return (
        select(
            VersionRow,
            SnapshotRow.sha256,
            SnapshotRow.rows,
            SnapshotRow.train_start,
            SnapshotRow.test_start,
            SnapshotRow.test_end,
            TrainingRow.candidates,
            ValidationRow.gates,
            ValidationRow.evaluation["metrics"].label("metrics"),
        )
        .join(SnapshotRow, SnapshotRow.id == VersionRow.snapshot_id)
        .join(TrainingRow, TrainingRow.id == VersionRow.training_id)
        .join(
            ValidationRow,
            (ValidationRow.training_id == VersionRow.training_id)
            & (ValidationRow.champion == VersionRow.champion),
        )
        .where(VersionRow.model == model)
        .order_by(VersionRow.number.desc())
    )


def _version(
    row: Row[Any],
    *,
    live: Sequence[Deployment],
    newest: int,
    signatures: Sequence[Signature],
    report: Report | None,
) -> Version:
    version: VersionRow = row[0]
    return Version(
        number=version.number,
        state=_state(version.number, live, newest),
        package_digest=version.package_digest,
        spec_digest=version.spec_digest,
        snapshot_digest=row.sha256,
        criteria_digest=version.criteria_digest,
        packaged_at=version.packaged_at,
        developer=version.developer,
        triggered_by=version.triggered_by,
        tier=version.tier,
        tier_reason=version.tier_reason,
        trained=Period(row.train_start, row.test_start),
        tested=Period(row.test_start, row.test_end),
        rows=row.rows,
        candidates=tuple(from_json(CandidateResult, item) for item in row.candidates),
        metrics=from_json(Metrics, row.metrics),
        gates=tuple(from_json(GateResult, item) for item in row.gates),
        signatures=tuple(signatures),
        deployments=tuple(live),
        report=report,
    )


def _state(number: int, live: Sequence[Deployment], newest: int) -> str:
    if live:
        return "live" if live[0].end is None else "retired"
    return "pending" if number > newest else "superseded"


def _signatures(
    transaction: Transaction, model: str, versions: Mapping[int, VersionRow]
) -> dict[int, list[Signature]]:
    """The answers to some versions, by version, in the order in which they were given."""
    rows = transaction.session.scalars(
        select(DecisionRow)
        .where(DecisionRow.model == model, DecisionRow.version.in_(versions))
        .order_by(DecisionRow.decided_at, DecisionRow.id)
    )
    titles = {
        number: {name: seat.title for name, seat in seats_needed(row).items()}
        for number, row in versions.items()
    }
    found: dict[int, list[Signature]] = {}
    for row in rows:
        found.setdefault(row.version, []).append(
            Signature(
                seat=row.seat,
                title=titles[row.version].get(row.seat, row.seat),
                answer=row.answer,
                user=row.user_name,
                reason=row.reason,
                method=row.method,
                counted=row.counted,
                refusal=row.refusal,
                decided_at=row.decided_at,
                valid_until=row.valid_until,
            )
        )
    return found
