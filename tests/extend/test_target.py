"""``docs/extend/target.md``: a customer's target from the spec to the verdict on a window."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from demo.summary import summary
from mlops.approvals.eligibility import Person
from mlops.core.artifact.package import read
from mlops.core.period import parse
from mlops.core.targets.target import target_of_package
from mlops.errors import SpecError
from mlops.flow.control import control
from mlops.registry import extensions_for
from mlops.testing.target import TargetConformance
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF, DAY

PAGE, NAME, SPEC = "target.md", "acme-amount", "models/late.yml"
NEXT = parse("2013-07-02", "day")
TREES = "sklearn.ensemble.HistGradientBoostingClassifier"
CHANGES = {
    'Late flights flagged, measure: recall, unit: "% of late flights", target: 30}': (
        "Mean error, measure: mean_error, unit: minutes, target: 5, better: lower}"
    ),
    "  label: late\n": f"  label: delay\n  target: {NAME}\n  select_by: mae\n",
    "  threshold: 0.3\n": "  rule_sql: rule.sql\n",
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


RULE = """\
SELECT flight_id, scheduled_departure, 11.6 AS score
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
"""


def predict_delays(life: Life) -> None:
    """The small model, asked how late a flight is and not whether."""
    life.edit(SPEC, CHANGES)
    (life.include / "sql" / "late" / "outcomes.sql").write_text(OUTCOMES)
    (life.include / "sql" / "late" / "rule.sql").write_text(RULE)


@pytest.mark.usefixtures("one_thread")
def test_a_model_of_it_lives_from_its_spec_to_a_verdict(fresh: Life, extend: Extend) -> None:
    predict_delays(fresh)
    policy = fresh.include / "policies" / "standard.yml"
    policy.write_text(policy.read_text() + "fallback: rule\n")
    with extend.page(PAGE) as module:
        release = fresh.release(AS_OF)
        data = fresh.workspace.artifacts.read(release.packaged.package_digest)
        contents = read(data, expected_digest=release.packaged.package_digest)
        assert target_of_package(contents.spec) is module.AMOUNT
        ((evaluation,),) = fresh.rows("SELECT evaluation FROM mlops.validation")
        assert len(evaluation["error_quantiles"]) == 3
        assert 0 < evaluation["metrics"]["mae"] < evaluation["metrics"]["rmse"]
        report = Path(release.documented.location).read_text()
        titles = ["Mean absolute error", "Root mean squared error", "R²"]
        quality = report.partition("How good it is</h2>")[2].partition("</table>")[0]
        assert re.findall(r'<th scope="row">(.*?)</th>', quality) == titles
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
        shown = summary(fresh.database, fresh.model, url="", reports="reports", lineage="")
        assert re.search(r"boosted_trees +Mean absolute error \d+\.\d{3}  chosen", shown)
        stop(fresh)
        ruled = fresh.window(NEXT)
        assert ruled.published.rows == ruled.plan.rows > 0
        batch = "SELECT DISTINCT score, rounded FROM ml.late WHERE batch = %s"
        assert fresh.rows(batch, f"late/{NEXT.label()}/v1/rule") == [(11.6, 12)]
        assert ruled.judged.state in ("ok", "warn", "alarm")


def stop(life: Life) -> None:
    """A person takes the model out of use, and the policy falls back to the rule."""
    run = replace(life.workspace.run, run_id="by-hand")
    control(
        replace(life.workspace, run=run),
        model=life.model,
        action="stop",
        person=Person("bea", "bea"),
        reason="wrong",
    )


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


@pytest.mark.usefixtures("one_thread")
def test_a_key_named_as_a_column_of_its_predictions_is_refused(fresh: Life, extend: Extend) -> None:
    predict_delays(fresh)
    fresh.edit(SPEC, {"  key: flight_id\n": "  key: rounded\n"})
    message = r"late.yml:\d+: develop: the predictions have a column 'rounded' of their own"
    with extend.page(PAGE), pytest.raises(SpecError, match=message):
        fresh.release(AS_OF)
