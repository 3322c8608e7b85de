"""The criterion ``slice``: a metric for the worst group of rows, by the values of one column."""

from __future__ import annotations

from collections.abc import Sequence

from mlops.core.acceptance.criterion import Evidence, Measurement
from mlops.core.acceptance.metric import metric_value
from mlops.core.records import Slice
from mlops.spec.model import Gate


class SliceCriterion:
    """Every value of a column with enough rows has to reach the bound; the worst is reported."""

    name = "slice"

    def problem(self, gate: Gate) -> str | None:
        """A metric and a column are needed."""
        if gate.against:
            return "'slice' and 'against' do not go together"
        return None if gate.metric and gate.slice else "'metric' and 'slice' are needed"

    def title(self, gate: Gate) -> str:
        """``auc by origin``."""
        return f"{gate.metric} by {gate.slice}"

    def measure(self, gate: Gate, evidence: Evidence) -> Measurement:
        """The metric of the worst value; none if it is undefined for any value with enough rows."""
        of_column = [item for item in evidence.evaluation.slices if item.column == gate.slice]
        judged = [item for item in of_column if item.metrics.rows >= gate.min_rows]
        small = sorted(item.value for item in of_column if item.metrics.rows < gate.min_rows)
        left_out = f"; below {gate.min_rows:,} rows, not judged: {_listed(small)}" if small else ""
        if not judged:
            return Measurement(
                None, f"no value of {gate.slice} has {gate.min_rows:,} test rows{left_out}"
            )
        found: list[tuple[float, Slice]] = []
        for item in judged:
            measured = metric_value(evidence.target, item.metrics, gate.metric)
            if measured.value is None:
                return Measurement(None, f"{item.value}: {measured.note}{left_out}")
            found.append((measured.value, item))
        sign = 1.0 if gate.at_least is not None else -1.0
        value, worst = min(found, key=lambda pair: (sign * pair[0], pair[1].value))
        note = f"worst of {len(judged)}: {worst.value}, {worst.metrics.rows:,} rows{left_out}"
        return Measurement(value, note)


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


SLICE = SliceCriterion()
