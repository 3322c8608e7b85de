import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.core.period import (
    UNITS,
    Period,
    parse,
    period_before,
    periods_before,
    split,
)
from mlops.errors import SpecError

MOMENTS = st.datetimes(
    datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)
) | st.datetimes(
    datetime(1900, 1, 1),
    datetime(2199, 12, 31),
    timezones=st.sampled_from([timezone(timedelta(hours=h)) for h in (-11, 5, 13)]),
)
UNIT = st.sampled_from(UNITS)
LONGEST = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "start", "end", "label"),
    [
        ("month", at(2013, 6, 1), at(2013, 7, 1), "2013-06"),
        ("week", at(2013, 6, 24), at(2013, 7, 1), "2013-W26"),
        ("day", at(2013, 6, 30), at(2013, 7, 1), "2013-06-30"),
        ("hour", at(2013, 6, 30, 23), at(2013, 7, 1), "2013-06-30T23"),
    ],
)
def test_the_period_before_a_moment_had_ended_at_it(unit, start, end, label):
    found = period_before(at(2013, 7, 1), unit)
    assert found == Period(start, end)
    assert found.label() == label
    assert parse(label, unit) == found


def test_a_week_of_the_turn_of_the_year_has_the_year_of_its_thursday():
    assert period_before(at(2013, 1, 7, 12), "week").label() == "2013-W01"


def test_five_months_and_one_in_words():
    months = periods_before(at(2013, 7, 1), "month", 6)
    assert [month.label() for month in months] == [f"2013-0{month}" for month in range(1, 7)]
    train = Period(months[0].start, months[4].end)
    assert train.words() == "January to May 2013"
    assert train.unit is None
    assert train.label() == "2013-01-01/2013-06-01"
    assert months[5].words() == "June 2013"


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (at(2012, 11, 1), at(2013, 3, 1), "November 2012 to February 2013"),
        (at(2012, 1, 1), at(2013, 1, 1), "January to December 2012"),
        (at(2013, 7, 1), at(2013, 7, 2), "2013-07-01"),
        (at(2013, 7, 1), at(2013, 7, 8), "2013-07-01 to 2013-07-07"),
        (at(2013, 7, 1, 5), at(2013, 7, 1, 6), "2013-07-01 05:00 to 2013-07-01 06:00 UTC"),
    ],
)
def test_words(start, end, words):
    assert Period(start, end).words() == words


@given(MOMENTS, UNIT)
def test_no_whole_period_ends_between_the_one_before_and_the_moment(moment, unit):
    before = period_before(moment, unit)
    assert before.end <= moment
    assert before.unit == unit
    following = period_before(before.end + LONGEST[unit], unit)
    assert following.start == before.end
    assert moment < following.end


@given(MOMENTS, UNIT, st.integers(1, 40))
def test_periods_before_follow_on_one_another(moment, unit, n):
    found = periods_before(moment, unit, n)
    assert len(found) == n
    assert found[-1] == period_before(moment, unit)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


@given(MOMENTS, UNIT)
def test_a_label_is_read_back(moment, unit):
    period = period_before(moment, unit)
    assert parse(period.label(), unit) == period


@given(MOMENTS, UNIT, st.integers(1, 300))
def test_parts_are_equal_and_make_the_whole(moment, unit, n):
    period = period_before(moment, unit)
    parts = split(period, n)
    assert parts[0].start == period.start
    assert parts[-1].end == period.end
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    lengths = [part.end - part.start for part in parts]
    assert max(lengths) - min(lengths) <= timedelta(seconds=1)
    assert len(parts) == n


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2013-13", "month"),
        ("2013-7", "month"),
        ("2013-07-01", "month"),
        ("2013-W54", "week"),
        ("2013-W00", "week"),
        ("2013-02-30", "day"),
        ("2013-02-28T24", "hour"),
        ("0000-01", "month"),
        ("٢٠١٣-07", "month"),
        ("", "day"),
    ],
)
def test_what_is_no_period_is_refused_with_an_example(text, unit):
    with pytest.raises(SpecError, match=f"expected a {unit} like 20"):
        parse(text, unit)


def test_a_moment_needs_a_time_zone():
    with pytest.raises(SpecError, match="time zone"):
        period_before(datetime(2013, 7, 1), "month")
    with pytest.raises(SpecError, match="the end of a period is not in UTC"):
        Period(at(2013, 7, 1), datetime(2013, 7, 2, tzinfo=timezone(timedelta(hours=1))))


def test_what_cannot_be_is_refused():
    day = Period(at(2013, 7, 1), at(2013, 7, 2))
    with pytest.raises(SpecError, match="before it begins"):
        Period(day.end, day.start)
    with pytest.raises(SpecError, match="at least 1"):
        periods_before(day.end, "day", 0)
    with pytest.raises(SpecError, match="from 1 to 86400"):
        split(day, 0)
    with pytest.raises(SpecError, match="from 1 to 86400"):
        split(day, 86_401)
    with pytest.raises(SpecError, match="hour or day or week or month"):
        period_before(day.start, "year")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="year from 1 to 9999"):
        period_before(at(1, 1, 1), "month")
