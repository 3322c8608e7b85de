"""The target ``binary``: whether something came true, scored by the probability that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlops.core.records import Check, Metrics, to_json
from mlops.core.targets.target import LOOK, MetricInfo, PredictionColumn
from mlops.spec.model import Contract, Deploy

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops.core.targets.target import Floats, LabelCounter, Labels


class BinaryTarget:
    """Labels of two values; a score is the probability of a true label, from 0 to 1."""

    name = "binary"
    metrics = (
        MetricInfo("auc", "AUC", more_is_better=True),
        MetricInfo("average_precision", "Average precision", more_is_better=True),
        MetricInfo("log_loss", "Log loss"),
        MetricInfo("brier", "Brier score"),
        MetricInfo("calibration_error", "Calibration error"),
    )
    main_metric = "auc"
    kpi_measures = ("recall", "precision")
    predicts_with = ("predict_proba",)
    estimator_advice = (
        "choose another estimator; one of scikit-learn's classifiers without probabilities gets "
        "them in CalibratedClassifierCV"
    )
    score_range = (0.0, 1.0)
    undefined = "the rows have one class only"
    prediction_columns = (PredictionColumn("decision", "boolean"),)

    def require_label_type(self, name: str, kind: pa.DataType) -> None:
        """A boolean, or a whole number: 0 or 1."""
        from mlops.core.targets.binary import labels

        labels.require_label_type(name, kind)

    def read_labels(self, column: pa.ChunkedArray) -> Labels:
        """Booleans."""
        from mlops.core.targets.binary import labels

        return labels.read_labels(column)

    def label_counter(self) -> LabelCounter:
        """The share of true labels."""
        from mlops.core.targets.binary import labels

        return labels.LabelCounter()

    def label_facts(self, metrics: Metrics) -> Mapping[str, Any]:
        """The share of true labels."""
        from mlops.core.targets.binary import label_facts

        return label_facts.label_facts(metrics)

    def remaining_facts(
        self, facts: Mapping[str, Any], rows: int, tested: Metrics
    ) -> Mapping[str, Any]:
        """The share of true labels."""
        from mlops.core.targets.binary import label_facts

        return label_facts.remaining_facts(facts, rows, tested)

    def check_labels(self, facts: Mapping[str, Any], contract: Contract) -> Iterable[Check]:
        """Both classes, in a share that the contract allows."""
        from mlops.core.targets.binary import label_facts

        return label_facts.check_labels(facts, contract)

    def check_side(
        self, periods: str, facts: Mapping[str, Any], rows: int, column: str
    ) -> Iterable[Check]:
        """Both classes."""
        from mlops.core.targets.binary import label_facts

        return (label_facts.check_side(periods, facts, rows, column),)

    def predict(self, estimator: Any, matrix: Floats) -> Floats:
        """The probability of a true label."""
        from mlops.core.targets.binary.scores import predict_scores

        return predict_scores(estimator, matrix)

    def require_scores(
        self,
        scores: Floats,
        *,
        rows: int,
        what: str,
        name_row: Callable[[int], str] = "row {}".format,
        action: str = LOOK,
    ) -> None:
        """Every score is a probability."""
        from mlops.core.targets.binary.scores import require_probabilities

        require_probabilities(scores, rows=rows, what=what, name_row=name_row, action=action)

    def prediction_values(self, scores: Floats, deploy: Deploy) -> Mapping[str, NDArray[Any]]:
        """The decision: whether the score reaches the threshold."""
        return {"decision": scores >= deploy.threshold}

    def measure(self, labels: Labels, scores: Floats) -> Metrics:
        """The five metrics, the number of true labels and the mean score."""
        from mlops.core.targets.binary.metrics import measure

        return measure(labels, scores)

    def kpi(self, measure: str, labels: Labels, scores: Floats, deploy: Deploy) -> float | None:
        """Recall or precision at the threshold, in percent."""
        flagged = scores >= deploy.threshold
        among = labels if measure == "recall" else flagged
        right = int((flagged & labels).sum())
        return 100.0 * right / int(among.sum()) if among.any() else None

    def describe_rows(self, metrics: Metrics) -> str:
        """Rows, and how many of them are true."""
        return f"{metrics.rows:,} with {metrics['positives']:,} positives"

    def details(self, labels: Labels, scores: Floats, deploy: Deploy) -> Mapping[str, Any]:
        """Curves, calibration, the histogram of scores, and the counts at the threshold."""
        from mlops.core.targets.binary.metrics import details

        return to_json(details(labels, scores, deploy.threshold))


BINARY = BinaryTarget()
