"""Deploy: the rows of a window, as SQL of a spec with its parameters filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops.core.period import Period
from mlops.core.targets.target import target_of
from mlops.spec.load import Spec
from mlops.warehouse.records import Column, PredictionTable

if TYPE_CHECKING:  # a step without SQL does not load its parser
    from mlops.warehouse.dialect import Dialect, Value

SCORE = "score"


def prediction_table(spec: Spec) -> PredictionTable:
    """Where the predictions of a spec's model are kept."""
    return PredictionTable(
        schema=spec.content.deploy.output_schema,
        model=spec.model,
        key=spec.content.develop.key,
        columns=tuple(
            Column(column.name, column.type)
            for column in target_of(spec.content).prediction_columns
        ),
    )


def scoring_query(dialect: Dialect, spec: Spec, window: Period) -> str:
    """The rows as the model wants them: of the SQL of training, unless the spec has another."""
    return dialect.render(spec.scoring_sql, _time_parameters(window))


def rule_query(dialect: Dialect, spec: Spec, window: Period) -> str:
    """The rule's rows: key, time, and the score as a float of eight bytes."""
    develop = spec.content.develop
    columns = ", ".join(dialect.quoted(name) for name in (develop.key, develop.time))
    text = dialect.statement(dialect.render(spec.rule_sql, _time_parameters(window)))
    score = f"CAST({SCORE} AS {dialect.float_type}) AS {SCORE}"
    return f"SELECT {columns}, {score}\nFROM (\n{text}\n) AS rule"


def _time_parameters(window: Period) -> dict[str, Value]:
    return {"window_start": window.start, "window_end": window.end, "as_of": window.end}
