"""Periods on the UTC calendar: hours, days, weeks that begin on Monday, and months.

A run's clock is a moment; what it works on are whole periods that ended at or before it, so that
a run that is late, cleared or repeated works on the same rows as the first one did.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from mlops.errors import SpecError
from mlops.spec.model import PeriodUnit

UNITS: tuple[PeriodUnit, ...] = ("hour", "day", "week", "month")
_EXAMPLES: dict[str, str] = {
    "hour": "2013-07-01T05",
    "day": "2013-07-01",
    "week": "2013-W27",
    "month": "2013-07",
}
_FORMATS: dict[str, str] = {
    "hour": r"\d{4}-\d{2}-\d{2}T\d{2}",
    "day": r"\d{4}-\d{2}-\d{2}",
    "week": r"\d{4}-W\d{2}",
    "month": r"\d{4}-\d{2}",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def utc(text: str) -> datetime:
    """An ISO date or time in UTC, which is also meant where no time zone is given.

    :raises ValueError: it is neither.
    :raises OverflowError: it is outside the calendar in UTC.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass(frozen=True, order=True)
class Period:
    """The moments from ``start`` (included) to ``end`` (excluded), both aware and in UTC.

    :raises SpecError: a bound without a time zone or in another one, or an end that is not
        after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse what is not a period."""
        for name, bound in (("start", self.start), ("end", self.end)):
            if bound.utcoffset() != timedelta(0):
                raise SpecError(
                    f"the {name} of a period is not in UTC",
                    found=bound.isoformat(),
                    expected="a datetime with the time zone UTC",
                )
        if self.end <= self.start:
            raise SpecError(
                "a period ends before it begins",
                found=f"{self.start.isoformat()} to {self.end.isoformat()}",
                expected="an end after the start",
            )

    @property
    def unit(self) -> PeriodUnit | None:
        """The calendar unit that this is exactly one of; none for any other stretch of time."""
        return next((unit for unit in UNITS if _is_one(self, unit)), None)

    def label(self) -> str:
        """The period in short, to be read back by :func:`parse`.

        ``2013-07``, ``2013-W27``, ``2013-07-01`` or ``2013-07-01T05``; a stretch that is not one
        calendar period is written as both its ends, ``2013-01-01/2013-06-01``.
        """
        unit = self.unit
        if unit is None:
            return f"{_iso(self.start)}/{_iso(self.end)}"
        if unit == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year:04d}-W{week:02d}"
        return self.start.isoformat()[: len(_EXAMPLES[unit])]

    def words(self) -> str:
        """The period as a person would say it: ``July 2013``, ``January to May 2013``."""
        whole_months = _at_month(self.start) and _at_month(self.end)
        if whole_months:
            return _months_in_words(self.start, self.end - timedelta(days=1))
        if _at_midnight(self.start) and _at_midnight(self.end):
            first, last = self.start.date(), (self.end - timedelta(days=1)).date()
            return f"{first}" if first == last else f"{first} to {last}"
        return f"{_minutes(self.start)} to {_minutes(self.end)} UTC"


def period_before(moment: datetime, unit: PeriodUnit) -> Period:
    """The last whole period that had ended at ``moment``.

    On 2013-07-01 at midnight, and until 2013-07-31, that is June.

    :raises SpecError: ``moment`` has no time zone, the unit is unknown, or the calendar ends.
    """
    end = _floor(_utc(moment), unit)
    return Period(_step(end, unit, -1), end)


def periods_before(moment: datetime, unit: PeriodUnit, n: int) -> tuple[Period, ...]:
    """The last ``n`` whole periods that had ended at ``moment``, the oldest first.

    :raises SpecError: as :func:`period_before`, or ``n`` is below 1.
    """
    if n < 1:
        raise SpecError("a number of periods is too small", found=n, expected="at least 1")
    bounds = [_floor(_utc(moment), unit)]
    for _ in range(n):
        bounds.append(_step(bounds[-1], unit, -1))
    bounds.reverse()
    return tuple(Period(start, end) for start, end in pairwise(bounds))


