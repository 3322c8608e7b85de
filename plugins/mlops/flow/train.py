"""Develop: fit every candidate on the same rows with the same seed, and keep all results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

from mlops.core.artifact.formats import MODEL_FORMATS
from mlops.core.encode import FeatureEncoder
from mlops.core.estimator import build, code_facts, technique
from mlops.core.records import CandidateResult, to_json
from mlops.core.table import Rows, split_by_time
from mlops.core.targets.selection import best_index
from mlops.core.targets.target import Estimator, target_of
from mlops.digests import digest_json
from mlops.errors import ArtifactRefused, PredictionError, TrainingError
from mlops.lineage.events.develop import model_trained
from mlops.spec.load import Spec
from mlops.spec.model import Candidate
from mlops.store.tables import SnapshotRow, TrainingRow
from mlops.vocabulary import LedgerAction, training_subject
from mlops.workspace.results import Training
from mlops.workspace.workspace import Workspace, now


def train(workspace: Workspace, *, snapshot_id: str) -> Training:
    """Fit the candidates on the training periods and compare them on the test periods.

    Trained once for a spec, a snapshot and the code at hand: run again, the recorded training
    is returned.

    :raises TrainingError: an estimator cannot be built, fitted or packaged; it is named.
    """
    with workspace.store.transaction() as transaction:
        snapshot = transaction.get(SnapshotRow, snapshot_id)
    spec = workspace.spec(snapshot.spec_digest)
    code = code_facts(spec.content.develop.candidates)
    training_id = digest_json({"spec": spec.digest, "snapshot": snapshot_id, "code": code})
    with workspace.store.transaction() as transaction:
        known = transaction.find(TrainingRow, id=training_id)
    if known:
        row = known[0]
        workspace.emit(model_trained(workspace.origin, row, snapshot, spec))
    else:
        row = _fit(workspace, spec, snapshot, training_id, code)
    results = [result for result in row.candidates if result["chosen"]]
    return Training(
        training_id=training_id,
        chosen=row.chosen,
        candidates=len(row.candidates),
        measured=results[0]["metrics"][spec.content.develop.select_by],
    )


def _fit(
    workspace: Workspace,
    spec: Spec,
    snapshot: SnapshotRow,
    training_id: str,
    code: dict[str, object],
) -> TrainingRow:
    develop = spec.content.develop
    with workspace.scratch() as folder:
        train_rows, test_rows = split_by_time(
            workspace.artifacts.fetch(snapshot.sha256, folder),
            time=develop.time,
            label=develop.label,
            test_start=snapshot.test_start,
            target=target_of(spec.content),
        )
    encoder = FeatureEncoder.fit(develop.features, train_rows.table)
    # All are built before the first one is fitted: an hour's fit is not wasted on a typing error.
    built = [(candidate, _build(spec, candidate, encoder)) for candidate in develop.candidates]
    fitted = [
        (_fit_and_measure(spec, candidate, estimator, encoder, train_rows, test_rows), estimator)
        for candidate, estimator in built
    ]
    best = best_index(
        target_of(spec.content), develop.select_by, [result.metrics for result, _ in fitted]
    )
    results = [replace(result, chosen=index == best) for index, (result, _) in enumerate(fitted)]
    chosen, estimator = develop.candidates[best], fitted[best][1]
    data = MODEL_FORMATS.get(chosen.format).dump(estimator)
    sha256 = workspace.artifacts.put_bytes(data)
    row = TrainingRow(
        id=training_id,
        model=spec.model,
        spec_digest=spec.digest,
        snapshot_id=snapshot.id,
        criteria_digest=spec.criteria_digest,
        candidates=[to_json(result) for result in results],
        chosen=chosen.name,
        model_sha256=sha256,
        encoder=encoder.to_json(),
        code=code,
        trained_at=now(),
    )
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.MODEL_TRAINED,
            subject=training_subject(spec.model, training_id),
            payload={
                "training": training_id,
                "snapshot": snapshot.id,
                "criteria": spec.criteria_digest,
                "chosen": row.chosen,
                "model_sha256": sha256,
                "run": workspace.run.to_json(),
            },
            lineage=workspace.emit(model_trained(workspace.origin, row, snapshot, spec)),
        )
    return row


def _build(spec: Spec, candidate: Candidate, encoder: FeatureEncoder) -> Estimator:
    """Make an unfitted estimator that its format does not refuse."""
    estimator = build(
        candidate,
        encoder.features,
        seed=spec.content.develop.seed,
        target=target_of(spec.content),
    )
    trusted = spec.content.develop.trusted_types
    with _packaging(candidate):
        MODEL_FORMATS.get(candidate.format).require_packable(estimator, trusted=trusted)
    return estimator


def _fit_and_measure(
    spec: Spec,
    candidate: Candidate,
    estimator: Estimator,
    encoder: FeatureEncoder,
    train_rows: Rows,
    test_rows: Rows,
) -> CandidateResult:
    """Fit one candidate and measure it; it is written and read back, as deployment will."""
    target = target_of(spec.content)
    started = perf_counter()
    try:
        estimator.fit(encoder.encode_table(train_rows.table), train_rows.label)
        scores = target.predict(estimator, encoder.encode_table(test_rows.table))
        target.require_scores(scores, rows=len(test_rows.label), what="the test rows")
    except PredictionError as error:
        raise TrainingError(
            f"{_name_of(candidate)} cannot be used: {error.what}",
            found=error.found,
            expected=error.expected,
            action="bound the features in the contract, or choose another estimator",
        ) from error
    except Exception as error:  # for any error of a user's estimator, the reader needs its name
        raise TrainingError(
            f"{_name_of(candidate)} could not be fitted",
            found=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            expected=f"an estimator with fit and {' and '.join(target.predicts_with)} for a "
            "numeric matrix with NaN",
            action="correct its params in the spec, or wrap it in a factory that imputes",
        ) from error
    seconds = perf_counter() - started
    model_format = MODEL_FORMATS.get(candidate.format)
    with _packaging(candidate):
        model_format.load(model_format.dump(estimator), trusted=spec.content.develop.trusted_types)
    return CandidateResult(
        name=candidate.name,
        technique=technique(candidate),
        params=tuple(sorted((key, str(value)) for key, value in candidate.params.items())),
        metrics=target.measure(test_rows.label, scores),
        fit_seconds=round(seconds, 2),
        chosen=False,
    )


@contextmanager
def _packaging(candidate: Candidate) -> Iterator[None]:
    """Name the candidate in what its format refuses."""
    try:
        yield
    except (ArtifactRefused, TrainingError) as error:
        raise TrainingError(
            f"{_name_of(candidate)} cannot be packaged: {error.what}",
            found=error.found,
            expected=error.expected,
            action=error.action,
        ) from error


def _name_of(candidate: Candidate) -> str:
    return f"candidate '{candidate.name}' ({technique(candidate)})"
