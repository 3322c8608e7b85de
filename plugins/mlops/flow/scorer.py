"""Deploy: what gives the scores of a window: a version's model or, in its safe state, its rule.

A rule is SQL in the spec, and so it is signed with the version: it gives each row's key, its time
and a ``score`` between 0 and 1, from the criteria that the business would use without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from mlops.core.artifact.package import LoadedModel, PackageContents, load_model
from mlops.core.checks import schema_changes
from mlops.core.period import Period
from mlops.core.profiles import Profile
from mlops.core.records import Check
from mlops.core.targets.target import ROUNDING, target_of
from mlops.flow.load_version import read_version, with_version_in_errors
from mlops.flow.queries import SCORE, rule_query, scoring_query
from mlops.spec.load import Spec
from mlops.spec.model import Feature, NumericFeature
from mlops.store.tables import VersionRow
from mlops.warehouse.score import Encoder
from mlops.workspace.workspace import Workspace

Predict = Callable[[np.ndarray], np.ndarray]


class Scorer(Protocol):
    """What the check of a window's rows and their scoring have to know.

    :ivar file: the SQL file that gives the rows.
    :ivar features: what the rows must be like.
    :ivar encoder: rows to the matrix that ``predict`` takes.
    :ivar predict: scores of shape (n,) for a matrix of shape (n, columns).
    """

    @property
    def file(self) -> str: ...

    @property
    def features(self) -> Mapping[str, Feature]: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def predict(self) -> Predict: ...

    @property
    def edges(self) -> Mapping[str, Sequence[float]]:
        """For each numeric feature the edges that its values are counted between."""

    @property
    def categories(self) -> Mapping[str, Sequence[str]]:
        """For each categorical feature the categories that it is known to have."""

    def query(self, window: Period) -> str:
        """The rows of a window, as known at its end."""

    def changes(self, columns: Mapping[str, str]) -> tuple[Check, ...]:
        """How the rows' types differ from those that it was made for."""


def scorer_of(workspace: Workspace, version: VersionRow, *, by_rule: bool) -> Scorer:
    """A version's model, whose bytes are checked against what was signed, or its rule.

    :raises ArtifactMissing, ArtifactChanged, ArtifactRefused: of the model.
    :raises SpecError: the spec has no rule.
    """
    if by_rule:
        return RuleScorer(workspace, workspace.spec(version.spec_digest))
    return ModelScorer.load(workspace, version)


@dataclass(frozen=True)
class ModelScorer:
    """A version's model."""

    workspace: Workspace
    version: VersionRow
    spec: Spec
    contents: PackageContents

    @classmethod
    def load(cls, workspace: Workspace, version: VersionRow) -> ModelScorer:
        """Read the package if its bytes are those that were signed.

        The model itself is constructed when it is asked to predict: most steps need what is
        beside it only, and its libraries cost a second to import.
        """
        spec = workspace.spec(version.spec_digest)
        return cls(workspace, version, spec, read_version(workspace, version))

    @property
    def file(self) -> str:
        return self.spec.content.deploy.scoring_sql or self.spec.content.develop.features_sql

    @property
    def features(self) -> Mapping[str, Feature]:
        return self.spec.content.develop.features

    @property
    def encoder(self) -> Encoder:
        return self.contents.encoder

    @property
    def predict(self) -> Predict:
        # Whether the scores can be of the target is checked where the keys of the rows are known.
        return with_version_in_errors(self.model.predict, self.version)

    @cached_property
    def model(self) -> LoadedModel:
        """The model of the package, constructed."""
        return load_model(self.contents, trusted=self.spec.content.develop.trusted_types)

    @cached_property
    def reference(self) -> Profile:
        """The profile that was signed with the package."""
        return Profile.from_json(self.contents.reference)

    @property
    def edges(self) -> Mapping[str, Sequence[float]]:
        return {n: p.edges for n, p in self.reference.numeric.items() if n in self.features}

    @property
    def categories(self) -> Mapping[str, Sequence[str]]:
        found = self.reference.categories
        return {n: tuple(p.counts) for n, p in found.items() if n in self.features}

    def query(self, window: Period) -> str:
        return scoring_query(self.workspace.warehouse.dialect, self.spec, window)

    def changes(self, columns: Mapping[str, str]) -> tuple[Check, ...]:
        """Each column's type as at training and as it is now."""
        trained_on = {column["name"]: column["type"] for column in self.contents.schema}
        return schema_changes(trained_on, columns)

    def profile(self, window: Period) -> Profile:
        """The window's features on the version's own bins, counted by the warehouse.

        For windows whose plan has no profile of them: those of earlier versions, and those that
        the rule scored.
        """
        return self.workspace.warehouse.profile_rows(
            self.query(window), edges=self.edges, categories=self.categories
        )


@dataclass(frozen=True)
class RuleScorer:
    """A version's rule; the spec holds it, so the package is not needed."""

    workspace: Workspace
    spec: Spec

    @property
    def file(self) -> str:
        return self.spec.content.deploy.rule_sql or ""

    @property
    def features(self) -> Mapping[str, Feature]:
        low, high = target_of(self.spec.content).score_range
        return {
            SCORE: NumericFeature(
                min=None if low is None else low - ROUNDING,
                max=None if high is None else high + ROUNDING,
            )
        }

    @property
    def encoder(self) -> Encoder:
        return _ScoresAlone()

    @property
    def predict(self) -> Predict:
        return lambda matrix: matrix[:, 0]

    @property
    def edges(self) -> Mapping[str, Sequence[float]]:
        ends = target_of(self.spec.content).score_range
        return {SCORE: [end for end in ends if end is not None]}

    @property
    def categories(self) -> Mapping[str, Sequence[str]]:
        return {}

    def query(self, window: Period) -> str:
        return rule_query(self.workspace.warehouse.dialect, self.spec, window)

    def changes(self, columns: Mapping[str, str]) -> tuple[Check, ...]:  # noqa: ARG002
        """None: a rule is trained on nothing."""
        return ()


class _ScoresAlone:
    """Rows that have their scores already."""

    def encode(self, rows: pa.RecordBatch) -> np.ndarray:
        """The scores, shape (rows, 1); a missing one is NaN, and refused where written."""
        scores = rows.column(SCORE).to_numpy(zero_copy_only=False).astype(np.float64)
        matrix: np.ndarray = scores.reshape(-1, 1)
        return matrix
