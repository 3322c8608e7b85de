"""The criterion ``metric``: one figure of the candidate on all test rows."""

from __future__ import annotations

import math

from mlops.core.acceptance.criterion import Evidence, Measurement
from mlops.core.records import Metrics
from mlops.core.targets.target import Target
from mlops.spec.model import Gate


class MetricCriterion:
    """A metric on all test rows."""

    name = "metric"

    def problem(self, gate: Gate) -> str | None:
        """A metric is needed, and nothing that belongs to another kind."""
        if gate.slice or gate.against:
            return "'slice' and 'against' belong to other kinds"
        return None if gate.metric else "'metric' is missing"

    def title(self, gate: Gate) -> str:
        """``auc``."""
        return str(gate.metric)

    def measure(self, gate: Gate, evidence: Evidence) -> Measurement:
        """The metric itself."""
        return metric_value(evidence.target, evidence.evaluation.metrics, gate.metric)


def metric_value(target: Target, metrics: Metrics, name: str | None) -> Measurement:
    """A metric by its name, or the reason why it is missing."""
    value = metrics[str(name)]
    if metrics.rows == 0:
        return Measurement(None, f"{name} could not be measured: no rows")
    if value is None:
        return Measurement(None, f"{name} could not be measured: {target.undefined}")
    if not math.isfinite(value):
        return Measurement(None, f"{name} could not be measured: it came out as {value}")
    return Measurement(value)


METRIC = MetricCriterion()
