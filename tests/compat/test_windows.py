"""Windows that 0.1.0 scored and measured give the same again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from mlops.core.period import parse
from mlops.errors import RecordMissing
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.publish import publish
from mlops.flow.score import score
from tests.compat.earlier import (
    AS_MADE,
    EARLIER,
    FRESH,
    MODEL,
    WINDOWS,
    assert_same_scores,
    loads_models,
    plain,
)
from tests.fixtures.life import Life

pytestmark = EARLIER


def test_a_plan_of_0_1_0_is_refused_with_what_to_do(left: Life) -> None:
    """It was handed on from task to task, and recorded nowhere; a run may wait between two."""
    before = left.content()
    with pytest.raises(RecordMissing, match=r"no plan that the ledger records.*'check_input'"):
        score(left.workspace, model=MODEL, plan="None", shard=0)
    with pytest.raises(RecordMissing, match=r"no plan that the ledger records.*'check_input'"):
        publish(left.workspace, model=MODEL, plan="None")
    assert left.content() == before


def test_a_batch_of_0_1_0_is_measured_and_judged_as_it_was(left: Life) -> None:
    expected, before = WINDOWS["2013-07-04"], left.content()
    measured = measure(left.workspace, model=MODEL, window=parse("2013-07-04", "day"))
    judged = judge(left.workspace, measurement=measured.measurement)
    if AS_MADE:
        assert plain(asdict(measured)) == expected["measured"]
        assert plain(asdict(judged)) == expected["judged"]
        assert left.content() == before
    assert measured.batch == expected["measured"]["batch"]


@loads_models
@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_a_window_of_0_1_0_that_is_read_again_gets_the_same_scores(left: Life, window: str) -> None:
    """The new reading is a generation of its own, in the place of the earlier rows."""
    query = "SELECT flight_id, score, decision FROM ml.late_predictions WHERE {} ORDER BY 1"
    batch = left.plan(parse(window, "day")).batch
    earlier = left.rows(query.format(f"batch LIKE '{batch.partition('#')[0]}%'"))
    plan, _, published = left.publish(parse(window, "day"))
    assert (plan.batch, published.batch) == (batch, batch)
    again = left.rows(query.format(f"batch LIKE '{batch.partition('#')[0]}%'"))
    assert [row[::2] for row in again] == [row[::2] for row in earlier]
    assert_same_scores([row[1].hex() for row in again], [row[1].hex() for row in earlier])


def predictions(left: Life, batch: str) -> dict[str, list[Any]]:
    """What the applications read of a batch: score and decision by key."""
    found = left.rows("SELECT flight_id, score, decision FROM ml.late WHERE batch = %s", batch)
    return {str(key): [value.hex(), decision] for key, value, decision in found}


@loads_models
def test_a_new_window_gets_the_scores_that_0_1_0_gave_it(left: Life) -> None:
    window = left.window(parse("2013-07-05", "day"))
    assert window.plan.batch == FRESH["plan"]["batch"]
    assert window.plan.rows == FRESH["plan"]["rows"]
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
