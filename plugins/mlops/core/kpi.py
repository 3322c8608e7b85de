"""The business result of a window, in the words of the business."""

from __future__ import annotations

from mlops.core.period import Period
from mlops.core.records import KpiResult
from mlops.spec.model import Kpi

# From here on a reader has no use for a decimal.
WHOLE_FROM = 100


def judge_kpi(kpi: Kpi, value: float | None, window: Period) -> KpiResult:
    """Hold the KPI's value against its target and say it in one sentence."""
    reached = None
    if value is not None:
        reached = value >= kpi.target if kpi.better == "higher" else value <= kpi.target
    shown = "nothing yet" if value is None else _number(value)
    return KpiResult(
        name=kpi.name,
        unit=kpi.unit,
        target=kpi.target,
        better=kpi.better,
        value=value,
        reached=reached,
        sentence=_fill(
            kpi.sentence,
            {
                "name": kpi.name,
                "value": shown,
                "unit": kpi.unit,
                "target": _number(kpi.target),
                "period": window.words(),
            },
        ),
    )


def _fill(sentence: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        sentence = sentence.replace("{" + name + "}", word)
    return sentence


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM or value == int(value) else f"{value:,.1f}"
