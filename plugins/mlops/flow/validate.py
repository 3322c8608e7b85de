"""Develop: measure the chosen candidate against the criteria registered before training."""

from __future__ import annotations

from dataclasses import replace

from mlops.core.acceptance.criterion import Evidence
from mlops.core.acceptance.judge import all_passed, gate_error, judge_gates
from mlops.core.encode import FeatureEncoder
from mlops.core.records import Metrics, to_json
from mlops.core.table import Rows, split_by_time
from mlops.core.targets.evaluate import evaluate
from mlops.core.targets.target import target_of
from mlops.errors import DataRefused, PredictionError
from mlops.flow.deployments import live_version
from mlops.flow.load_version import load_trained, load_version, with_version_in_errors
from mlops.lineage.events.develop import model_validated
from mlops.spec.load import Spec
from mlops.store.tables import SnapshotRow, TrainingRow, ValidationRow
from mlops.vocabulary import LedgerAction, training_subject
from mlops.workspace.results import Validation
from mlops.workspace.workspace import Workspace, now


def validate(workspace: Workspace, *, training_id: str) -> Validation:
    """Evaluate on the test rows, compare with the live version, and judge every gate.

    :raises GateFailed: with every gate that was missed; the verdict is recorded first.
    """
    with workspace.store.transaction() as transaction:
        training = transaction.get(TrainingRow, training_id)
        snapshot = transaction.get(SnapshotRow, training.snapshot_id)
    spec = workspace.spec(training.spec_digest)
    test_rows = _test_rows(workspace, spec, snapshot)
    evidence = _measure(workspace, spec, training, test_rows)
    champion, champion_metrics = _champion(workspace, spec, training, test_rows)
    evidence = replace(evidence, champion=champion_metrics)
    gates = judge_gates(spec.content.develop.gates, evidence)
    row = ValidationRow(
        training_id=training_id,
        champion=champion,
        model=spec.model,
        evaluation=to_json(evidence.evaluation),
        gates=[to_json(gate) for gate in gates],
        passed=all_passed(gates),
        champion_metrics=to_json(champion_metrics) if champion_metrics else None,
        validated_at=now(),
    )
    _record(workspace, row, training, snapshot, spec)
    if not row.passed:
        raise gate_error(f"{spec.model}: training {training_id[:12]}", gates)
    return Validation(training_id=training_id, champion=champion, gates=len(gates))


def _measure(workspace: Workspace, spec: Spec, training: TrainingRow, test_rows: Rows) -> Evidence:
    """What the gates judge of the trained model; the champion's metrics are not among it yet."""
    encoder = FeatureEncoder.from_json(training.encoder)
    estimator = load_trained(workspace, spec, training)
    target = target_of(spec.content)
    matrix = encoder.encode_table(test_rows.table)
    scores = target.predict(estimator, matrix)
    evaluation = evaluate(
        target,
        labels=test_rows.label,
        scores=scores,
        matrix=matrix,
        names=[feature.name for feature in encoder.features],
        predict=lambda changed: target.predict(estimator, changed),
        deploy=spec.content.deploy,
        slices={name: test_rows.table[name] for name in spec.content.develop.measured_slices},
        seed=spec.content.develop.seed,
    )
    return Evidence(
        target=target,
        evaluation=evaluation,
        champion=None,
        rows=test_rows,
        scores=scores,
        predict=lambda rows: target.predict(estimator, encoder.encode_table(rows)),
    )


def _record(
    workspace: Workspace,
    row: ValidationRow,
    training: TrainingRow,
    snapshot: SnapshotRow,
    spec: Spec,
) -> None:
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.MODEL_VALIDATED,
            subject=training_subject(spec.model, row.training_id),
            payload={
                "training": row.training_id,
                "champion": row.champion,
                "criteria": spec.criteria_digest,
                "passed": row.passed,
                "gates": row.gates,
            },
            lineage=workspace.emit(
                model_validated(workspace.origin, row, training, snapshot, spec)
            ),
        )


def _test_rows(workspace: Workspace, spec: Spec, snapshot: SnapshotRow) -> Rows:
    develop = spec.content.develop
    with workspace.scratch() as folder:
        _, test_rows = split_by_time(
            workspace.artifacts.fetch(snapshot.sha256, folder),
            time=develop.time,
            label=develop.label,
            test_start=snapshot.test_start,
            target=target_of(spec.content),
        )
    return test_rows


def _champion(
    workspace: Workspace, spec: Spec, training: TrainingRow, test_rows: Rows
) -> tuple[int, Metrics | None]:
    """The champion's number and its metrics on the same rows; 0 where none was live.

    The champion is the version that was live when this one was trained, so that a validation that
    is run again months later is the same one, and no version competes with itself.

    :raises DataRefused: the live version cannot score these rows, and a gate asks for it: a
        comparison that could not be made is not one that was won.
    """
    with workspace.store.transaction() as transaction:
        live = live_version(transaction, spec.model, as_of=training.trained_at)
    if live is None:
        return 0, None
    package = load_version(workspace, live)
    try:
        matrix = package.contents.encoder.encode_table(test_rows.table)
        scores = with_version_in_errors(package.predict, live)(matrix)
        measured = target_of(spec.content).measure(test_rows.label, scores)
    except (DataRefused, PredictionError) as error:
        if not any(gate.against for gate in spec.content.develop.gates):
            return live.number, None
        raise DataRefused(
            f"{spec.model}: a gate compares with the live version {live.number}, which cannot "
            "score the new test rows",
            found=str(error),
            expected="rows with all that the live version was trained on",
            action="keep its columns in the features SQL for this release, or take the gate "
            "against the champion out of the spec, which its approvers will see",
        ) from error
    return live.number, measured
