"""The criterion ``champion``: a metric as the difference to the live version on the same rows."""

from __future__ import annotations

from mlops.core.acceptance.criterion import Evidence, Measurement
from mlops.core.acceptance.metric import metric_value
from mlops.spec.model import Gate


class ChampionCriterion:
    """Candidate less live version; where less is better, give ``at_most``."""

    name = "champion"

    def problem(self, gate: Gate) -> str | None:
        """A metric is needed, and no slice."""
        if gate.slice:
            return "'slice' and 'against' do not go together"
        return None if gate.metric and gate.against else "'metric' and 'against' are needed"

    def title(self, gate: Gate) -> str:
        """``auc against champion``."""
        return f"{gate.metric} against {gate.against}"

    def measure(self, gate: Gate, evidence: Evidence) -> Measurement:
        """The difference; without a live version the criterion is waived."""
        target, champion = evidence.target, evidence.champion
        ours = evidence.evaluation.metrics
        measured = metric_value(target, ours, gate.metric)
        if measured.value is None:
            return measured
        if champion is None:
            return Measurement(None, "no version is live yet", waived=True)
        rows, champion_rows = target.describe_rows(ours), target.describe_rows(champion)
        if rows != champion_rows:
            return Measurement(
                None, f"the live version was measured on other rows: {champion_rows}, not {rows}"
            )
        other = metric_value(target, champion, gate.metric)
        if other.value is None:
            return Measurement(None, f"live version: {other.note}")
        return Measurement(
            measured.value - other.value,
            f"{measured.value:.4f} against {other.value:.4f} of the live version",
        )


CHAMPION = ChampionCriterion()
