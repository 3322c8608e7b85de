"""What a target is: what is predicted of each row, and all that follows from its kind.

A label of two values is scored by probabilities and judged by AUC; an amount is not. What
differs between the two belongs to a target, and nothing else asks which one a model has. A target
is an object that keeps to :class:`Target`, registered under the name that a spec gives as
``develop.target``; ``binary`` is the first one. How it is shown is
the matter of :mod:`mlops.reports.targets.report`. A prediction is one number, its score, and what
the target makes of it.

Specs are read where DAGs are built, and they ask a target for its metrics: what a target imports at
its top has to be light, and the rest is imported inside of its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mlops.core.records import Check, Metrics
from mlops.registry import Registry
from mlops.spec import extensions
from mlops.spec.model import Contract, Deploy, ModelSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[Any]

# How far a score may be beyond its range: what is left of sums that are rounded.
ROUNDING = 1e-9

LOOK = "look at the features of this row, for missing and very large values"


@dataclass(frozen=True)
class MetricInfo:
    """A metric that specs may name, and which of two values of it is better.

    :ivar title: as reports and pages print it: ``Brier score``.
    """

    name: str
    title: str
    more_is_better: bool = False


@dataclass(frozen=True)
class PredictionColumn:
    """A column of the table of predictions.

    :ivar type: ``boolean``, ``integer``, ``bigint``, ``double precision`` or ``text``.
    """

    name: str
    type: str


class Estimator(Protocol):
    """What is asked of every estimator; which function predicts is the target's matter."""

    def fit(self, x: Floats, y: Labels) -> Any:
        """Learn from a matrix of shape (rows, features) and labels of shape (rows,)."""


class LabelCounter(Protocol):
    """What is known of labels, gathered batch by batch in little memory."""

    def update(self, column: pa.Array) -> None:
        """Add the labels of a batch."""

    def facts(self) -> Mapping[str, Any]:
        """Plain JSON values; no key may be ``rows``, ``columns``, ``newest`` or ``counts``."""


class RequireScores(Protocol):
    """How scores are refused that cannot be of a target."""

    def __call__(
        self,
        scores: Floats,
        *,
        rows: int,
        what: str,
        name_row: Callable[[int], str] = ...,
        action: str = LOOK,
    ) -> None:
        """Refuse them as :meth:`Target.require_scores` does."""


