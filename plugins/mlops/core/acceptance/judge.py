"""Hold the registered criteria against what was measured; what was not measured has not passed.

A verdict is a record. It is kept first, and the caller raises it as an error afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops.core.acceptance.criterion import Evidence, Measurement, criterion_of
from mlops.core.records import GateResult
from mlops.errors import ExtensionError, GateFailed, MlopsError
from mlops.spec.model import Gate

# Differences of floats miss their bound by rounding: 0.78 - 0.79 is a little below -0.01.
ROUNDING = 1e-9


def judge_gates(gates: Sequence[Gate], evidence: Evidence) -> tuple[GateResult, ...]:
    """Judge each gate, in the order in which they were registered.

    :returns: one result for each gate. ``measured`` is None, and ``passed`` false, if the criterion
        could not be measured (one class only, no rows) or gave no finite number; ``note`` has the
        reason.
    :raises ExtensionError: the kind of a gate is not known, or its criterion is faulty.
    """
    return tuple(_judge(gate, evidence) for gate in gates)


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
        "the bounds stay as they were registered",
    )


def _judge(gate: Gate, evidence: Evidence) -> GateResult:
    criterion = criterion_of(gate)
    try:
        measured = _finite(criterion.measure(gate, evidence))
    except MlopsError:
        raise
    except Exception as error:  # a customer's criterion may raise anything
        raise ExtensionError(
            f"acceptance criterion '{gate.kind_name}' could not measure",
            found=f"{type(error).__name__}: {error}",
            expected="a measurement whose value is None for what the rows do not show",
            action="correct the extension, and clear the task",
        ) from error
    return GateResult(
        name=criterion.title(gate),
        bound=gate.bound,
        measured=measured.value,
        passed=measured.waived or _within_bound(gate, measured.value),
        note=measured.note,
        kind=gate.kind_name,
        metric=gate.metric,
        column=gate.slice,
        direction=gate.direction,
        limit=gate.limit,
    )


def _finite(measured: Measurement) -> Measurement:
    if measured.value is None or math.isfinite(measured.value):
        return measured
    return Measurement(None, f"it came out as {measured.value}")


def _within_bound(gate: Gate, value: float | None) -> bool:
    if value is None:
        return False
    if gate.direction == "at_least":
        return value >= gate.limit - ROUNDING
    return value <= gate.limit + ROUNDING


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
