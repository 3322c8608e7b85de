from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops.core.period import periods_before
from mlops.reports.context import Action, WindowResult
from mlops.reports.monitoring import monitoring_report, usual_actions
from mlops.reports.phrases import labels_sentence


def text_of(context, templates) -> str:
    return " ".join(monitoring_report(context, templates).split())


def test_the_state_and_its_reasons_stand_on_top(monitoring, templates):
    html = text_of(monitoring, templates)
    top = html[: html.index("<main>")]
    assert monitoring.result.state == "alarm"
    assert 'class="banner bad"' in top
    assert "Alarm in December 2013, for" in top
    assert monitoring.result.kpi.sentence in top
    for reason in monitoring.result.reasons:
        assert reason in top
    assert "2,100 of 5,000 flights (42.0 %)" in html


def test_every_feature_and_every_window_is_in_it(monitoring, templates):
    html = text_of(monitoring, templates)
    for item in monitoring.result.drift:
        assert f'<th scope="row">{item.feature}</th>' in html
    for window in (*monitoring.earlier, WindowResult(monitoring.window, monitoring.result)):
        assert html.count(window.period.label()) >= 5  # heat map, table and three pictures
    assert 'class="h3" title="alarm"' in html
    assert "January to May 2013 (12,000 flights)" in html


def test_the_worst_feature_comes_first(monitoring, templates):
    html = text_of(monitoring, templates)
    ranked = sorted(monitoring.result.drift, key=lambda item: -item.value)
    table = html[html.index('<table class="heat">') :]
    assert table.index(f">{ranked[0].feature}<") < table.index(f">{ranked[-1].feature}<")


def test_equal_records_give_equal_bytes(monitoring, templates):
    assert monitoring_report(monitoring, templates) == monitoring_report(monitoring, templates)


def test_it_needs_nothing_but_itself(monitoring, templates):
    html = monitoring_report(monitoring, templates)
    assert "<script" not in html
    assert "<img" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_what_may_be_done_names_the_dags_and_the_version_before(monitoring, templates):
    html = text_of(monitoring, templates)
    for words in ("flight_delay_score", "flight_delay_monitor", "flight_delay_release"):
        assert words in html
    assert "Make version 2 live again" in html
    alone = replace(monitoring, previous_version=None)
    assert [action.name for action in usual_actions(alone)] == ["Rerun", "Retrain"]
    assert "A version to roll back to: none was live before." in text_of(alone, templates)
    own = replace(monitoring, actions=(Action("Stop", "It does harm.", "Call bea."),))
    assert "Call bea." in text_of(own, templates)


@pytest.mark.parametrize(
    ("state", "css", "words"),
    [
        ("ok", "banner good", "Nothing to act upon in December 2013."),
        ("warn", "banner warn", "Warning in December 2013, for"),
        ("not_enough_data", "banner ", "There is not enough data in December 2013 to judge."),
    ],
)
def test_each_state_has_its_words(monitoring, templates, state, css, words):
    context = replace(monitoring, result=replace(monitoring.result, state=state))
    html = text_of(context, templates)
    assert f'class="{css}"' in html
    assert words in html


def test_a_first_window_without_labels_or_value(monitoring, templates):
    result = monitoring.result
    nothing = replace(
        result,
        state="not_enough_data",
        reasons=(),
        drift=tuple(replace(item, state="not_enough_data", rows=3) for item in result.drift),
        performance=replace(
            result.performance, state="not_enough_data", measured=None, metrics=None, labels=0
        ),
        kpi=replace(result.kpi, value=None, reached=None),
    )
    bare = replace(
        monitoring,
        result=nothing,
        earlier=(),
        reference=None,
        validated=None,
        live_since=None,
        previous_version=None,
        runbook=None,
        performance_bound=None,
        ledger_head=None,
    )
    html = text_of(bare, templates)
    assert "Nothing has been measured yet: no label has arrived." in html
    assert "No feature could be judged: there is not enough data." in html
    assert "Earlier windows of this version: none was measured." in html
    assert "Performance: no label has arrived yet." in html
    assert "heat" not in html[html.index("<main>") :]
    assert ">None" not in html


def test_no_rows_at_all_are_reported_too(monitoring, templates):
    performance = replace(
        monitoring.result.performance, rows=0, labels=0, measured=None, metrics=None
    )
    result = replace(monitoring.result, rows=0, performance=performance)
    assert "0 of 0 flights" in text_of(replace(monitoring, result=result), templates)


def test_labels_are_told_with_their_share(monitoring):
    few = replace(
        monitoring,
        result=replace(
            monitoring.result,
            performance=replace(monitoring.result.performance, labels=50),
        ),
    )
    assert "Below 500 labels, performance is not judged." in labels_sentence(few)
    assert "measured again when more arrive" in labels_sentence(monitoring)


@pytest.mark.parametrize("unit", ["hour", "day", "week"])
def test_many_short_windows_still_fit(monitoring, templates, unit):
    moment = datetime(2014, 1, 1, tzinfo=UTC)
    *before, now = periods_before(moment, unit, 30)
    earlier = tuple(WindowResult(period, monitoring.earlier[0].result) for period in before)
    html = text_of(replace(monitoring, window=now, earlier=earlier), templates)
    assert html.count('<th scope="col">') < 60
    assert earlier[0].period.label() not in html
    assert now.end - now.start >= timedelta(hours=1)


def test_a_page_full_of_scripts_runs_none(monitoring, templates):
    script = "<script>alert('x')</script>"
    result = monitoring.result
    context = replace(
        monitoring,
        title=script,
        model=script,
        business_owner=script,
        developer=script,
        runbook=script,
        noun=script,
        missing_facts=(script,),
        actions=(Action(script, script, script),),
        result=replace(
            result,
            reasons=(script,),
            drift=tuple(replace(item, feature=script) for item in result.drift),
            kpi=replace(result.kpi, name=script, unit=script, sentence=script),
            performance=replace(result.performance, metric="auc", bound=script),
        ),
    )
    html = monitoring_report(context, templates)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
