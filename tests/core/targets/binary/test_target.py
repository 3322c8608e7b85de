"""The target of two values as the library asks it."""

from __future__ import annotations

import numpy as np
import pytest

from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.target import TARGETS
from mlops.spec.model import Deploy


def test_it_is_the_built_in_target() -> None:
    assert TARGETS.get("binary") is BINARY
    assert BINARY.main_metric in [metric.name for metric in BINARY.metrics]


@pytest.mark.parametrize(
    ("measure", "labels", "expected"),
    [
        ("recall", [True, True, False, False], 50.0),
        ("precision", [True, True, False, False], 100.0 / 2),
        ("precision", [True, False, True, False], 100.0),
        ("recall", [False] * 4, None),
    ],
)
def test_the_kpi_is_what_the_threshold_flags(measure, labels, expected) -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.2])
    assert BINARY.kpi(measure, np.array(labels), scores, Deploy(threshold=0.5)) == expected


def test_nothing_flagged_has_no_precision() -> None:
    labels, scores = np.array([True, False]), np.array([0.1, 0.2])
    assert BINARY.kpi("precision", labels, scores, Deploy(threshold=0.5)) is None
