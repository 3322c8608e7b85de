import math

import numpy as np
import pyarrow as pa
import pytest

from mlops.core.acceptance.criterion import CRITERIA, Evidence, Measurement
from mlops.core.acceptance.judge import all_passed, gate_error, judge_gates
from mlops.core.records import Evaluation, Metrics, Slice
from mlops.core.table import Rows
from mlops.core.targets.binary.target import BINARY
from mlops.errors import ExtensionError
from mlops.registry import extensions_for
from mlops.spec.model import Gate

GOOD = Metrics(
    10_000,
    {
        "positives": 2_600,
        "auc": 0.781,
        "average_precision": 0.6,
        "log_loss": 0.45,
        "brier": 0.15,
        "calibration_error": 0.03,
        "mean_score": 0.25,
    },
)


def but(**changes: float | None) -> Metrics:
    """Good metrics, some of them changed."""
    rows = changes.pop("rows", GOOD.rows)
    return Metrics(rows, {**GOOD.values, **changes})


def evaluation(whole=GOOD, **slices: Metrics) -> Evaluation:
    return Evaluation(
        metrics=whole,
        slices=tuple(Slice("origin", value, found) for value, found in slices.items()),
        importance=(),
        details={},
    )


def evidence(found: Evaluation, champion: Metrics | None = None) -> Evidence:
    label = np.array([True, False])
    return Evidence(
        target=BINARY,
        evaluation=found,
        champion=champion,
        rows=Rows(table=pa.table({"x": [1.0, 2.0]}), label=label),
        scores=np.array([0.9, 0.1]),
        predict=lambda rows: np.full(rows.num_rows, 0.5),
    )


def judge(gate: Gate, found: Evaluation, champion: Metrics | None = None):
    (result,) = judge_gates([gate], evidence(found, champion))
    return result


@pytest.mark.parametrize(
    ("bound", "passed"),
    [
        ({"at_least": 0.75}, True),
        ({"at_least": 0.781}, True),
        ({"at_least": 0.79}, False),
        ({"at_most": 0.79}, True),
        ({"at_most": 0.75}, False),
    ],
)
def test_one_number_against_its_bound(bound, passed):
    result = judge(Gate(metric="auc", **bound), evaluation())
    assert result.passed is passed
    assert result.measured == 0.781
    assert result.name == "auc"
    assert (result.kind, result.metric, result.column) == ("metric", "auc", None)
    assert {result.direction: result.limit} == bound


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("bound", [{"at_least": 0.5}, {"at_most": 0.5}])
@pytest.mark.parametrize("where", ["whole", "slice", "champion", "challenger"])
def test_what_could_not_be_measured_has_not_passed(value, bound, where):
    broken = but(auc=value)
    gate = Gate(
        metric="auc",
        slice="origin" if where == "slice" else None,
        against="champion" if where in ("champion", "challenger") else None,
        **bound,
    )
    found = evaluation(GOOD if where == "champion" else broken, EWR=GOOD, JFK=broken)
    result = judge(gate, found, broken if where == "champion" else GOOD)
    assert not result.passed
    assert result.measured is None
    assert "could not be measured" in result.note


def test_no_rows_have_not_passed():
    result = judge(Gate(metric="brier", at_most=0.5), evaluation(but(rows=0)))
    assert not result.passed
    assert "no rows" in result.note


def test_the_worst_slice_counts_and_is_named():
    found = evaluation(EWR=GOOD, JFK=but(auc=0.65, rows=4_321), LGA=but(auc=0.1, rows=150))
    result = judge(Gate(metric="auc", slice="origin", at_least=0.7, min_rows=200), found)
    assert not result.passed
    assert result.measured == 0.65
    assert result.note == "worst of 2: JFK, 4,321 rows; below 200 rows, not judged: LGA"
    assert result.name == "auc by origin"
    assert (result.kind, result.metric, result.column) == ("slice", "auc", "origin")


def test_the_worst_slice_is_the_highest_where_less_is_better():
    found = evaluation(EWR=GOOD, JFK=but(brier=0.3))
    result = judge(Gate(metric="brier", slice="origin", at_most=0.2), found)
    assert (result.measured, result.passed) == (0.3, False)


def test_no_slice_with_enough_rows_has_not_passed():
    found = evaluation(EWR=but(rows=10))
    result = judge(Gate(metric="auc", slice="origin", at_least=0.7), found)
    assert not result.passed
    assert result.note == "no value of origin has 200 test rows; below 200 rows, not judged: EWR"
    assert not judge(Gate(metric="auc", slice="carrier", at_least=0.7), found).passed


def test_against_no_champion_passes_and_says_so():
    result = judge(Gate(metric="auc", against="champion", at_least=-0.01), evaluation())
    assert result.passed
    assert result.measured is None
    assert result.note == "no version is live yet"


@pytest.mark.parametrize(("champion", "passed"), [(0.791, True), (0.792, False), (0.70, True)])
def test_against_the_champion_the_difference_counts(champion, passed):
    gate = Gate(metric="auc", against="champion", at_least=-0.01)
    result = judge(gate, evaluation(), but(auc=champion))
    assert result.passed is passed
    assert result.measured == pytest.approx(0.781 - champion)


def test_a_champion_measured_on_other_rows_does_not_compare():
    gate = Gate(metric="auc", against="champion", at_least=-0.01)
    result = judge(gate, evaluation(), but(rows=9_999))
    assert not result.passed
    assert "other rows: 9,999" in result.note


def test_failures_are_all_named():
    gates = [
        Gate(metric="auc", at_least=0.9),
        Gate(metric="brier", at_most=0.2),
        Gate(metric="auc", slice="origin", at_least=0.7),
    ]
    results = judge_gates(gates, evidence(evaluation()))
    assert not all_passed(results)
    text = str(gate_error("flight_delay, version 3", results))
    assert text.startswith("flight_delay, version 3 did not pass 2 of 3 gates; found auc 0.7810")
    assert "auc by origin not measured (bound ≥ 0.7; no value of origin" in text
    assert "brier" not in text


def test_no_gates_are_not_a_pass():
    assert not all_passed(())
    assert all_passed(judge_gates([Gate(metric="auc", at_least=0.7)], evidence(evaluation())))


class Faulty:
    name = "faulty"

    def problem(self, gate):
        return None

    def title(self, gate):
        return "faulty"

    def measure(self, gate, evidence):
        if gate.params:
            return Measurement(math.nan)
        raise KeyError("income")


def test_a_criterion_that_raises_is_an_error_of_its_extension_and_not_a_verdict():
    with extensions_for():
        CRITERIA.register("faulty", Faulty())
        gate = Gate(kind="faulty", at_least=1)
        with pytest.raises(ExtensionError, match=r"criterion 'faulty' could not measure.*'income'"):
            judge(gate, evaluation())
        result = judge(Gate(kind="faulty", at_most=1, params={"nan": 1}), evaluation())
        assert (result.measured, result.passed, result.note) == (None, False, "it came out as nan")


def test_the_built_in_kinds_name_what_a_gate_lacks():
    gate = Gate(metric="auc", slice="origin", at_least=0.7)
    assert CRITERIA.get("slice").problem(gate) is None
    assert "other kinds" in str(CRITERIA.get("metric").problem(gate))
    assert "do not go together" in str(CRITERIA.get("champion").problem(gate))
    plain = Gate(metric="auc", at_least=0.7)
    assert CRITERIA.get("metric").problem(plain) is None
    assert "are needed" in str(CRITERIA.get("slice").problem(plain))
    assert "are needed" in str(CRITERIA.get("champion").problem(plain))
