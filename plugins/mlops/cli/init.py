"""``init``: the files that a company begins with, and the first spec of a model.

Nothing is overwritten: a file that is there is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from mlops.errors import SpecError
from mlops.spec.schema import json_schema
from mlops.warehouse.records import Column

DAG_FILES = {
    "mlops_models.py": (
        "Every spec becomes four Airflow DAGs: release, score, monitor and control.",
        "build_dags",
    ),
    "mlops_broken_specs.py": ("Shows broken specs as an import error.", "report_broken_specs"),
    "mlops_governance.py": (
        "The Airflow DAG that looks after all models: ledger, reviews, reminders.",
        "governance_dag",
    ),
}
# What the starter files hold for a person to replace.
PLACEHOLDER = re.compile(r"replace-me-\d|Replace this by")
# What the query writes for a column whose type no model reads.
_CASTS = {
    "numeric": "CAST({} AS float8)",
    "character": "CAST({} AS text)",
    "uuid": "CAST({} AS text)",
    '"char"': "CAST({} AS text)",
    "name": "CAST({} AS text)",
    "timestamp without time zone": "{} AT TIME ZONE 'UTC'",
    "date": "CAST({} AS timestamp) AT TIME ZONE 'UTC'",
}
_NUMERIC = re.compile(r"smallint|integer|bigint|numeric|real|double precision|boolean")
_CATEGORICAL = re.compile(r"text|character|uuid|\"char\"|name")


@dataclass(frozen=True)
class Start:
    """What a first spec is made from.

    :ivar table: the table or view that holds the cases, with its schema.
    :ivar columns: all of its columns.
    """

    model: str
    warehouse: str
    table: str
    key: str
    time: str
    label: str
    columns: tuple[Column, ...]


def init(folder: Path, start: Start | None = None) -> int:
    """Write the DAG files, a policy and the schemas below ``folder``, and the spec of one model.

    :raises SpecError: the table lacks a column that is named.
    """
    contents = dict(_common())
    if start is not None:
        contents.update(_model(start))
    for name, text in contents.items():
        file = folder / name
        if file.exists():
            print(f"kept   {file}")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"wrote  {file}")
    print(
        f"next: edit what is marked replace-me, then run `mlops check --include {folder}/include`"
        if start
        else f"next: `mlops init {folder} --model …` writes a first spec from a table's columns"
    )
    return 0


def _common() -> Iterator[tuple[str, str]]:
    for name, (description, function) in DAG_FILES.items():
        yield (
            f"dags/{name}",
            f'"""{description}"""\n\nfrom mlops.lifecycle import {function}\n\n{function}()\n',
        )
    yield "include/policies/standard.yml", _starter("policy.yml")
    yield "include/schema/model.json", json.dumps(json_schema("model"), indent=2) + "\n"
    yield "include/schema/policy.json", json.dumps(json_schema("policy"), indent=2) + "\n"


def _model(start: Start) -> Iterator[tuple[str, str]]:
    missing = sorted({start.key, start.time, start.label} - {c.name for c in start.columns})
    if missing:
        raise SpecError(
            f"the table {start.table}",
            found=f"no column {', '.join(missing)}",
            expected="the columns that --key, --time and --label name",
        )
    features = dict(_features(start))
    read = {column.name: _expression(column) for column in start.columns}
    wanted = [start.key, start.time, *features]
    values = {
        **{name: getattr(start, name) for name in ("model", "warehouse", "table")},
        **{name: getattr(start, name) for name in ("key", "time", "label")},
        "features": "\n".join(f"    {name}: {text}" for name, text in features.items()),
        "moment": read[start.time],
        "columns": ",\n    ".join(
            name if read[name] == name else f"{read[name]} AS {name}" for name in wanted
        ),
    }
    yield f"include/models/{start.model}.yml", _filled("model.yml", values)
    for name in ("features.sql", "outcomes.sql"):
        yield f"include/sql/{start.model}/{name}", _filled(name, values)


def _features(start: Start) -> Iterator[tuple[str, str]]:
    """Every other column of a type that models learn from, with what is known of it."""
    for column in start.columns:
        if column.name in (start.key, start.time, start.label):
            continue
        if _NUMERIC.match(column.type):
            yield column.name, "{max_null_share: 0.1}"
        elif _CATEGORICAL.match(column.type):
            yield column.name, "{kind: categorical, max_null_share: 0.1}"


def _expression(column: Column) -> str:
    """The column as a type that models read."""
    return _CASTS.get(column.type, "{}").format(column.name)


def _filled(name: str, values: Mapping[str, str]) -> str:
    return Template(_starter(name)).substitute(values)


def _starter(name: str) -> str:
    return (files("mlops") / "starter" / name).read_text(encoding="utf-8")
