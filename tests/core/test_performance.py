from __future__ import annotations

import numpy as np
import pytest

from mlops.core.performance import judge_performance
from mlops.core.targets.binary.metrics import measure
from mlops.spec.model import Performance

Y = np.array([True, False] * 50)
FOUND = measure(Y, np.where(Y, 0.8, 0.3))


@pytest.mark.parametrize(
    ("bounds", "labels", "state"),
    [
        ({"metric": "auc", "at_least": 0.9}, 1_000, "ok"),
        ({"metric": "log_loss", "at_most": 0.1}, 1_000, "alarm"),
        ({"metric": "log_loss", "at_most": 0.1}, 499, "not_enough_data"),
    ],
)
def test_the_bound_is_judged_once_labels_suffice(bounds, labels, state):
    judged = judge_performance(Performance(**bounds), FOUND, rows=2_000, labels=labels)
    assert judged.state == state
    assert judged.labels == labels


def test_without_labels_nothing_is_judged():
    judged = judge_performance(Performance(metric="auc", at_least=0.7), None, rows=10, labels=0)
    assert judged.state == "not_enough_data"
    assert judged.measured is None
