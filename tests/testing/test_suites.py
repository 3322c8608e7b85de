"""The suites that outsiders run, over what the library has itself; and that they can fail."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlops.core.acceptance.champion import CHAMPION
from mlops.core.acceptance.criterion import CRITERIA, Measurement
from mlops.core.acceptance.metric import METRIC
from mlops.core.acceptance.slices import SLICE
from mlops.core.drift.statistic import DRIFT_STATISTICS, DriftMeasure
from mlops.spec.model import Gate
from mlops.testing.criterion import CriterionConformance
from mlops.testing.drift_statistic import DriftStatisticConformance


class TestDriftStatistics(DriftStatisticConformance):
    """Each statistic that the library registers; a new one needs no line here."""

    @pytest.fixture(
        autouse=True,
        params=[item for _, item in DRIFT_STATISTICS.items()],
        ids=lambda item: str(item.name),
    )
    def each(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "statistic", request.param, raising=False)


class TestMetric(CriterionConformance):
    criterion = METRIC
    gate = Gate(metric="auc", at_least=0.6)


class TestSlice(CriterionConformance):
    criterion = SLICE
    gate = Gate(metric="brier", slice="region", at_most=0.3)


class TestChampion(CriterionConformance):
    criterion = CHAMPION
    gate = Gate(metric="auc", against="champion", at_least=-0.01)


def test_every_item_of_ours_is_tested_here() -> None:
    assert "psi" in [name for name, _ in DRIFT_STATISTICS.items()]
    assert [name for name, _ in CRITERIA.items()] == ["metric", "slice", "champion"]


def failures(suite: Any) -> set[str]:
    """The tests of a suite that do not pass."""
    found = set()
    for name in (name for name in dir(suite) if name.startswith("test_")):
        try:
            getattr(suite, name)()
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 (it may fail in any way)
            found.add(name)
    return found


class Constant:
    """A statistic that never reacts, and that calls everything drift."""

    name = "constant"
    title = "Constant"
    description = "a constant"
    bins = 10

    def measure(self, reference: Any, current: Any) -> DriftMeasure:
        return DriftMeasure(1.0, expected_by_chance=0.1, p_value=0.001)


class Undefined(Constant):
    """A statistic that divides by a count that may be 0."""

    def measure(self, reference: Any, current: Any) -> DriftMeasure:
        return DriftMeasure(reference.nulls / current.count)


def test_a_statistic_that_is_wrong_fails_its_suite() -> None:
    class Suite(DriftStatisticConformance):
        statistic = Constant()

    assert failures(Suite()) == {
        "test_the_same_rows_have_not_drifted",
        "test_it_reacts_to_some_change",
        "test_its_average_without_drift_is_what_it_expects",
        "test_its_p_values_are_not_too_small_without_drift",
    }
    Suite.statistic = Undefined()
    assert "test_windows_of_any_kind_give_a_finite_value_or_none" in failures(Suite())


class Judging:
    """A criterion that looks at its bound, and counts how often it was asked."""

    name = "judging"
    asked = 0

    def problem(self, gate: Gate) -> str | None:
        return None

    def title(self, gate: Gate) -> str:
        return "judging\n"

    def measure(self, gate: Gate, evidence: Any) -> Measurement:
        self.asked += 1
        evidence.scores[0] = 0.5
        return Measurement(gate.limit * self.asked if evidence.champion else math.nan)


def test_a_criterion_that_is_wrong_fails_its_suite() -> None:
    class Suite(CriterionConformance):
        criterion = Judging()
        gate = Gate(kind="judging", at_least=1)

    assert failures(Suite()) == {
        "test_a_sound_gate_has_no_problem_and_a_title",
        "test_it_measures_the_same_when_it_is_run_again",
        "test_it_leaves_the_evidence_as_it_is",
        "test_the_limit_does_not_change_what_is_measured",
        "test_rows_that_show_nothing_give_a_reason_and_no_error",
    }


@pytest.mark.parametrize("suite", [CriterionConformance, DriftStatisticConformance])
def test_a_suite_is_not_collected_by_itself(suite: type) -> None:
    assert not suite.__name__.startswith("Test")
