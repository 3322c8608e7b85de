from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from mlops.core.kpi import judge_kpi
from mlops.core.period import Period
from mlops.spec.model import Kpi

JULY = Period(datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 8, 1, tzinfo=UTC))


def kpi(**changed):
    return Kpi(**{"name": "Flagged", "sql": "kpi.sql", "unit": "%", "target": 30.0, **changed})


def test_the_sentence_says_value_target_and_period():
    result = judge_kpi(kpi(), 46.12, JULY)
    assert result.sentence == "Flagged: 46.1 % in July 2013, target 30"
    assert result.reached is True


@pytest.mark.parametrize(
    ("better", "value", "reached"),
    [
        ("higher", 30.0, True),
        ("higher", 29.9, False),
        ("lower", 30.0, True),
        ("lower", 30.1, False),
    ],
)
def test_the_target_itself_is_reached(better, value, reached):
    assert judge_kpi(kpi(better=better), value, JULY).reached is reached


def test_no_value_is_neither_reached_nor_missed():
    result = judge_kpi(kpi(), None, JULY)
    assert result.reached is None
    assert "nothing yet" in result.sentence


@pytest.mark.parametrize("both", [{"measure": "recall"}, {"sql": None}])
def test_a_kpi_has_sql_or_a_measure_and_only_one(both):
    with pytest.raises(ValidationError, match="either 'sql' or 'measure'"):
        kpi(**both)
