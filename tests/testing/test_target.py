"""The suite for targets, over the one that the library has; and that it can fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from mlops.core.records import Metrics
from mlops.core.targets.binary.target import BINARY, BinaryTarget
from mlops.core.targets.target import TARGETS, MetricInfo, PredictionColumn
from mlops.spec.model import Deploy
from mlops.testing.target import TargetConformance
from tests.testing.test_suites import failures


class BinaryConformance(TargetConformance):
    target = BINARY

    def make_labels(self, signal: np.ndarray) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array(signal > 0)])

    def make_estimator(self) -> Any:
        return LogisticRegression(max_iter=1_000)


class TestBinary(BinaryConformance):
    """True and false."""


class TestBinaryOfNumbers(BinaryConformance):
    """0 and 1."""

    def make_labels(self, signal: np.ndarray) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array((signal > 0).astype(np.int16))])


def test_every_target_of_ours_is_tested_here() -> None:
    assert [name for name, _ in TARGETS.items()] == ["binary"]


class Careless(BinaryTarget):
    """A target with the mistakes that are easily made."""

    name = "careless"
    metrics = (*BinaryTarget.metrics[:-1], MetricInfo("lift", "Lift\n"))
    prediction_columns = (PredictionColumn("batch", "text"),)

    def prediction_values(self, scores: np.ndarray, deploy: Deploy) -> Mapping[str, Any]:
        return {"batch": scores - scores.mean()}

    def require_scores(self, scores: np.ndarray, **others: Any) -> None:
        assert len(scores) == others["rows"]

    def measure(self, labels: np.ndarray, scores: np.ndarray) -> Metrics:
        share = labels.mean() if len(labels) else np.nan
        values = super().measure(labels[:1], np.array([0.5])).values
        return Metrics(len(labels), {**values, "lift": float(scores[labels].mean() / share)})

    def details(self, labels: np.ndarray, scores: np.ndarray, deploy: Deploy) -> Mapping[str, Any]:
        labels[0] = not labels[0]
        return {"metrics": np.nan}


def test_a_target_that_is_wrong_fails_the_suite() -> None:
    class Suite(BinaryConformance):
        target = Careless()

    assert failures(Suite()) >= {
        "test_it_describes_itself",
        "test_it_is_light_to_import",
        "test_scores_that_cannot_be_are_refused_by_the_row",
        "test_predictions_have_a_value_in_every_column",
        "test_it_measures_every_metric",
        "test_a_model_is_better_than_chance_by_every_metric",
        "test_few_or_equal_rows_give_a_finite_value_or_none",
        "test_nothing_is_measured_of_no_rows_or_wrong_scores",
        "test_the_test_rows_are_evaluated",
        "test_what_it_is_given_stays_as_it_is",
    }
