"""Develop: everything that will run, in one file with one digest. People sign that digest."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlalchemy import func, select

from mlops.core.artifact.package import PackageParts, build
from mlops.core.drift.statistic import DRIFT_STATISTICS
from mlops.core.encode import FeatureEncoder
from mlops.core.profiler import reference_profile
from mlops.core.records import Metrics, from_json
from mlops.core.table import Rows, split_by_time
from mlops.core.targets.target import target_of
from mlops.flow.load_version import load_trained
from mlops.lineage.events.develop import version_packaged
from mlops.reports.card import model_card
from mlops.spec.load import Spec, tier_of
from mlops.store.tables import SnapshotRow, TrainingRow, ValidationRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import LedgerAction, version_subject
from mlops.workspace.results import Packaged
from mlops.workspace.workspace import Workspace, now

GOLDEN_ROWS = 40


def package(workspace: Workspace, *, training_id: str, champion: int) -> Packaged:
    """Build the model package and give it a version number.

    A training that was packaged already keeps its version. The step builds the package again, which
    brings back a file that was lost. A later release of this library may word the model card
    otherwise; the recorded version then stays, provided that its package is whole.

    :param champion: the version that validation compared with; 0 for none.
    """
    with workspace.store.transaction() as transaction:
        training = transaction.get(TrainingRow, training_id)
        snapshot = transaction.get(SnapshotRow, training.snapshot_id)
        validation = transaction.get(ValidationRow, training_id, champion)
        known = transaction.find(VersionRow, training_id=training_id, champion=champion)
    spec = workspace.spec(training.spec_digest)
    built = build(_parts(workspace, spec, snapshot, training, validation))
    if known and known[0].package_digest != built.digest:
        row = known[0]
        workspace.artifacts.verify(row.package_digest)
        workspace.emit(version_packaged(workspace.origin, row, training, snapshot, spec))
    else:
        workspace.artifacts.put_bytes(built.data)
        row = _record(workspace, spec, snapshot, training, validation, built.digest)
    return Packaged(
        model=row.model,
        version=row.number,
        package_digest=row.package_digest,
        tier=row.tier,
    )


def _record(
    workspace: Workspace,
    spec: Spec,
    snapshot: SnapshotRow,
    training: TrainingRow,
    validation: ValidationRow,
    digest: str,
) -> VersionRow:
    """Record the package as a version."""
    policy = workspace.include.policy(spec.content.deploy.policy)
    tier = tier_of(spec.content, policy)
    with workspace.store.transaction() as transaction:
        number = _number(transaction, spec.model, digest)
        row = VersionRow(
            model=spec.model,
            number=number,
            package_digest=digest,
            training_id=training.id,
            champion=validation.champion,
            spec_digest=spec.digest,
            snapshot_id=snapshot.id,
            criteria_digest=training.criteria_digest,
            policy=policy.model_dump(mode="json"),
            tier=tier.name,
            tier_reason=tier.reason(spec.content),
            developer=spec.content.manage.developer,
            triggered_by=workspace.run.triggered_by,
            run=workspace.run.to_json(),
            packaged_at=now(),
        )
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.VERSION_PACKAGED,
            subject=version_subject(spec.model, number),
            payload={
                "package": digest,
                "training": training.id,
                "spec": spec.digest,
                "snapshot": snapshot.id,
                "criteria": training.criteria_digest,
                "tier": tier.name,
                "developer": row.developer,
                "triggered_by": row.triggered_by,
                "run": workspace.run.to_json(),
            },
            lineage=workspace.emit(
                version_packaged(workspace.origin, row, training, snapshot, spec)
            ),
        )
    return row


def _number(transaction: Transaction, model: str, digest: str) -> int:
    """The number that this package has, or the model's next one; numbers are given in turn."""
    transaction.advisory_lock(f"mlops.version.{model}")
    known = transaction.find(VersionRow, model=model, package_digest=digest)
    if known:
        return known[0].number
    highest = transaction.session.scalar(
        select(func.max(VersionRow.number)).where(VersionRow.model == model)
    )
    return (highest or 0) + 1


def _parts(
    workspace: Workspace,
    spec: Spec,
    snapshot: SnapshotRow,
    training: TrainingRow,
    validation: ValidationRow,
) -> PackageParts:
    develop = spec.content.develop
    with workspace.scratch() as folder:
        train_rows, test_rows = split_by_time(
            workspace.artifacts.fetch(snapshot.sha256, folder),
            time=develop.time,
            label=develop.label,
            test_start=snapshot.test_start,
            target=target_of(spec.content),
        )
    target = target_of(spec.content)
    encoder = FeatureEncoder.from_json(training.encoder)
    estimator = load_trained(workspace, spec, training)
    scores = target.predict(estimator, encoder.encode_table(test_rows.table))
    golden = encoder.encode_table(_golden(test_rows))
    statistic = DRIFT_STATISTICS.get(spec.content.monitor.drift.statistic_name)
    return PackageParts(
        model=spec.model,
        model_bytes=workspace.artifacts.read(training.model_sha256),
        model_format=develop.format_of(training.chosen),
        encoder=encoder,
        schema=[column for column in snapshot.columns if column["name"] != develop.label],
        spec=spec.to_json(),
        golden_inputs=golden,
        golden_outputs=target.predict(estimator, golden),
        reference=reference_profile(
            train_rows.table, scores, encoder, bins=statistic.bins
        ).to_json(),
        card=model_card(spec, from_json(Metrics, validation.evaluation["metrics"])),
        code=training.code,
        facts={
            "training": training.id,
            "snapshot_sha256": snapshot.sha256,
            "spec": spec.digest,
            "criteria": training.criteria_digest,
        },
    )


def _golden(rows: Rows) -> pa.Table:
    """Rows spread evenly over the test periods, the same ones each time."""
    picked = np.unique(np.linspace(0, rows.table.num_rows - 1, GOLDEN_ROWS).astype(int))
    return rows.table.take(pa.array(picked))
