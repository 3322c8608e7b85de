"""A model out of its package: predictions, and the proof that they are the ones people signed.

The package as a file, its content and how it is written and read, is in
:mod:`mlops.core.artifact.package_file`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlops.core.artifact.formats import MODEL_FORMATS
from mlops.core.artifact.package_file import (
    Package,
    PackageContents,
    PackageParts,
    build,
    installed_versions,
    read,
)
from mlops.core.targets.target import Estimator, Target, target_of_package
from mlops.errors import DataRefused, PredictionError

__all__ = [
    "LoadedModel",
    "Package",
    "PackageContents",
    "PackageParts",
    "build",
    "load_model",
    "read",
]

# Predictions of golden rows may differ by this share of their size, or of 1 where they are
# smaller. With other versions of the libraries sums may be formed in another order.
TOLERANCE = 1e-9
TOLERANCE_OTHER_VERSIONS = 1e-6


@dataclass(frozen=True)
class LoadedModel:
    """A package whose model was constructed.

    :ivar target: what it predicts.
    :ivar warnings: what differs from the place where the model was made, in sentences: versions
        of libraries, and the warnings that they gave while loading.
    """

    contents: PackageContents
    target: Target
    estimator: Estimator
    warnings: tuple[str, ...]

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Score encoded rows.

        :param matrix: float64 of shape (rows, features), from the package's encoder.
        :returns: the scores, as the target's ``predict`` gives them.
        :raises DataRefused: the matrix has another number of columns.
        :raises PredictionError: the estimator does not give what the target needs.
        """
        features = len(self.contents.encoder.features)
        if matrix.shape != (len(matrix), features):
            raise DataRefused(
                f"{self.contents.model}: a matrix to score",
                found=f"shape {matrix.shape}",
                expected=f"(rows, {features})",
                action="encode the rows with the package's own encoder",
            )
        return self.target.predict(self.estimator, matrix)

    def check_golden(self) -> float:
        """Predict the golden rows again and compare.

        :returns: the largest difference.
        :raises PredictionError: a score cannot be of the target, or it differs; with the row, both
            values and the libraries that differ.
        """
        expected = self.contents.golden_outputs
        found = self.predict(self.contents.golden_inputs)
        self.target.require_scores(
            found, rows=len(expected), what=self.contents.model, name_row="golden row {}".format
        )
        same = self.contents.requirements == installed_versions(self.contents.model_format)
        tolerance = TOLERANCE if same else TOLERANCE_OTHER_VERSIONS
        difference = np.abs(found - expected)
        excess = difference - tolerance * np.maximum(1.0, np.abs(expected))
        if np.any(excess > 0):
            row = int(np.argmax(excess))
            raise PredictionError(
                f"{self.contents.model}: golden row {row} is predicted differently here",
                found=f"{found[row]!r}",
                expected=f"{expected[row]!r} within {tolerance:g}",
                action="; ".join(self.warnings)
                or "this machine computes differently: release "
                "a new version on it, or score where the model was made",
            )
        return float(difference.max())


def load_model(contents: PackageContents, *, trusted: Iterable[str] = ()) -> LoadedModel:
    """Construct the model of a package.

    :param trusted: types that the spec adds to the list of allowed ones.
    :raises ArtifactRefused: the format refuses the model's bytes.
    :raises ExtensionError: the format or the target is not known here.
    """
    model_format = MODEL_FORMATS.get(contents.model_format)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = model_format.load(contents.model_bytes, trusted=trusted)
    raised = dict.fromkeys(str(warning.message) for warning in caught)
    here = installed_versions(contents.model_format)
    differing = [
        f"{name}: the model was made with {made}, here is {here.get(name, 'none')}"
        for name, made in contents.requirements.items()
        if made != here.get(name)
    ]
    return LoadedModel(
        contents=contents,
        target=target_of_package(contents.spec),
        estimator=estimator,
        warnings=(*differing, *raised),
    )
