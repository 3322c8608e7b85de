"""``docs/extend/drift-statistic.md``: a statistic of a customer's judges a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops.core.drift.statistic import statistic_title
from mlops.errors import SpecError
from mlops.testing.drift_statistic import DriftStatisticConformance
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF, DAY

MONITOR = "monitor:\n"
DRIFT = f"{MONITOR}  drift: {{statistic: acme_mean_gap, warn: 0.2, alarm: 0.5, min_rows: 100}}\n"


@pytest.mark.usefixtures("one_thread")
def test_a_window_is_judged_by_it_and_its_report_shows_it(fresh: Life, extend: Extend) -> None:
    with extend.page("drift-statistic.md"):
        fresh.edit("models/late.yml", {MONITOR: DRIFT})
        fresh.live(fresh.release(AS_OF))
        fresh.run(
            "UPDATE flights SET distance = distance + 2000"
            " WHERE scheduled_departure >= '2013-07-01'"
        )
        window = fresh.window(DAY)
        ((drifts,),) = fresh.rows("SELECT result -> 'drift' FROM mlops.monitor_result")
        found = {item["feature"]: item for item in drifts}
        assert set(found) == {"distance", "hour", "score"}  # names have no mean
        assert {item["statistic"] for item in drifts} == {"acme_mean_gap"}
        assert found["distance"]["state"] == "alarm"
        assert found["distance"]["value"] == pytest.approx(found["distance"]["mean_shift"])
        assert window.judged.reasons[0].startswith("distance has drifted: Mean gap ")
        report = Path(window.documented.location).read_text()
        assert "The measure is the difference of means in standard deviations" in report
        assert ">Mean gap</th>" in report
        assert "PSI" not in report
    assert statistic_title("acme_mean_gap") == "acme_mean_gap"


@pytest.mark.usefixtures("one_thread")
def test_without_the_extension_the_spec_is_refused_with_its_line(fresh: Life) -> None:
    fresh.edit("models/late.yml", {MONITOR: DRIFT})
    with pytest.raises(SpecError, match=r"late.yml:\d+: monitor.drift.statistic: .* not known"):
        fresh.release(AS_OF)


def test_it_passes_the_suite(extend: Extend) -> None:
    with extend.page("drift-statistic.md") as module:

        class Suite(DriftStatisticConformance):
            statistic = module.MeanGap()

        for name in (name for name in dir(Suite) if name.startswith("test_")):
            getattr(Suite(), name)()
