from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops.core.period import Period
from mlops.core.targets.binary.records import Confusion
from mlops.reports import format as fmt
from mlops.reports.card import model_card
from mlops.reports.context import features_of, subject_of
from mlops.reports.phrases import limitations, missing_facts
from mlops.reports.targets.binary.report import flagged_of_hundred, flagged_share

GAP = "\N{NO-BREAK SPACE}"


def test_numbers_are_formatted_for_people():
    assert fmt.count(28_243) == "28,243"
    assert fmt.decimal(0.78123) == "0.781"
    assert fmt.decimal(-0.0001) == "0.000"
    assert fmt.decimal(-0.25, 2) == "−0.25"
    assert fmt.decimal(None) == "not measured"
    assert fmt.percent(0.26) == f"26.0{GAP}%"
    assert fmt.percent(None) == "not measured"
    assert [fmt.signed(value) for value in (0.354, -0.354, 0.0001, None)] == [
        "+0.35",
        "−0.35",
        "0.00",
        "",
    ]
    assert [fmt.amount(value) for value in (30.0, 54.41, 1_200.0)] == ["30", "54.4", "1,200"]
    assert fmt.seconds(3.21) == f"3.2{GAP}s"
    assert fmt.seconds(125) == f"2{GAP}min 5{GAP}s"
    assert fmt.day(datetime(2013, 6, 1, tzinfo=UTC)) == "2013-06-01"
    assert fmt.minute(datetime(2013, 6, 1, 5, tzinfo=UTC)) == f"2013-06-01 05:00{GAP}UTC"
    assert fmt.several(1, "criterion", "criteria") == "1 criterion"
    assert fmt.several(2, "criterion", "criteria") == "2 criteria"
    assert fmt.several(1_000, "row") == "1,000 rows"
    assert fmt.metric("auc") == "AUC"
    assert fmt.metric("gini") == "gini"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (Confusion(0.4, 61, 39, 800, 100), (61, 38)),
        (Confusion(0.4, 0, 0, 800, 100), None),
        (Confusion(0.4, 0, 10, 800, 0), None),
    ],
)
def test_of_a_hundred(cells, expected):
    assert flagged_of_hundred(cells) == expected


def test_the_flagged_share_of_no_rows_is_nothing():
    assert flagged_share(Confusion(0.4, 0, 0, 0, 0)) == 0.0


def test_a_year_of_test_rows_lifts_the_limit_of_seasons(validation):
    assert "June 2013 only" in limitations(validation)[0]
    year = Period(datetime(2012, 7, 1, tzinfo=UTC), datetime(2013, 7, 1, tzinfo=UTC))
    whole = replace(validation, test=replace(validation.test, period=year))
    assert len(limitations(whole)) == len(limitations(validation)) - 1
    trusting = replace(validation, trusted_types=("acme.Model",))
    assert any("acme.Model" in line for line in limitations(trusting))
    added = replace(validation, model_format="acme-scorecard")
    assert any("'acme-scorecard'" in line for line in limitations(added))
    assert not any("format" in line for line in limitations(validation))
    stated = replace(validation, limitations=("Only adults.",))
    assert limitations(stated) == (*limitations(validation), "Only adults.")
    assert not any("Further limitations" in line for line in missing_facts(stated))
    assert any("Further limitations" in line for line in missing_facts(validation))


def test_a_subject_has_its_tier_and_seats(validation):
    assert validation.subject.tier == "medium"
    assert validation.subject.kpi_target == "at least 30 % of late flights"
    assert [seat.title for seat in validation.subject.seats] == [
        "Business owner",
        "Lead data scientist",
        "Model risk",
    ]


def test_features_say_what_is_expected_of_them(spec):
    expected = {feature.name: feature.expected for feature in features_of(spec.content)}
    assert expected["distance"] == "0 to 6,000; never missing"
    assert expected["flights_same_hour"] == "≥ 1; never missing"
    assert expected["dest"] == "new names ≤ 2 %; never missing"
    assert "any number; missing ≤ " in expected["origin_delay_3h"]


def test_the_model_card_is_the_same_each_time_and_names_no_run(spec, validation):
    card = model_card(spec, validation.evaluation.metrics)
    assert card == model_card(spec, validation.evaluation.metrics)
    assert card.startswith("# flight_delay\n")
    assert spec.content.manage.decision in card
    manage = spec.content.manage
    assert manage.limitations
    assert all(line in card for line in (*manage.restrictions, *manage.limitations))
    assert spec.digest in card
    assert "| aircraft_delay |" in card
    assert "scheduled__" not in card


def test_a_subject_without_a_tier_has_no_seats(spec, policy):
    strict = policy.model_copy(update={"tiers": policy.tiers[:1]})  # for credit and its like only
    subject = subject_of(spec.content, strict)
    assert (subject.tier, subject.tier_reason, subject.seats) == (None, None, ())