def parse(text: str, unit: PeriodUnit) -> Period:
    """Read one period of ``unit``, written as :meth:`Period.label` writes it.

    :raises SpecError: ``text`` is not such a period, or the calendar does not have it.
    """
    _known(unit)
    problem = SpecError(
        f"'{text}' is not a {unit}", found=text, expected=f"a {unit} like {_EXAMPLES[unit]}"
    )
    if not re.fullmatch(_FORMATS[unit], text, flags=re.ASCII):
        raise problem
    try:
        if unit == "week":
            year, week = int(text[:4]), int(text[6:])
            start = datetime.fromisocalendar(year, week, 1).replace(tzinfo=UTC)
        else:
            form = "%Y-%m-%dT%H"[: {"month": 5, "day": 8, "hour": 11}[unit]]
            start = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        raise problem from None
    return Period(start, _step(start, unit, 1))


def split(period: Period, n: int) -> tuple[Period, ...]:
    """``n`` contiguous parts of equal length (to the second), which together are the period.

    :raises SpecError: ``n`` is below 1, or above the period's length in seconds.
    """
    seconds = int((period.end - period.start).total_seconds())
    if not 1 <= n <= seconds:
        raise SpecError(
            f"period {period.label()} cannot be cut into {n} parts",
            found=n,
            expected=f"a whole number from 1 to {seconds}, its length in seconds",
        )
    cuts = [period.start + timedelta(seconds=seconds * part // n) for part in range(n)]
    cuts.append(period.end)
    return tuple(Period(start, end) for start, end in pairwise(cuts))


def add_months(moment: datetime, months: int) -> datetime:
    """The same day so many months later; the month's last day where it has no such day."""
    count = moment.year * 12 + moment.month - 1 + months
    year, month = count // 12, count % 12 + 1
    return moment.replace(
        year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1])
    )


def _known(unit: str) -> None:
    if unit not in UNITS:
        raise SpecError(f"'{unit}' is not a unit of time", found=unit, expected=" or ".join(UNITS))


def _utc(moment: datetime) -> datetime:
    """``moment`` in UTC, as a plain datetime (Airflow hands out a subclass)."""
    if moment.utcoffset() is None:
        raise SpecError(
            "a moment without a time zone does not say when it is",
            found=moment.isoformat(),
            expected="a datetime with a time zone",
        )
    in_utc = moment.astimezone(UTC)
    return datetime(*in_utc.timetuple()[:6], in_utc.microsecond, tzinfo=UTC)


def _floor(moment: datetime, unit: PeriodUnit) -> datetime:
    """The start of the period that holds ``moment``."""
    _known(unit)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return hour
    day = hour.replace(hour=0)
    if unit == "day":
        return day
    if unit == "week":
        return _step(day, "day", -day.weekday())
    return day.replace(day=1)


def _step(start: datetime, unit: PeriodUnit, n: int) -> datetime:
    """The start of the period ``n`` after the one that begins at ``start``."""
    try:
        if unit == "month":
            months = start.year * 12 + start.month - 1 + n
            return start.replace(year=months // 12, month=months % 12 + 1)
        return start + timedelta(hours={"hour": 1, "day": 24, "week": 168}[unit] * n)
    except (OverflowError, ValueError):
        raise SpecError(
            "a period is outside the calendar",
            found=f"{n} {unit}(s) from {start.isoformat()}",
            expected="a year from 1 to 9999",
        ) from None


def _is_one(period: Period, unit: PeriodUnit) -> bool:
    last = period.end - timedelta(microseconds=1)
    whole = _floor(period.start, unit) == period.start and _floor(period.end, unit) == period.end
    return whole and _floor(last, unit) == period.start


def _at_midnight(moment: datetime) -> bool:
    return _floor(moment, "day") == moment


def _at_month(moment: datetime) -> bool:
    return _floor(moment, "month") == moment


def _iso(moment: datetime) -> str:
    if _at_midnight(moment):
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _minutes(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _months_in_words(first: datetime, last: datetime) -> str:
    month, last_month = _MONTHS[first.month - 1], _MONTHS[last.month - 1]
    if (first.year, first.month) == (last.year, last.month):
        return f"{month} {first.year}"
    if first.year == last.year:
        return f"{month} to {last_month} {last.year}"
    return f"{month} {first.year} to {last_month} {last.year}"
