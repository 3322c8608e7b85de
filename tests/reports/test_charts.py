import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.core.records import GateResult, Metrics, Slice
from mlops.core.targets.binary.records import Curve, details_of
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.selection import metric_info
from mlops.reports import charts, monitor_charts
from mlops.reports.svg import Canvas, Scale, round_up, tick_text, ticks
from mlops.reports.targets.binary import charts as binary_charts
from mlops.reports.targets.binary.charts import auc_interval

FINITE = st.floats(-1e9, 1e9, allow_nan=False)
SOME = Metrics(
    1_000,
    {
        "positives": 250,
        "auc": 0.8,
        "average_precision": 0.6,
        "log_loss": 0.4,
        "brier": 0.1,
        "calibration_error": 0.02,
        "mean_score": 0.25,
    },
)


def some(rows: int = SOME.rows, **changes: float | None) -> Metrics:
    """The metrics, some of them changed."""
    return Metrics(rows, {**SOME.values, **changes})


@given(FINITE, FINITE, st.integers(1, 12))
def test_ticks_are_round_lie_inside_and_are_few(a, b, about):
    low, high = min(a, b), max(a, b)
    found = ticks(low, high, about)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert len(found) <= about + 2


@given(st.floats(1e-6, 1e9))
def test_round_up_is_above_but_not_far(value):
    assert value * (1 - 1e-6) <= round_up(value) <= 1.5 * value


def test_numbers_are_written_without_idle_digits():
    assert [tick_text(value) for value in (0, 0.2, 12_000, 0.25)] == ["0", "0.2", "12,000", "0.25"]
    assert Scale(0, 0, 10, 20)(5) == 15
    canvas = Canvas(10, 10, "x")
    canvas.line((-0.001, 1.0), (2.50, 3.14159))
    assert 'x1="0" y1="1" x2="2.5" y2="3.14"' in canvas.render()


def test_words_in_a_picture_are_escaped():
    canvas = Canvas(10, 10, 'a "quote" & <b>')
    canvas.text((1, 1), "<script>")
    picture = canvas.render()
    assert "<script>" not in picture
    assert ET.fromstring(picture).get("aria-label") == 'a "quote" & <b>'


AUC, BRIER = metric_info(BINARY, "auc"), metric_info(BINARY, "brier")


def gate(direction: str, limit: float) -> GateResult:
    return GateResult("g", "b", None, True, "", "slice", "auc", "origin", direction, limit)


def slices(found, whole, bound=None, metric=AUC):
    interval = auc_interval if metric is AUC else (lambda _: None)
    return charts.slices(found, whole, metric, interval=interval, gate=bound)


def drawn(validation, monitoring):
    found, details = validation.evaluation, details_of(validation.evaluation)
    yield binary_charts.roc(found.metrics, details)
    yield binary_charts.precision_recall(found.metrics, details)
    yield binary_charts.calibration(details.calibration, 0.01)
    yield binary_charts.histogram(details.score_histogram, 0.8)
    yield binary_charts.squares(61, "61 of 100")
    yield charts.importance(found.importance, AUC)
    yield slices(found.slices, found.metrics, gate("at_least", 0.9))
    yield slices(found.slices, found.metrics, gate("at_most", 0.9), BRIER)
    yield monitor_charts.volumes(["a"], [0], [0])
    yield monitor_charts.drift_bar(monitoring.result.drift[0], warn=0.1, alarm=0.25)


def test_every_picture_is_xml_inside_its_frame(validation, monitoring):
    for picture in drawn(validation, monitoring):
        root = ET.fromstring(picture)
        _, _, width, height = (float(part) for part in root.get("viewBox").split())
        for element in root.iter():
            for x in ("x", "x1", "x2", "cx"):
                assert -1 <= float(element.get(x, 0)) <= width + 1
            for y in ("y", "y1", "y2", "cy"):
                assert -1 <= float(element.get(y, 0)) <= height + 1
        assert "nan" not in picture


def test_one_hundred_squares_are_one_hundred():
    picture = binary_charts.squares(61, "61 of 100")
    assert picture.count("<rect") == 100
    assert picture.count('fill="#0b4f8a"') == 61


def test_what_cannot_be_drawn_is_none(validation):
    nothing = Curve((), ())
    found = validation.evaluation
    details = replace(details_of(found), roc=nothing, precision_recall=nothing)
    assert binary_charts.roc(found.metrics, details) is None
    assert binary_charts.precision_recall(found.metrics, details) is None
    assert charts.importance((), AUC) is None
    unmeasured = Slice("origin", "EWR", some(auc=None))
    assert slices([unmeasured], SOME) is None
    point = monitor_charts.TrendPoint("2013-07", None, "not_enough_data")
    assert monitor_charts.trend([point], [], title="AUC") is None


def test_the_interval_of_auc_narrows_with_rows_and_stays_inside():
    low, high = auc_interval(SOME)
    # Hanley and McNeil 1982, worked by hand for AUC 0.8, 250 positives and 750 negatives.
    assert (low, high) == pytest.approx((0.7649, 0.8351), abs=5e-4)
    more_low, more_high = auc_interval(some(rows=100_000, positives=25_000))
    assert low < more_low < 0.8 < more_high < high
    assert auc_interval(some(auc=1.0)) == (1.0, 1.0)
    assert auc_interval(some(auc=None)) is None
    tiny = auc_interval(some(rows=2, positives=1))
    assert 0.0 <= tiny[0] <= tiny[1] <= 1.0


@pytest.mark.parametrize("value", [0.5, 0.0, -3.0, 1e6])
def test_a_trend_of_one_point_or_of_equal_points_can_be_drawn(value):
    point = monitor_charts.TrendPoint("2013-07", value, "ok")
    level = monitor_charts.Level(value, "bound", firm=True)
    for points in ([point], [point] * 3):
        picture = monitor_charts.trend(points, [level], title="AUC")
        assert picture.count("<circle") == len(points)


def test_names_of_near_levels_do_not_cover_one_another():
    levels = [monitor_charts.Level(value, f"level {value}", firm=False) for value in (0.71, 0.72)]
    points = [monitor_charts.TrendPoint("a", value, "ok") for value in (0.2, 0.9)]
    picture = monitor_charts.trend(points, levels, title="AUC")
    places = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>level', picture)]
    assert abs(places[0] - places[1]) >= 13


def test_slices_beyond_their_bound_are_in_another_colour():
    good, bad = Slice("origin", "EWR", some(auc=0.8)), Slice("origin", "JFK", some(auc=0.6))
    for bound, colours in ((gate("at_least", 0.7), 1), (gate("at_most", 0.7), 1), (None, 0)):
        picture = slices([good, bad], SOME, bound)
        assert len(re.findall(r'<circle[^>]*fill="#a4262c"', picture)) == colours


def test_an_axis_of_any_size_holds_all_slices():
    for value in (0.0, 1e-6, 12.5, 3e7):
        found = [Slice("origin", "EWR", some(brier=value)), Slice("origin", "JFK", SOME)]
        picture = slices(found, some(brier=value), metric=BRIER)
        assert picture.count("<circle") == 2
