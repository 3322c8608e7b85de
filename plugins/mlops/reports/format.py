"""Numbers, dates and digests as people read them; the filters that the templates may use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from mlops.core.drift.statistic import statistic_description, statistic_title
from mlops.core.records import GateResult
from mlops.core.targets.selection import metric_info
from mlops.core.targets.target import TARGETS
from mlops.errors import ExtensionError
from mlops.spec.extensions import DEFAULT_TARGET

NOT_MEASURED = "not measured"
GAP = "\N{NO-BREAK SPACE}"  # between a number and its unit
_SHORT = 12


def count(value: float) -> str:
    """A whole number with separators: ``28,243``."""
    return f"{value:,.0f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A measured number: ``0.781``; ``not measured`` for none."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:,.{digits}f}"
    # A tiny negative number would be printed as -0.000.
    return text.replace("-", "", 1) if float(text.replace(",", "")) == 0 else _minus(text)


def amount(value: float | None) -> str:
    """A number of the business, with one decimal where it has any: ``30``, ``54.4``."""
    return decimal(value, 1).removesuffix(".0")


def signed(value: float | None, digits: int = 2) -> str:
    """A difference: ``+0.35``, ``−0.35``; empty for none."""
    if value is None:
        return ""
    text = decimal(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in percent: ``26.0 %``; ``not measured`` for none."""
    return NOT_MEASURED if share is None else f"{100.0 * share:.{digits}f}{GAP}%"


def day(moment: datetime) -> str:
    """``2013-06-01``."""
    return f"{moment:%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """``2013-06-01 05:00 UTC``; moments are in UTC everywhere."""
    return f"{moment:%Y-%m-%d %H:%M}{GAP}UTC"


def seconds(value: float) -> str:
    """A duration: ``3.2 s``, ``2 min 5 s``."""
    if value < 60:  # noqa: PLR2004
        return f"{value:.1f}{GAP}s"
    whole = round(value)
    return f"{whole // 60:,}{GAP}min {whole % 60}{GAP}s"


def short(digest: str) -> str:
    """The first twelve characters of a digest, for the eye; a report shows the whole one once."""
    return digest[:_SHORT]


def metric(name: str, target: str = DEFAULT_TARGET) -> str:
    """A metric of a target as people call it: ``Brier score``; its name if it is not known here."""
    try:
        return metric_info(TARGETS.get(target), name).title
    except ExtensionError:
        return name


def gate_title(gate: GateResult, target: str = DEFAULT_TARGET) -> str:
    """A gate as people call it: ``AUC by origin``."""
    if gate.metric is None:
        return gate.name
    return gate.name.replace(gate.metric, metric(gate.metric, target), 1)


@pass_context
def _metric(context: Context, name: str, target: str = "") -> str:
    """Of a gate by its name as well: templates of before have no other filter for it."""
    first, gap, rest = name.partition(" ")
    return metric(first, target or _target(context)) + gap + rest


@pass_context
def _gate_title(context: Context, gate: GateResult, target: str = "") -> str:
    return gate_title(gate, target or _target(context))


def _target(context: Context) -> str:
    """The target of the report that is rendered."""
    return getattr(context.get("report"), "target", DEFAULT_TARGET)


def bound(text: str) -> str:
    """A bound with a true minus sign: ``≥ −0.01``."""
    return _minus(text)


def several(number: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``28,243 rows``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}", 1)


FILTERS: dict[str, Callable[..., Any]] = {
    "count": count,
    "decimal": decimal,
    "amount": amount,
    "signed": signed,
    "percent": percent,
    "day": day,
    "minute": minute,
    "seconds": seconds,
    "short": short,
    "several": several,
    "metric": _metric,
    "gate_title": _gate_title,
    "bound": bound,
    "statistic": statistic_title,
    "statistic_description": statistic_description,
}
