"""Whether the live version still reaches what its spec asks for, as far as labels arrived."""

from __future__ import annotations

from mlops.core.records import Metrics, Performance, State
from mlops.spec.model import Performance as PerformanceSpec


def judge_performance(
    spec: PerformanceSpec, metrics: Metrics | None, *, rows: int, labels: int
) -> Performance:
    """Judge one window.

    :param metrics: of the rows whose label has arrived; None if there are none.
    :param rows: rows that were scored.
    :param labels: rows whose label has arrived.
    """
    measured: float | None = metrics[spec.metric] if metrics is not None else None
    if spec.at_least is not None:
        bound, missed = f"expected ≥ {spec.at_least:g}", _below(measured, spec.at_least)
    else:
        bound, missed = f"expected ≤ {spec.at_most:g}", _above(measured, spec.at_most)
    state: State = "alarm" if missed else "ok"
    if measured is None or labels < spec.min_labels:
        state = "not_enough_data"
    return Performance(
        state=state,
        metric=spec.metric,
        bound=bound,
        measured=measured,
        metrics=metrics,
        rows=rows,
        labels=labels,
    )


def _below(measured: float | None, bound: float) -> bool:
    return measured is not None and not measured >= bound


def _above(measured: float | None, bound: float | None) -> bool:
    return measured is not None and bound is not None and not measured <= bound
