"""Windows that 0.1.0 scored and measured give the same again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from mlops.core.period import parse
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.publish import publish
from mlops.flow.score import score
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.results import Published
from tests.compat.earlier import (
    AS_MADE,
    EARLIER,
    FRESH,
    MODEL,
    WINDOWS,
    assert_same_scores,
    loads_models,
    only_as_made,
    plain,
)
from tests.fixtures.life import Life

pytestmark = EARLIER


@loads_models
@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_a_plan_of_0_1_0_is_scored_to_the_same_rows(left: Life, window: str) -> None:
    """A run may have been between two of its tasks during the upgrade."""
    expected, before = WINDOWS[window], left.content()
    left.run(f"DELETE FROM ml.late_predictions WHERE batch = '{expected['plan']['batch']}'")
    plan = Plan.from_json(expected["plan"])
    scored = [score(left.workspace, plan=plan, shard=shard) for shard in plan.shards]
    assert scored == [Scored(**item) for item in expected["scored"]]
    if AS_MADE:
        assert publish(left.workspace, plan=plan, scored=scored) == Published(
            **expected["published"]
        )
        assert left.content() == before


def test_what_was_scored_then_is_published_now(left: Life) -> None:
    expected, before = WINDOWS["2013-07-04"], left.content()
    found = publish(
        left.workspace,
        plan=Plan.from_json(expected["plan"]),
        scored=[Scored(**item) for item in expected["scored"]],
    )
    assert found == Published(**expected["published"])
    assert left.content() == before


@only_as_made
def test_a_window_that_is_run_again_changes_nothing(left: Life) -> None:
    expected, before = WINDOWS["2013-07-04"], left.content()
    window = parse("2013-07-04", "day")
    plan, scored, published = left.publish(window)
    assert plan == Plan.from_json(expected["plan"])
    assert list(scored) == [Scored(**item) for item in expected["scored"]]
    assert plain(asdict(published)) == expected["published"]
    measured = measure(left.workspace, model=MODEL, window=window)
    assert plain(asdict(measured)) == expected["measured"]
    judged = judge(left.workspace, measurement=measured.measurement)
    assert plain(asdict(judged)) == expected["judged"]
    assert left.content() == before


def predictions(left: Life, batch: str) -> dict[str, list[Any]]:
    """What the applications read of a batch: score and decision by key."""
    found = left.rows("SELECT flight_id, score, decision FROM ml.late WHERE batch = %s", batch)
    return {str(key): [value.hex(), decision] for key, value, decision in found}


@loads_models
def test_a_new_window_gets_the_scores_that_0_1_0_gave_it(left: Life) -> None:
    window = left.window(parse("2013-07-05", "day"))
    assert window.plan == Plan.from_json(FRESH["plan"])
    assert plain(asdict(window.published)) == FRESH["published"]
    found = predictions(left, window.published.batch)
    keys = sorted(FRESH["scores"])
    assert sorted(found) == keys
    assert len(keys) == window.published.rows > 100
    assert [found[key][1] for key in keys] == [FRESH["scores"][key][1] for key in keys]
    assert_same_scores([found[k][0] for k in keys], [FRESH["scores"][k][0] for k in keys])
    if AS_MADE:
        assert plain(asdict(window.measured)) == FRESH["measured"]
        assert plain(asdict(window.judged)) == FRESH["judged"]
