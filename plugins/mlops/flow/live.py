"""Which version is live, and its package, checked against the bytes that were signed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
from sqlalchemy import select

from mlops.core.package import LoadedModel, load_model, read
from mlops.errors import MlopsError, PredictionError, RecordMissing
from mlops.flow.workspace import Workspace
from mlops.store.connect import Transaction
from mlops.store.tables import DeploymentRow, VersionRow

Predict = Callable[[np.ndarray], np.ndarray]


def current_deployment(
    transaction: Transaction, model: str, *, as_of: datetime | None = None
) -> DeploymentRow | None:
    """The deployment in force, now or as of a past moment; none before the first."""
    query = select(DeploymentRow).where(DeploymentRow.model == model)
    if as_of is not None:
        query = query.where(DeploymentRow.valid_from <= as_of)
    return transaction.session.scalars(query.order_by(DeploymentRow.id.desc()).limit(1)).first()


def live_version(
    transaction: Transaction, model: str, *, as_of: datetime | None = None
) -> VersionRow | None:
    """The version that scores, now or as of a past moment; none before the first deployment."""
    deployment = current_deployment(transaction, model, as_of=as_of)
    return None if deployment is None else transaction.get(VersionRow, model, deployment.version)


def needed_live_version(transaction: Transaction, model: str) -> VersionRow:
    """The version that scores now.

    :raises RecordMissing: nothing was deployed yet.
    """
    version = live_version(transaction, model)
    if version is None:
        raise RecordMissing(
            f"{model} has no live version",
            found="no deployment",
            expected=f"a release that was signed and deployed ({model}_release)",
            action=f"trigger {model}_release, have it signed, then run this again",
        )
    return version


def live_package(workspace: Workspace, version: VersionRow) -> LoadedModel:
    """Load a version's model; its bytes must be the ones whose digest was signed.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: nothing is constructed then.
    """
    spec = workspace.spec(version.spec_digest)
    contents = read(
        workspace.artifacts.read(version.package_digest), expected_digest=version.package_digest
    )
    return load_model(contents, trusted=spec.content.develop.trusted_types)


def naming_the_model(predict: Predict, version: VersionRow) -> Predict:
    """The same predictions; whatever an estimator raises becomes an error that names the version.

    An estimator that was fitted on rows without a gap may refuse rows with one.
    """

    def named(matrix: np.ndarray) -> np.ndarray:
        try:
            return predict(matrix)
        except MlopsError:
            raise
        except Exception as error:  # whatever a user's estimator raises, the reader needs its name
            raise PredictionError(
                f"{version.model} v{version.number} cannot score these rows",
                found=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
                expected="a score for every row that keeps the contract",
                action="let the contract refuse such rows (max_null_share, min, max), or release "
                "a version that imputes them",
            ) from error

    return named
