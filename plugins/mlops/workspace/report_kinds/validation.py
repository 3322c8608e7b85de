"""The validation report of a version, which is what people sign on."""

from __future__ import annotations

from pathlib import Path

from mlops.core.period import Period
from mlops.core.records import (
    CandidateResult,
    Check,
    Evaluation,
    GateResult,
    Metrics,
    from_json,
)
from mlops.core.targets.target import Target, target_of
from mlops.lineage.events.datasets import Dataset, DatasetNames
from mlops.lineage.events.origin import Origin
from mlops.reports.context import (
    DataWindow,
    Identity,
    ValidationContext,
    features_of,
    subject_of,
)
from mlops.reports.validation import validation_report
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
from mlops.store.transaction import Transaction
from mlops.vocabulary import (
    VALIDATION_REPORT,
    LedgerAction,
    snapshot_subject,
    version_subject,
)
from mlops.workspace.report_kinds.kind import ReportAbout, ReportKind, ledger_entry_name
from mlops.workspace.workspace import registered_spec


class ValidationReport(ReportKind):
    """How a version did on its test rows, against criteria that were registered before training."""

    name = VALIDATION_REPORT
    title = "Validation report"
    after = LedgerAction.VERSION_PACKAGED

    def context(
        self, transaction: Transaction, about: ReportAbout, origin: Origin
    ) -> ValidationContext:
        """See :func:`validation_context`."""
        version = transaction.get(VersionRow, about.model, about.version)
        return validation_context(transaction, version, origin.names)

    def html(self, context: ValidationContext, overrides: Path) -> str:
        """See :func:`mlops.reports.validation.validation_report`."""
        return validation_report(context, templates=overrides)

    def sources(
        self, transaction: Transaction, about: ReportAbout, origin: Origin
    ) -> tuple[Dataset, ...]:
        """The evaluation of the version's training."""
        version = transaction.get(VersionRow, about.model, about.version)
        return (origin.validation(transaction.get(TrainingRow, version.training_id)),)


VALIDATION = ValidationReport()


def validation_context(
    transaction: Transaction, version: VersionRow, names: DatasetNames
) -> ValidationContext:
    """What the validation report and the evidence at the gates show of a version.

    Times and digests come from the recorded facts, so that the same version gives the same report.
    """
    spec = registered_spec(transaction, version.spec_digest)
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    training = transaction.get(TrainingRow, version.training_id)
    validation = transaction.get(ValidationRow, version.training_id, version.champion)
    champion = validation.champion_metrics
    evaluation = from_json(Evaluation, validation.evaluation)
    develop = spec.content.develop
    train, test = _windows(target_of(spec.content), snapshot, evaluation.metrics)
    return ValidationContext(
        subject=subject_of(spec.content, version.signing_policy),
        identity=_identity(transaction, version, snapshot, training),
        target=develop.target_name,
        label=develop.label,
        train=train,
        test=test,
        features=features_of(spec.content),
        sql=_queries(spec),
        checks=_checks(transaction, snapshot),
        candidates=tuple(from_json(CandidateResult, item) for item in training.candidates),
        select_by=develop.select_by,
        gates=tuple(from_json(GateResult, item) for item in validation.gates),
        evaluation=evaluation,
        tables=tuple(dataset.name for dataset in _tables(transaction, snapshot, names)),
        champion=from_json(Metrics, champion) if champion else None,
        champion_version=version.champion or None,
        model_format=develop.format_of(training.chosen),
        trusted_types=develop.trusted_types,
        limitations=spec.content.manage.limitations,
    )


def _windows(
    target: Target, snapshot: SnapshotRow, tested: Metrics
) -> tuple[DataWindow, DataWindow]:
    """The training and the test window with their rows and what is known of their labels."""
    train = DataWindow(
        period=Period(snapshot.train_start, snapshot.test_start),
        rows=snapshot.rows - tested.rows,
        labels=target.remaining_facts(snapshot.summary, snapshot.rows, tested),
    )
    test = DataWindow(
        period=Period(snapshot.test_start, snapshot.test_end),
        rows=tested.rows,
        labels=target.label_facts(tested),
    )
    return train, test


def _identity(
    transaction: Transaction, version: VersionRow, snapshot: SnapshotRow, training: TrainingRow
) -> Identity:
    return Identity(
        model=version.model,
        version=version.number,
        package_sha256=version.package_digest,
        spec_digest=version.spec_digest,
        snapshot_digest=snapshot.sha256,
        criteria_digest=version.criteria_digest,
        criteria_registered_at=transaction.get(SpecRow, version.spec_digest).registered_at,
        made_at=version.packaged_at,
        run_id=version.run["run_id"],
        code=tuple((name, str(value)) for name, value in sorted(training.code.items())),
        ledger_head=ledger_entry_name(
            transaction,
            action=LedgerAction.VERSION_PACKAGED,
            subject=version_subject(version.model, version.number),
        ),
    )


def _tables(
    transaction: Transaction, snapshot: SnapshotRow, names: DatasetNames
) -> tuple[Dataset, ...]:
    """The tables that the snapshot was read from, as the warehouse named them then."""
    readings = transaction.find(ReadingRow, subject=snapshot.id)
    if not readings:  # from before readings were recorded
        return names.tables_of(snapshot.query)
    first = min(readings, key=lambda row: row.read_at)
    return tuple(names.table(item["schema"], item["table"]) for item in first.content["tables"])


def _queries(spec: Spec) -> tuple[tuple[str, str], ...]:
    develop = spec.content.develop
    return tuple((name, spec.sql[name]) for name in (develop.features_sql, develop.outcomes_sql))


def _checks(transaction: Transaction, snapshot: SnapshotRow) -> tuple[Check, ...]:
    subject = snapshot_subject(snapshot.model, snapshot.id)
    found = transaction.find(CheckRow, subject=subject)
    if not found:
        return ()
    newest = max(found, key=lambda row: row.checked_at)
    return tuple(from_json(Check, item) for item in newest.checks)
