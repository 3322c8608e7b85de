"""Registered criteria against what was measured. A gate that could not be measured has not passed.

A verdict is a record. It is kept first, and raised afterwards by whoever asked for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops.core.records import Evaluation, GateResult, Metrics, Slice
from mlops.errors import GateFailed
from mlops.spec.model import Gate

# Differences of floats miss their bound by rounding: 0.78 - 0.79 is a little below -0.01.
ROUNDING = 1e-9


def judge_gates(
    gates: Sequence[Gate], evaluation: Evaluation, champion: Metrics | None
) -> tuple[GateResult, ...]:
    """Judge each gate, in the order in which they were registered.

    :param evaluation: of the version in question, on the test rows.
    :param champion: the metrics of the live version on the same rows; none where none is live.
    :returns: one result a gate. ``measured`` is none, and ``passed`` false, where the metric is
        not defined (one class only, no rows) or is not a finite number; ``note`` says why.
    """
    return tuple(_judge(gate, evaluation, champion) for gate in gates)


def all_passed(results: Sequence[GateResult]) -> bool:
    """Whether there are results and every one passed."""
    return bool(results) and all(result.passed for result in results)


def gate_error(subject: str, results: Sequence[GateResult]) -> GateFailed:
    """The error that names every gate that ``subject`` did not pass, to be raised by the caller."""
    missed = [
        f"{result.name} {_number(result.measured)} (bound {result.bound}"
        + (f"; {result.note})" if result.note else ")")
        for result in results
        if not result.passed
    ]
    return GateFailed(
        f"{subject} did not pass {len(missed)} of {len(results)} gates",
        found=", ".join(missed) or "no gate at all",
        expected="every registered gate to pass",
        action="read the validation report; change features, data or candidates and run again; "
        "the bounds stand as they were registered",
    )


def _judge(gate: Gate, evaluation: Evaluation, champion: Metrics | None) -> GateResult:
    if gate.slice is not None:
        return _judge_slices(gate, evaluation.slices)
    value, note = _value(evaluation.metrics, gate.metric)
    if gate.against is None or value is None:
        return _result(gate, value, note)
    if champion is None:
        return GateResult(gate.name, gate.bound, None, passed=True, note="no version is live yet")
    return _against(gate, value, evaluation.metrics, champion)


def _against(gate: Gate, value: float, found: Metrics, champion: Metrics) -> GateResult:
    if (champion.rows, champion.positives) != (found.rows, found.positives):
        return _result(
            gate,
            None,
            f"the live version was measured on other rows: {champion.rows:,} with "
            f"{champion.positives:,} positives, not {found.rows:,} with {found.positives:,}",
        )
    other, note = _value(champion, gate.metric)
    if other is None:
        return _result(gate, None, f"live version: {note}")
    return _result(gate, value - other, f"{value:.4f} against {other:.4f} of the live version")


def _judge_slices(gate: Gate, slices: Sequence[Slice]) -> GateResult:
    of_column = [item for item in slices if item.column == gate.slice]
    judged = [item for item in of_column if item.metrics.rows >= gate.min_rows]
    small = sorted(item.value for item in of_column if item.metrics.rows < gate.min_rows)
    left_out = f"; below {gate.min_rows:,} rows, not judged: {_listed(small)}" if small else ""
    if not judged:
        return _result(
            gate, None, f"no value of {gate.slice} has {gate.min_rows:,} test rows{left_out}"
        )
    for item in judged:
        value, note = _value(item.metrics, gate.metric)
        if value is None:
            return _result(gate, None, f"{item.value}: {note}{left_out}")
    worst = min(judged, key=lambda item: _badness(gate, item))
    value, _ = _value(worst.metrics, gate.metric)
    note = f"worst of {len(judged)}: {worst.value}, {worst.metrics.rows:,} rows{left_out}"
    return _result(gate, value, note)


def _badness(gate: Gate, item: Slice) -> tuple[float, str]:
    """Smallest for the slice that is worst against the gate's bound; the name settles ties."""
    value, _ = _value(item.metrics, gate.metric)
    measured = value if value is not None else 0.0
    return (measured if gate.at_least is not None else -measured), item.value


def _value(metrics: Metrics, name: str) -> tuple[float | None, str]:
    """A metric by name; or none, and why."""
    value: float | None = getattr(metrics, name)
    if metrics.rows == 0:
        return None, f"{name} could not be measured: no rows"
    if value is None:
        return None, f"{name} could not be measured: the rows have one class only"
    if not math.isfinite(value):
        return None, f"{name} could not be measured: it came out as {value}"
    return value, ""


def _result(gate: Gate, value: float | None, note: str) -> GateResult:
    passed = value is not None and (
        value >= gate.at_least - ROUNDING
        if gate.at_least is not None
        else gate.at_most is not None and value <= gate.at_most + ROUNDING
    )
    return GateResult(gate.name, gate.bound, value, passed=passed, note=note)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
