"""A version's package, checked against the bytes that were signed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlops.core.artifact.package import LoadedModel, load_model, read
from mlops.errors import MlopsError, PredictionError
from mlops.store.tables import VersionRow
from mlops.workspace.workspace import Workspace

Predict = Callable[[np.ndarray], np.ndarray]


def load_version(workspace: Workspace, version: VersionRow) -> LoadedModel:
    """Load a version's model; its bytes must be the ones whose digest was signed.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: nothing is constructed then.
    """
    spec = workspace.spec(version.spec_digest)
    contents = read(
        workspace.artifacts.read(version.package_digest), expected_digest=version.package_digest
    )
    return load_model(contents, trusted=spec.content.develop.trusted_types)


def with_version_in_errors(predict: Predict, version: VersionRow) -> Predict:
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
