"""Deploy: the rows of a window, as SQL of a spec with its parameters filled in."""

from __future__ import annotations

from datetime import datetime

from mlops.core.period import Period
from mlops.spec.load import Spec
from mlops.warehouse.postgres import sql

SCORE = "score"


def scoring_query(spec: Spec, window: Period, *, as_of: datetime | None = None) -> str:
    """The rows as the model wants them: of the SQL of training, unless the spec has another."""
    return sql.render(spec.scoring_sql, _moments(window, as_of))


def rule_query(spec: Spec, window: Period, *, as_of: datetime | None = None) -> str:
    """The rule's rows: key, time, and the score as a float8."""
    develop = spec.content.develop
    columns = ", ".join(sql.quoted(name) for name in (develop.key, develop.time))
    text = sql.statement(sql.render(spec.rule_sql, _moments(window, as_of)))
    return f"SELECT {columns}, CAST({SCORE} AS float8) AS {SCORE}\nFROM (\n{text}\n) AS rule"


def _moments(window: Period, as_of: datetime | None) -> dict[str, sql.Value]:
    known = window.end if as_of is None else as_of
    return {"window_start": window.start, "window_end": window.end, "as_of": known}
