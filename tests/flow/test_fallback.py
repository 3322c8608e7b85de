"""A policy that falls back to a rule: SQL that was signed with the version, and no model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlops.approvals.eligibility import Person
from mlops.cli.main import main
from mlops.core.period import parse
from mlops.errors import DataRefused, NotSigned, QueryError, SpecError
from mlops.flow.control import control
from mlops.lineage.trace.graph import load
from mlops.lineage.trace.trace import trace
from mlops.store import ledger
from mlops.workspace.results import Controlled
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign
from tests.lineage.openlineage_schema import faults

DAY, NEXT = parse("2026-02-01", "day"), parse("2026-02-02", "day")
RULE = """\
SELECT
    visit_id,
    started,
    CASE WHEN guests > 4 THEN 0.9 ELSE 0.1 END AS score
FROM visits
WHERE started >= :window_start
  AND started < :window_end
"""


@pytest.fixture
def ruled(life_of: LifeOf) -> Life:
    """A model with a rule, and a policy that falls back to it."""
    life = life_of("late")
    life.edit(
        "policies/quick.yml",
        {"respond_within_days: 1\n": "respond_within_days: 1\nfallback: rule\n"},
    )
    life.edit("models/late.yml", {"  threshold: 0.3\n": "  threshold: 0.3\n  rule_sql: rule.sql\n"})
    (life.include / "sql" / "late" / "rule.sql").write_text(RULE)
    return life


@pytest.fixture
def ruled_live(ruled: Life) -> Life:
    """The same, with a version that is live and has scored a day."""
    version = ruled.release("2026-01-05").packaged.version
    sign(ruled, version, "owner", "bea")
    ruled.deploy(version)
    ruled.window(DAY)
    return ruled


def act(life: Life, action: str, **kwargs: str) -> Controlled:
    there = elsewhere(life, run=replace(life.workspace.run, run_id=f"by-hand-{action}")).workspace
    person = Person("bea", "bea")
    return control(there, model="late", action=action, person=person, reason="wrong", **kwargs)


def verified(life: Life) -> bool:
    with life.workspace.store.transaction() as transaction:
        return ledger.verify(transaction.session.connection())[1] is None


def test_a_stopped_model_is_scored_by_its_rule_until_it_is_resumed(ruled_live: Life) -> None:
    act(ruled_live, "stop")
    ruled = ruled_live.window(NEXT)
    assert ruled.plan.batch == "late/2026-02-02/v1/rule"
    found = ruled_live.rows(
        "SELECT p.model_version, p.score, p.decision, count(*) FROM ml.late AS p"
        " JOIN visits AS v USING (visit_id) WHERE batch = 'late/2026-02-02/v1/rule'"
        " AND p.score = CASE WHEN v.guests > 4 THEN 0.9 ELSE 0.1 END GROUP BY 1, 2, 3 ORDER BY 2"
    )
    assert [row[:3] for row in found] == [(0, 0.1, False), (0, 0.9, True)]
    assert sum(row[3] for row in found) == ruled.published.rows == 96
    before = ruled_live.content()
    assert ruled_live.window(NEXT).published == ruled.published
    assert ruled_live.content() == before
    act(ruled_live, "resume")
    again = ruled_live.window(NEXT)
    assert again.plan.batch == "late/2026-02-02/v1"
    assert ruled_live.rows("SELECT DISTINCT model_version FROM ml.late") == [(1,)]
    assert verified(ruled_live)


def test_a_window_of_the_rule_is_no_verdict_on_the_model(ruled_live: Life) -> None:
    act(ruled_live, "stop")
    ruled = ruled_live.window(NEXT)
    words = "scored by the rule of v1, so the model itself is not judged"
    assert words in ruled.judged.reasons
    performance, drifted = ruled_live.rows(
        "SELECT result->'performance'->>'state', result->'drift' FROM mlops.monitor_result"
        " WHERE period = '2026-02-02'"
    )[0]
    assert performance == "not_enough_data"
    assert {item["feature"] for item in drifted} == {"hour", "guests"}
    report = ruled_live.workspace.artifacts.read(ruled.documented.report_sha256).decode()
    assert words in report
    assert "The rule scored this window, so the model&#39;s performance is not judged." in report


def test_a_revoked_signature_lets_the_rule_score_and_opens_a_case(ruled_live: Life) -> None:
    act(ruled_live, "revoke", seat="owner")
    assert ruled_live.window(NEXT).plan.batch == "late/2026-02-02/v1/rule"
    assert ruled_live.rows('SELECT id, owner FROM mlops."case" WHERE cause = %s', "signature") == [
        ("late/v1/signature", "bea")
    ]


def test_a_plan_of_the_rule_scores_nothing_once_the_model_is_back(ruled_live: Life) -> None:
    act(ruled_live, "stop")
    plan = ruled_live.plan(NEXT)
    act(ruled_live, "resume")
    with pytest.raises(NotSigned, match=r"a plan of the rule, .* clear the task 'check_input'"):
        ruled_live.score(plan, 0)
    assert ruled_live.rows("SELECT count(*) FROM ml.late_predictions WHERE model_version = 0") == [
        (0,)
    ]


def test_the_rule_that_scores_is_the_one_that_was_signed(ruled_live: Life) -> None:
    act(ruled_live, "stop")
    file = ruled_live.include / "sql" / "late" / "rule.sql"
    file.write_text(RULE.replace("0.9", "0.5"))
    ruled_live.window(NEXT)
    assert ruled_live.rows("SELECT max(score) FROM ml.late") == [(0.9,)]


@pytest.mark.parametrize(
    ("scores", "check"),
    [("1.2", "score, range: 0.1 to 1.2"), ("NULL", "score, missing"), ("'NaN'", "score")],
)
def test_a_rule_whose_scores_are_none_is_refused_before_anything_is_written(
    ruled: Life, scores: str, check: str
) -> None:
    rule = ruled.include / "sql" / "late" / "rule.sql"
    rule.write_text(RULE.replace("0.9", scores))
    version = ruled.release("2026-01-05").packaged.version
    sign(ruled, version, "owner", "bea")
    ruled.deploy(version)
    act(ruled, "stop")
    with pytest.raises(DataRefused, match=check):
        ruled.plan(NEXT)
    assert ruled.rows("SELECT to_regclass('ml.late_predictions')") == [(None,)]


def test_lineage_says_which_columns_the_rule_reads_and_no_model(ruled_live: Life) -> None:
    act(ruled_live, "stop")
    ruled_live.window(NEXT)
    with ruled_live.workspace.store.transaction() as transaction:
        graph = load(transaction)
        found = trace(graph, "late/2026-02-02/v1/rule", upstream=True)
    (run,) = (run for run in graph.runs if run.job == "late.v1.rule")
    assert not any("models/" in place[1] for place in run.inputs)
    for output in run.outputs:
        sources = {(name.rpartition(".")[2], column) for _, name, column in output.columns["score"]}
        assert ("visits", "guests") in sources
    assert run in found.runs
    events = ruled_live.rows("SELECT body FROM mlops.lineage_event WHERE job LIKE 'late.v1.%'")
    assert [fault for (body,) in events for fault in faults(json.loads(body))] == []


@pytest.mark.parametrize("reads", ["check", "intake", "dags"])
def test_a_policy_that_falls_back_to_a_rule_needs_one(
    ruled: Life, reads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ruled.edit("models/late.yml", {"  rule_sql: rule.sql\n": ""})
    words = "policy 'quick' falls back to a rule, and model 'late' has none"
    if reads == "check":
        assert main(["check", "--include", str(ruled.include)]) == 1
        assert words in capsys.readouterr().err
        return
    with pytest.raises(SpecError, match=words):
        if reads == "intake":
            ruled.release("2026-01-05")
        else:
            from mlops.lifecycle.build import report_broken_specs

            report_broken_specs(ruled.include)


def test_a_rule_that_lacks_the_score_is_refused_with_its_file(ruled: Life) -> None:
    rule = ruled.include / "sql" / "late" / "rule.sql"
    rule.write_text(RULE.replace("AS score", "AS guess"))
    with pytest.raises(SpecError, match=r"rule\.sql.*score"):
        ruled.release("2026-01-05")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    visit_id,", "    visit_id::text,", r"rule\.sql: visit_id of another type"),
        (
            "THEN 0.9 ELSE 0.1",
            "THEN 'high' ELSE 'low'",
            r"rule\.sql: score is not a number; found text",
        ),
        ("    started,", "    started AS at,", r"rule\.sql.*started"),
    ],
)
def test_a_rule_that_could_never_score_is_refused_before_anything_is_trained(
    ruled: Life, old: str, new: str, words: str
) -> None:
    ruled.edit("sql/late/rule.sql", {old: new})
    with pytest.raises((QueryError, SpecError), match=words):
        ruled.release("2026-01-05")
    assert ruled.rows("SELECT count(*) FROM mlops.snapshot") == [(0,)]
