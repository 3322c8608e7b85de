"""What a person types into a run's form, as moments and windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops.connections import clock
from mlops.errors import SpecError

if TYPE_CHECKING:
    from datetime import datetime

    from mlops.core.period import Period


def moment(text: str, context: Any) -> datetime:
    """An ISO date or time in UTC; empty for the run's own clock.

    :raises SpecError: neither.
    """
    from mlops.core.period import utc

    if text in ("", "None"):
        return clock(context)
    try:
        return utc(text)
    except (ValueError, OverflowError) as error:
        raise SpecError(
            "'as_of' of the run", found=repr(text), expected="a date as 2013-07-01, or nothing"
        ) from error


def window(text: str, unit: Any, context: Any) -> Period:
    """A window as ``2013-07``; empty for the whole one before the run's clock.

    :raises SpecError: it is not a window of this unit.
    """
    from mlops.core.period import parse, period_before

    if text in ("", "None"):
        return period_before(clock(context), unit)
    return parse(text, unit)
