"""Which candidate is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops.core.records import Metrics
from mlops.core.targets.target import MetricInfo, Target
from mlops.errors import TrainingError


def metric_info(target: Target, name: str) -> MetricInfo:
    """What is known of a metric of the target; the name of a removed extension is its title."""
    return next((info for info in target.metrics if info.name == name), MetricInfo(name, name))


def best_index(target: Target, metric: str, results: Sequence[Metrics]) -> int:
    """The place of the best result by one metric; the first one where several are equal.

    A result without the metric loses to every one that has it.

    :raises TrainingError: no result has the metric.
    """
    sign = 1.0 if metric_info(target, metric).more_is_better else -1.0
    known = [
        (sign * value, -place)
        for place, result in enumerate(results)
        if (value := result[metric]) is not None and math.isfinite(value)
    ]
    if not known:
        raise TrainingError(
            f"no candidate can be chosen by {metric}",
            found=f"no candidate has it: {target.undefined}",
            expected=f"test rows that define {metric}",
            action="choose other test periods in the spec's split, or select by another metric",
        )
    return -max(known)[1]
