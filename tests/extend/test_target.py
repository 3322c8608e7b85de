"""``docs/extend/target.md``: a customer's target from the spec to the verdict on a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from mlops.core.artifact.package import read
from mlops.core.targets.target import target_of_package
from mlops.errors import SpecError
from mlops.registry import extensions_for
from mlops.testing.target import TargetConformance
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF, DAY

PAGE, NAME, SPEC = "target.md", "acme-amount", "models/late.yml"
TREES = "sklearn.ensemble.HistGradientBoostingClassifier"
CHANGES = {
    'Late flights flagged, measure: recall, unit: "% of late flights", target: 30}': (
        "Mean error, measure: mean_error, unit: minutes, target: 5, better: lower}"
    ),
    "  label: late\n": f"  label: delay\n  target: {NAME}\n  select_by: mae\n",
    TREES: "sklearn.ensemble.HistGradientBoostingRegressor",
    "    - {metric: auc, at_least: 0.55}\n": (
        "    - {metric: mae, at_most: 45}\n"
        "    - {metric: mae, slice: origin, at_most: 60, min_rows: 100}\n"
    ),
    "{metric: auc, at_least: 0.5, min_labels: 100}": "{metric: mae, at_most: 90, min_labels: 100}",
}
OUTCOMES = """\
SELECT
    flight_id,
    CAST(extract(epoch FROM actual_arrival - scheduled_arrival) AS float8) / 60 AS delay
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
  AND actual_arrival < :as_of
"""


def predict_delays(life: Life) -> None:
    """The small model, asked how late a flight is and not whether."""
    life.edit(SPEC, CHANGES)
    (life.include / "sql" / "late" / "outcomes.sql").write_text(OUTCOMES)


@pytest.mark.usefixtures("one_thread")
def test_a_model_of_it_lives_from_its_spec_to_a_verdict(fresh: Life, extend: Extend) -> None:
    predict_delays(fresh)
    with extend.page(PAGE) as module:
        release = fresh.release(AS_OF)
        data = fresh.workspace.artifacts.read(release.packaged.package_digest)
        contents = read(data, expected_digest=release.packaged.package_digest)
        assert target_of_package(contents.spec) is module.AMOUNT
        ((evaluation,),) = fresh.rows("SELECT evaluation FROM mlops.validation")
        assert len(evaluation["error_quantiles"]) == 3
        assert 0 < evaluation["metrics"]["mae"] < evaluation["metrics"]["rmse"]
        report = Path(release.documented.location).read_text()
        assert "Mean absolute error" in report
        assert "AUC" not in report
        fresh.live(release)
        window = fresh.window(DAY)
        assert window.published.rows == window.plan.rows > 0
        ((measured,),) = fresh.rows("SELECT content FROM mlops.measurement")
        found = expected_errors(fresh)
        assert measured["labels"] == len(found) > 100
        assert measured["metrics"]["mae"] == pytest.approx(sum(map(abs, found)) / len(found))
        assert measured["kpi"] == pytest.approx(sum(found) / len(found))
        assert (measured["present"], measured["score_histogram"]) == (window.plan.rows, [])
        assert window.judged.state in ("ok", "warn", "alarm")
        ((result,),) = fresh.rows("SELECT result FROM mlops.monitor_result")
        assert result["performance"]["metric"] == "mae"
        assert result["performance"]["state"] == "ok"
        monitored = Path(window.documented.location).read_text()
        assert "Mean absolute error" in monitored
        assert "AUC" not in monitored


def expected_errors(life: Life) -> list[float]:
    """The errors of the published predictions whose flights have arrived, in minutes."""
    rows = life.rows(
        "SELECT score, rounded, extract(epoch FROM actual_arrival - scheduled_arrival)::float8 / 60"
        " FROM ml.late JOIN flights USING (flight_id) WHERE actual_arrival IS NOT NULL"
    )
    assert all(rounded == round(score) for score, rounded, _ in rows)
    assert any(score > 1 for score, _, _ in rows), "minutes, not shares"
    return [score - delay for score, _, delay in rows]


@pytest.mark.usefixtures("one_thread")
def test_without_the_extension_the_spec_is_refused_with_its_line(fresh: Life) -> None:
    predict_delays(fresh)
    message = rf"late.yml:\d+: develop.target: target '{NAME}' is not known"
    with extensions_for(), pytest.raises(SpecError, match=message):
        fresh.release(AS_OF)


@pytest.mark.usefixtures("one_thread")
def test_a_metric_of_another_target_is_refused_with_its_line(fresh: Life, extend: Extend) -> None:
    predict_delays(fresh)
    fresh.edit(SPEC, {"{metric: mae, at_most: 45}": "{metric: auc, at_least: 0.5}"})
    with extend.page(PAGE), pytest.raises(SpecError, match=r"late.yml:\d+: .*'auc' .*acme-amount"):
        fresh.release(AS_OF)


def test_it_passes_the_suite(extend: Extend) -> None:
    with extend.page(PAGE) as module:

        class Suite(TargetConformance):
            target = module.AmountTarget()
            modules = ("acme_amount",)

            def make_labels(self, signal: np.ndarray) -> pa.ChunkedArray:
                return pa.chunked_array([pa.array(np.round(30.0 * signal, 1))])

            def make_estimator(self) -> Any:
                return LinearRegression()

        names = [name for name in dir(Suite) if name.startswith("test_")]
        assert len(names) >= 15
        for name in names:
            getattr(Suite(), name)()
