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
        ours, champion = evidence.evaluation.metrics, evidence.champion
        measured = metric_value(ours, gate.metric)
        if measured.value is None:
            return measured
        if champion is None:
            return Measurement(None, "no version is live yet", waived=True)
        if (champion.rows, champion.positives) != (ours.rows, ours.positives):
            return Measurement(
                None,
                f"the live version was measured on other rows: {champion.rows:,} with "
                f"{champion.positives:,} positives, not {ours.rows:,} with {ours.positives:,}",
            )
        other = metric_value(champion, gate.metric)
        if other.value is None:
            return Measurement(None, f"live version: {other.note}")
        return Measurement(
            measured.value - other.value,
            f"{measured.value:.4f} against {other.value:.4f} of the live version",
        )


CHAMPION = ChampionCriterion()
