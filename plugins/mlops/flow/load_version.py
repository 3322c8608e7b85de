"""Models out of the artifacts: what a training chose, and what a version's package holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlops.core.artifact.manifest import read_reference
from mlops.core.profiles import Profile
from mlops.errors import MlopsError, PredictionError
from mlops.spec.load import Spec
from mlops.store.tables import TrainingRow, VersionRow
from mlops.workspace.workspace import Workspace

# What a model needs is imported where a model is read: most steps need none.
if TYPE_CHECKING:
    import numpy as np

    from mlops.core.artifact.package import LoadedModel, PackageContents
    from mlops.core.targets.target import Estimator

    Predict = Callable[[np.ndarray], np.ndarray]


def load_trained(workspace: Workspace, spec: Spec, training: TrainingRow) -> Estimator:
    """Load the estimator that a training chose.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: nothing is constructed then.
    """
    from mlops.core.artifact.formats import MODEL_FORMATS

    return MODEL_FORMATS.get(spec.content.develop.format_of(training.chosen)).load(
        workspace.artifacts.read(training.model_sha256),
        trusted=spec.content.develop.trusted_types,
    )


def read_version(workspace: Workspace, version: VersionRow) -> PackageContents:
    """Read a version's package; its bytes must be the ones whose digest was signed.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: the package is not what was signed.
    """
    from mlops.core.artifact.package import read

    return read(
        workspace.artifacts.read(version.package_digest), expected_digest=version.package_digest
    )


def version_reference(workspace: Workspace, version: VersionRow) -> Profile:
    """The reference profile that was signed with a version, of which nothing else is read.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: as for :func:`read_version`.
    """
    data = workspace.artifacts.read(version.package_digest)
    return Profile.from_json(read_reference(data, expected_digest=version.package_digest))


def load_version(workspace: Workspace, version: VersionRow) -> LoadedModel:
    """Read a version's package and construct its model.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: nothing is constructed then.
    """
    from mlops.core.artifact.package import load_model

    spec = workspace.spec(version.spec_digest)
    return load_model(read_version(workspace, version), trusted=spec.content.develop.trusted_types)


def with_version_in_errors(predict: Predict, version: VersionRow) -> Predict:
    """The same predictions; any error of an estimator becomes one that names the version.

    An estimator that was fitted on rows without a gap may refuse rows with one.
    """

    def named(matrix: np.ndarray) -> np.ndarray:
        try:
            return predict(matrix)
        except MlopsError:
            raise
        except Exception as error:  # for any error of a user's estimator, the reader needs its name
            raise PredictionError(
                f"{version.model} v{version.number} cannot score these rows",
                found=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
                expected="a score for every row that keeps the contract",
                action="let the contract refuse such rows (max_null_share, min, max), or release "
                "a version that imputes them",
            ) from error

    return named
