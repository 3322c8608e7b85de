"""What a spec may say, and the sentence that it gets for what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from mlops.spec.load import Spec
from mlops.spec.model import PREDICTION_COLUMNS

if TYPE_CHECKING:
    from tests.spec.conftest import Folder

TITLE = "title: Will this customer leave within three months?"
GATE = "- {metric: auc, at_least: 0.7}"
AGE = "age: {min: 0, max: 120}"
PLAN = "plan: {kind: categorical}"
ESTIMATOR = "      estimator: sklearn.linear_model.LogisticRegression\n"


def test_a_sound_spec_is_read_with_its_defaults(folder: Folder) -> None:
    content = folder.content()
    assert content.model == "churn"
    assert content.develop.numeric == ("age",)
    assert content.develop.categorical == ("plan",)
    assert content.develop.split.unit == "month"
    assert content.deploy.policy == "standard"
    assert content.sql_files == ("kpi.sql", "features.sql", "outcomes.sql")


def test_a_spec_is_frozen(folder: Folder) -> None:
    content = folder.content()
    with pytest.raises(ValidationError, match="frozen"):
        content.model = "other"
    with pytest.raises(ValidationError, match="frozen"):
        content.develop.split.train = 5


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        pytest.param(
            "  use:",
            "  colour: red\n  use:",
            "colour",
            "manage.colour: unknown key; remove it or correct its spelling",
            id="unknown key",
        ),
        pytest.param(
            AGE,
            "age: {minn: 0, max: 120}",
            "minn",
            "develop.features.age.minn: unknown key; remove it or correct its spelling",
            id="unknown key of a feature",
        ),
        pytest.param(
            AGE,
            "numeric: {minn: 0, max: 120}",
            "minn",
            "develop.features.numeric.minn: unknown key; remove it or correct its spelling",
            id="unknown key of a feature that is named as a kind",
        ),
        pytest.param(
            PLAN,
            "plan: {kind: categorical, min: 0}",
            "min: 0}",
            "develop.features.plan.min: unknown key; remove it or correct its spelling",
            id="numeric key of a categorical feature",
        ),
        pytest.param(
            "target: 10",
            "target: many",
            "many",
            "manage.kpi.target: input should be a valid number; found 'many'",
            id="wrong type",
        ),
        pytest.param(
            "target: 10",
            "target: .nan",
            ".nan",
            "manage.kpi.target: input should be a finite number; found nan",
            id="not a number",
        ),
        pytest.param(
            TITLE,
            "title: 5",
            "title",
            "title: input should be a valid string; found 5",
            id="a number is not text",
        ),
        pytest.param(
            AGE,
            "age: {min: true, max: 120}",
            "min: true",
            "develop.features.age.min: input should be a valid number; found True",
            id="true is not a number",
        ),
        pytest.param(
            TITLE,
            "title: '  '",
            "title",
            "title: string should have at least 1 character; found '  '",
            id="empty text",
        ),
        pytest.param(
            "  decision: Whom do we call?\n",
            "",
            "manage:",
            "manage.decision: is missing; add it",
            id="missing",
        ),
        pytest.param(
            "model: churn\n", "", "title", "model: is missing; add it", id="missing at the top"
        ),
        pytest.param(
            "exposure: low",
            "exposure: none",
            "exposure",
            "manage.exposure: input should be 'low', 'medium' or 'high'; found 'none'",
            id="not one of the choices",
        ),
        pytest.param(
            "{train: 3}",
            "{train: 0}",
            "train",
            "develop.split.train: input should be greater than or equal to 1; found 0",
            id="too small",
        ),
        pytest.param(
            PLAN,
            "plan: {kind: category}",
            "plan",
            "develop.features.plan: a feature is numeric or categorical, as in {min: 0} or "
            "{kind: categorical}; found a mapping",
            id="unknown kind of feature",
        ),
        pytest.param(
            AGE,
            "age:",
            "    age:",
            "develop.features.age: a feature is numeric or categorical, as in {min: 0} or "
            "{kind: categorical}; found None",
            id="feature without a mapping",
        ),
        pytest.param(
            AGE,
            "age: {min: 120, max: 0}",
            "age: {",
            "develop.features.age: 'max' (0) must not be below 'min' (120)",
            id="range upside down",
        ),
        pytest.param(
            AGE,
            "a-ge: {min: 0}",
            "a-ge",
            "develop.features.a-ge.[key]: string should match pattern "
            "'^[A-Za-z_][A-Za-z0-9_]{0,62}$'; found 'a-ge'",
            id="feature that is no column name",
        ),
        pytest.param(
            "  split:",
            "  contract: {label_share: [0.6, 0.1]}\n  split:",
            "contract",
            "develop.contract: 'label_share' goes from low to high, found [0.6, 0.1]",
            id="label share upside down",
        ),
        pytest.param(
            ESTIMATOR,
            f"{ESTIMATOR}      factory: ours.make\n",
            "- name: line",
            "develop.candidates.0: give either 'estimator' or 'factory', and only one of them",
            id="both estimator and factory",
        ),
        pytest.param(
            ESTIMATOR,
            "",
            "- name: line",
            "develop.candidates.0: give either 'estimator' or 'factory', and only one of them",
            id="neither estimator nor factory",
        ),
        pytest.param(
            "- name: line",
            "- {name: line, factory: ours.make}\n    - name: line",
            "develop:",
            "develop: candidates must have different names, found ['line', 'line']",
            id="two candidates of one name",
        ),
        pytest.param(
            "{C: 0.1}",
            "{C: .inf}",
            "- name: line",
            "develop.candidates.0: 'params' must not hold NaN or infinity",
            id="infinite parameter",
        ),
        pytest.param(
            GATE,
            "- {metric: auc}",
            "- {metric: auc}",
            "develop.gates.0: give either 'at_least' or 'at_most', and only one of them",
            id="gate without bound",
        ),
        pytest.param(
            GATE,
            "- {metric: auc, at_least: 0.7, at_most: 0.9}",
            "at_most",
            "develop.gates.0: give either 'at_least' or 'at_most', and only one of them",
            id="gate with two bounds",
        ),
        pytest.param(
            GATE,
            "- {metric: auc, at_least: 0, slice: plan, against: champion}",
            "slice",
            "develop.gates.0: 'slice' and 'against' do not go together",
            id="gate by slice and against the champion",
        ),
        pytest.param(
            f"gates:\n    {GATE}\n",
            "gates: []\n",
            "gates",
            "develop.gates: tuple should have at least 1 item after validation, not 0; "
            "found a list",
            id="no gates",
        ),
        pytest.param(
            "  gates:",
            "  slices: [age]\n  gates:",
            "develop:",
            "develop: slices are categorical features, and these are not: age",
            id="slice that is numeric",
        ),
        pytest.param(
            GATE,
            "- {metric: auc, at_least: 0.7, slice: city}",
            "develop:",
            "develop: slices are categorical features, and these are not: city",
            id="gate on an unknown slice",
        ),
        pytest.param(
            AGE,
            "customer: {min: 0}",
            "develop:",
            "develop: column 'customer' is the key and cannot be a feature as well",
            id="feature called as the key",
        ),
        pytest.param(
            AGE,
            "gone: {min: 0}",
            "develop:",
            "develop: column 'gone' is the label and cannot be a feature as well",
            id="feature called as the label",
        ),
        pytest.param(
            AGE,
            "score: {min: 0}",
            "develop:",
            "develop: a feature cannot be called 'score', which is the model's own column",
            id="feature called score",
        ),
        pytest.param(
            "key: customer",
            "key: batch",
            "key: batch",
            "develop.key: the predictions have a column 'batch' of their own; give the key another "
            "name with AS, in the SQL and here",
            id="key called as a column of the predictions",
        ),
        pytest.param(
            "time: month",
            "time: customer",
            "develop:",
            "develop: key, time and label are three columns, found "
            "{'key': 'customer', 'time': 'customer', 'label': 'gone'}",
            id="one column twice",
        ),
        pytest.param(
            "monitor:\n",
            "deploy: {window: day}\nmonitor:\n",
            "monitor:",
            "monitor: 'window' is month and 'deploy.window' is day; give both the same, since a "
            "window is monitored as it was scored",
            id="a window that is never scored",
        ),
        pytest.param(
            "performance: {metric: auc, at_least: 0.65}",
            "performance: {metric: auc}",
            "performance",
            "monitor.performance: give either 'at_least' or 'at_most', and only one of them",
            id="performance without bound",
        ),
        pytest.param(
            "monitor:\n",
            "monitor:\n  drift: {warn: 0.3, alarm: 0.2}\n",
            "drift",
            "monitor.drift: 'alarm' (0.2) must not be below 'warn' (0.3)",
            id="alarm below warning",
        ),
        pytest.param(
            "monitor:\n",
            "monitor:\n  schedule: every Monday\n",
            "schedule",
            "monitor.schedule: 'every Monday' is not a schedule (Exactly 5, 6 or 7 columns has to "
            "be specified for iterator expression); write one as '0 6 1 * *' or '@monthly'",
            id="schedule in words",
        ),
        pytest.param(
            "monitor:\n",
            "deploy:\n  schedule: 0 25 * * *\n\nmonitor:\n",
            "schedule",
            "deploy.schedule: '0 25 * * *' is not a schedule ([0 25 * * *] is not acceptable, out "
            "of range); write one as '0 6 1 * *' or '@monthly'",
            id="schedule at an hour that no day has",
        ),
        pytest.param(
            "  split: {train: 3}",
            "  split: {train: 3}\n  seed: -1",
            "seed",
            "develop.seed: input should be greater than or equal to 0; found -1",
            id="seed that scikit-learn refuses",
        ),
        pytest.param(
            "  split: {train: 3}",
            "  split: {train: 3}\n  seed: 4294967296",
            "seed",
            "develop.seed: input should be less than 4294967296; found 4294967296",
            id="seed of more than 32 bits",
        ),
        pytest.param(
            "  split: {train: 3}",
            "  split: {train: 1000000000}",
            "split",
            "develop.split.train: input should be less than or equal to 100000; found 1000000000",
            id="more periods than there were",
        ),
        pytest.param(
            "monitor:\n",
            "deploy:\n  output_schema: pg_scores\n\nmonitor:\n",
            "pg_scores",
            "deploy.output_schema: 'pg_scores': "
            "Postgres keeps names that begin with pg_ for itself",
            id="schema that Postgres refuses",
        ),
        pytest.param(
            "monitor:\n",
            "deploy:\n  output_schema: mlops\n\nmonitor:\n",
            "mlops",
            "deploy.output_schema: 'mlops' is the schema of the store, "
            "which only its owner changes",
            id="schema of the store",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_with_its_place(
    folder: Folder, old: str, new: str, where: str, sentence: str
) -> None:
    lines = folder.spec_error({old: new})
    assert lines == [f"models/churn.yml:{folder.line(where)}: {sentence}."]


def test_a_key_may_have_no_name_that_the_predictions_have() -> None:
    """The spec is the lowest layer, so it has a list of its own."""
    from mlops.core.targets.binary.target import BINARY
    from mlops.warehouse.postgres.predictions import _VIEW_COLUMNS, columns_of
    from mlops.warehouse.records import Column, PredictionTable

    columns = tuple(Column(column.name, column.type) for column in BINARY.prediction_columns)
    table = PredictionTable(schema="ml", model="late", key="flight_id", columns=columns)
    assert sorted(PREDICTION_COLUMNS) == sorted((*columns_of(table), *_VIEW_COLUMNS))


@pytest.mark.parametrize("column", PREDICTION_COLUMNS)
def test_a_key_of_a_name_that_the_predictions_have_is_refused(folder: Folder, column: str) -> None:
    (line,) = folder.spec_error({"key: customer": f"key: {column}"})
    assert f"develop.key: the predictions have a column '{column}' of their own" in line


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    lines = folder.spec_error(
        {
            GATE: "- {metric: auc, at_leest: 0.7}",
            "target: 10": "target: many",
            AGE: "age: young",
            "  decision: Whom do we call?\n": "",
            "performance: {metric: auc, at_least: 0.65}": "performance: {metric: gini}",
            "    - name: line\n": "    - {name: b, factory: b.c, parms: {}}\n    - name: line\n",
        }
    )
    places = [line.split(": ")[:2] for line in lines]
    assert places == [
        [f"models/churn.yml:{folder.line('manage:')}", "manage.decision"],
        [f"models/churn.yml:{folder.line('target')}", "manage.kpi.target"],
        [f"models/churn.yml:{folder.line('    age:')}", "develop.features.age"],
        [f"models/churn.yml:{folder.line('parms')}", "develop.candidates.0.parms"],
        [f"models/churn.yml:{folder.line('at_leest')}", "develop.gates.0.at_leest"],
        [f"models/churn.yml:{folder.line('gini')}", "monitor.performance.metric"],
    ]


@pytest.mark.parametrize("schedule", ["0 6 1 * *", "@monthly", "@quarterly", "@continuous"])
def test_a_schedule_is_what_airflow_understands(folder: Folder, schedule: str) -> None:
    content = folder.content({"monitor:\n": f"monitor:\n  schedule: '{schedule}'\n"})
    assert content.monitor.schedule == schedule


def test_a_gate_knows_its_kind_and_its_bound(folder: Folder) -> None:
    gates = "\n    ".join(
        [
            GATE,
            "- {metric: brier, at_most: 0.25, slice: plan}",
            "- {metric: auc, at_least: -0.01, against: champion}",
        ]
    )
    found = folder.content({GATE: gates}).develop.gates
    assert [(gate.kind_name, gate.bound, gate.direction, gate.limit) for gate in found] == [
        ("metric", "≥ 0.7", "at_least", 0.7),
        ("slice", "≤ 0.25", "at_most", 0.25),
        ("champion", "≥ -0.01", "at_least", -0.01),
    ]


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        ("- {at_least: 0.7}", "develop.gates.0: 'metric' is missing"),
        ("- {metric: auc, params: {a: 1}, at_least: 0.7}", "'params' belong to a 'kind'"),
        ("- {kind: slice, metric: auc, at_least: 0.7}", "'metric' and 'slice' are needed"),
        ("- {kind: fairness, at_least: 0.7}", "criterion 'fairness' is not known; found the known"),
    ],
)
def test_a_gate_of_a_kind_has_what_its_kind_needs(folder: Folder, gate: str, sentence: str) -> None:
    (line,) = folder.spec_error({GATE: gate})
    assert line.startswith(f"models/churn.yml:{folder.line('    - {')}: develop.gates.0: ")
    assert sentence in line


def test_a_statistic_is_known_and_brings_bounds_of_its_own(folder: Folder) -> None:
    watched = "monitor:\n"
    (line,) = folder.spec_error({watched: "monitor:\n  drift: {statistic: psi}\n"})
    assert "with 'statistic', give 'warn' and 'alarm' in its unit" in line
    drift = "monitor:\n  drift: {statistic: acme, warn: 1, alarm: 2}\n"
    (line,) = folder.spec_error({watched: drift})
    assert "monitor.drift.statistic: drift statistic 'acme' is not known" in line
    assert line.startswith(f"models/churn.yml:{folder.line('statistic: acme')}")


def test_a_registered_spec_is_read_without_its_extensions(folder: Folder) -> None:
    spec = folder.spec()
    written = spec.to_json()
    gate = {**written["content"]["develop"]["gates"][0], "kind": "acme_fairness"}
    written["content"]["develop"]["gates"] = [gate]
    written["content"]["monitor"]["drift"]["statistic"] = "acme"
    again = Spec.from_json(written)
    assert again.content.develop.gates[0].kind_name == "acme_fairness"
    assert again.content.monitor.drift.statistic_name == "acme"