class Target(Protocol):
    """One kind of what is predicted.

    :ivar name: as specs give it and as packages hold it; it never changes.
    :ivar metrics: what specs may select and judge by, in the order of reports.
    :ivar main_metric: the metric by which groups and features are compared.
    :ivar kpi_measures: what a spec may name as the ``measure`` of its KPI.
    :ivar predicts_with: methods that an estimator needs, beside ``fit``.
    :ivar estimator_advice: what to do about an estimator without them.
    :ivar score_range: the smallest and the largest score; None for a side without a limit.
    :ivar undefined: why a metric may be None, within a sentence: ``the rows have one class only``.
    """

    @property
    def name(self) -> str: ...

    @property
    def metrics(self) -> tuple[MetricInfo, ...]: ...

    @property
    def main_metric(self) -> str: ...

    @property
    def kpi_measures(self) -> tuple[str, ...]: ...

    @property
    def predicts_with(self) -> tuple[str, ...]: ...

    @property
    def estimator_advice(self) -> str: ...

    @property
    def score_range(self) -> tuple[float | None, float | None]: ...

    @property
    def undefined(self) -> str: ...

    def require_label_type(self, name: str, kind: pa.DataType) -> None:
        """Refuse a column whose type labels cannot have.

        :raises DataRefused: with what to write in the SQL.
        """

    def read_labels(self, column: pa.ChunkedArray) -> Labels:
        """The labels of some rows as ``fit`` and :meth:`measure` take them, shape (rows,)."""

    def label_counter(self) -> LabelCounter:
        """Counts the labels of a snapshot while its rows pass by."""

    def label_facts(self, metrics: Metrics) -> Mapping[str, Any]:
        """What is known of the labels of measured rows, as a label counter gives it."""

    def remaining_facts(
        self, facts: Mapping[str, Any], rows: int, tested: Metrics
    ) -> Mapping[str, Any]:
        """What is known of the labels of all rows but the tested ones.

        :param facts: of all rows, as a label counter gave them.
        :param rows: how many these are.
        """

    def check_labels(self, facts: Mapping[str, Any], contract: Contract) -> Iterable[Check]:
        """Check the labels of a snapshot before anything is learnt from them."""

    def check_side(
        self, periods: str, facts: Mapping[str, Any], rows: int, column: str
    ) -> Iterable[Check]:
        """Check whether one side of the split has something to learn from or to test on.

        :param periods: ``training`` or ``test``.
        :param facts: of the side's labels, as a label counter gave them.
        :param rows: how many rows the side has.
        :param column: the name of the label.
        """

    def predict(self, estimator: Any, matrix: Floats) -> Floats:
        """Predict encoded rows: the one path, in training, validation, packages and scoring.

        :param matrix: float64 of shape (rows, features), perhaps of no rows.
        :returns: one number for each row, its *score*: float64 of shape (rows,).
        :raises PredictionError: the estimator does not give what the target needs.
        """

    def require_scores(
        self,
        scores: Floats,
        *,
        rows: int,
        what: str,
        name_row: Callable[[int], str] = "row {}".format,
        action: str = LOOK,
    ) -> None:
        """Refuse scores that cannot be of this target.

        :param rows: how many rows were scored.
        :param what: what was scored, or what scored it, for the message.
        :param name_row: the name of a row, from its place.
        :param action: what the reader can do about the row.
        :raises PredictionError: naming the first such row, or the shape if it is not (rows,).
        """

    @property
    def prediction_columns(self) -> tuple[PredictionColumn, ...]:
        """What predictions hold beside the score, in the order of the table; perhaps nothing.

        No name may be that of a column that all predictions have, as ``score`` or ``batch``.
        """

    def prediction_values(self, scores: Floats, deploy: Deploy) -> Mapping[str, NDArray[Any]]:
        """The values of ``prediction_columns``, as numpy arrays of shape (rows,), none missing.

        Numbers of an ``integer`` or ``bigint`` are integers; a ``text`` is str or UTF-8 bytes.
        """

    def measure(self, labels: Labels, scores: Floats) -> Metrics:
        """The metrics of some rows, and beside them figures that describe the rows.

        :returns: a value for each of ``metrics``; None for one that these rows do not define.
        :raises DataRefused: there are no rows.
        :raises PredictionError: as :meth:`require_scores`.
        """

    def kpi(self, measure: str, labels: Labels, scores: Floats, deploy: Deploy) -> float | None:
        """The business result of some rows, by one of ``kpi_measures``; None if undefined."""

    def describe_rows(self, metrics: Metrics) -> str:
        """The rows behind the metrics, in words; equal for two models only on the same rows."""

    def details(self, labels: Labels, scores: Floats, deploy: Deploy) -> Mapping[str, Any]:
        """What reports show of an evaluation beside metrics: curves, counts; plain JSON values.

        No key may be that of another part of an evaluation: ``metrics``, ``slices`` and
        ``importance``.
        """


TARGETS: Registry[Target] = extensions.TARGETS


def target_of(spec: ModelSpec) -> Target:
    """The target of a spec.

    :raises ExtensionError: it is not known.
    """
    return TARGETS.get(spec.develop.target_name)


def target_of_package(spec: Mapping[str, Any]) -> Target:
    """The target of a spec as a package holds it, in JSON.

    :raises ExtensionError: it is not known.
    """
    develop = spec.get("content", {}).get("develop", {})
    return TARGETS.get(develop.get("target") or extensions.DEFAULT_TARGET)
