"""``docs/extend/acceptance-criterion.md``: a kind of gate of a customer's stops a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops.errors import GateFailed, SpecError
from mlops.spec.model import Gate
from mlops.testing.criterion import CriterionConformance
from tests.extend.conftest import Extend
from tests.fixtures.life import Life
from tests.fixtures.small import AS_OF

GATE = "    - {metric: auc, at_least: 0.55}\n"
ADDED = f"{GATE}    - {{kind: acme_score_gap, params: {{column: origin}}, at_most: LIMIT}}\n"


@pytest.mark.usefixtures("one_thread")
def test_a_release_passes_it_and_the_report_shows_it(fresh: Life, extend: Extend) -> None:
    with extend.page("acceptance-criterion.md"):
        fresh.edit("models/late.yml", {GATE: ADDED.replace("LIMIT", "0.9")})
        release = fresh.release(AS_OF)
        ((_, gate),) = fresh.rows("SELECT gates -> 0, gates -> 1 FROM mlops.validation")
        assert gate["kind"] == "acme_score_gap"
        assert gate["passed"]
        assert 0.0 < gate["measured"] < 0.9
        assert (gate["direction"], gate["limit"]) == ("at_most", 0.9)
        assert "gap of mean scores by origin" in Path(release.documented.location).read_text()


@pytest.mark.usefixtures("one_thread")
def test_a_release_that_does_not_reach_its_bound_is_stopped(fresh: Life, extend: Extend) -> None:
    with extend.page("acceptance-criterion.md"):
        fresh.edit("models/late.yml", {GATE: ADDED.replace("LIMIT", "0")})
        with pytest.raises(GateFailed, match=r"gap of mean scores by origin 0.*highest for"):
            fresh.release(AS_OF)
        ((passed,),) = fresh.rows("SELECT passed FROM mlops.validation")
        assert not passed


def test_a_gate_that_lacks_what_it_needs_is_refused_with_its_line(
    fresh: Life, extend: Extend
) -> None:
    with extend.page("acceptance-criterion.md"):
        changed = ADDED.replace("LIMIT", "0.9").replace("column", "colum")
        fresh.edit("models/late.yml", {GATE: changed})
        with pytest.raises(SpecError, match=r"gates.1: .*'params' must name a 'column'"):
            fresh.release(AS_OF)


def test_it_passes_the_suite(extend: Extend) -> None:
    with extend.page("acceptance-criterion.md") as module:

        class Suite(CriterionConformance):
            criterion = module.ScoreGap()
            gate = Gate(kind="acme_score_gap", params={"column": "region"}, at_most=0.1)

        for name in (name for name in dir(Suite) if name.startswith("test_")):
            getattr(Suite(), name)()
