import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops.core.records import GateResult
from mlops.reports.context import EvidenceContext, SeatView
from mlops.reports.evidence import LONGEST, evidence_markdown
from mlops.reports.markdown import plain, table

MISSED = GateResult(
    name="brier",
    bound="≤ 0.1",
    measured=0.17,
    passed=False,
    note="",
    kind="metric",
    metric="brier",
    column=None,
    direction="at_most",
    limit=0.1,
)


@pytest.fixture
def evidence(validation) -> EvidenceContext:
    return EvidenceContext(
        validation=validation,
        seat=validation.subject.seats[2],
        report="reports/5c5c.html",
        answer_by=datetime(2013, 7, 15, 4, 20, tzinfo=UTC),
    )


def test_it_says_what_is_signed_and_where_the_rest_lies(evidence, validation):
    text = evidence_markdown(evidence)
    assert "**You sign as Model risk**: that the risk of the model is known, limited" in text
    assert "Without an answer by 2013-07-15 04:20\N{NO-BREAK SPACE}UTC, the seat lapses." in text
    assert "[The whole report](reports/5c5c.html)" in text
    assert validation.subject.title in text
    assert validation.identity.package_sha256[:12] in text
    assert validation.identity.package_sha256 not in text
    assert "| AUC by origin | ≥ 0.65 |" in text
    assert "of 100 flagged" in text
    assert "Lowest AUC by group: " in text
    assert "✓ All 4 criteria" in text
    assert len(text) < LONGEST


def test_it_shows_the_limitations_that_the_spec_states(evidence, validation):
    assert "Limitations" not in evidence_markdown(evidence)
    stated = replace(validation, limitations=("Only adults.",))
    text = evidence_markdown(replace(evidence, validation=stated))
    assert "Limitations:\n\n- Only adults." in text


def test_a_missed_gate_stands_first(evidence, validation):
    gates = (*validation.gates, MISSED)
    text = evidence_markdown(replace(evidence, validation=replace(validation, gates=gates)))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| Criterion")
    assert rows[2] == "| Brier score | ≤ 0.1 | 0.1700 | ✕ not passed |"
    assert "✕ 1 of 5 criteria was not met: Brier score." in text


def test_nothing_breaks_out_of_its_place(evidence, hostile):
    text = evidence_markdown(replace(evidence, validation=hostile))
    link = "[The whole report](reports/5c5c.html)"
    assert text.count(link) == 1
    text = text.replace(link, "")
    assert re.search(r"(?<!\\)[<>\[\]]", text) is None
    assert "\n# big" not in text
    assert "\\| a \\| b" in text
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5,)


@pytest.mark.parametrize("times", [1, 10, 200])
def test_it_stays_short_whatever_the_context_holds(evidence, validation, times):
    long = "a very long text | with bars " * 40
    subject = replace(
        validation.subject,
        title=long,
        decision=long,
        use=long,
        restrictions=(long,) * times,
        tier_reason=long,
        business_owner=long,
        developer=long,
    )
    gates = tuple(replace(gate, name=long) for gate in validation.gates * times)
    context = replace(
        evidence,
        validation=replace(
            validation,
            subject=subject,
            gates=gates,
            candidates=validation.candidates * times,
            noun=long,
        ),
        seat=SeatView(title=long, attests=long, required=2),
    )
    text = evidence_markdown(context)
    assert len(text) < LONGEST
    assert "report" in text


def test_plain_leaves_column_names_readable():
    assert plain("origin_delay_3h") == "origin_delay_3h"
    assert plain("_bold_ *x* `c` a&b\nnew") == "\\_bold\\_ \\*x\\* \\`c\\` a&amp;b new"
    assert table(("a", "b"), [("1|2", "3")]) == "| a | b |\n| --- | --- |\n| 1\\|2 | 3 |"
