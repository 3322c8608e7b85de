"""Specs, SQL and estimators that are wrong: refused before anything is built on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops.errors import (
    DataRefused,
    GateFailed,
    NoRows,
    QueryError,
    SpecError,
    TrainingError,
)
from mlops.flow.check_data import check_data
from mlops.flow.intake import intake
from mlops.flow.snapshot import snapshot
from mlops.flow.train import train
from mlops.flow.validate import validate
from tests.fixtures.life import Life, moment
from tests.fixtures.refusals import refused
from tests.fixtures.small import AS_OF, DAY, FEATURES

if TYPE_CHECKING:
    from mlops.workspace.results import Snapshot

SPEC, FEATURES_SQL, OUTCOMES_SQL = (
    "models/late.yml",
    "sql/late/features.sql",
    "sql/late/outcomes.sql",
)
LABEL = "coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)"
ESTIMATOR = "estimator: sklearn.ensemble.HistGradientBoostingClassifier"
PARAMS = "{max_iter: 5, max_leaf_nodes: 7}"
FACTORIES = "tests.flow.factories"
ALL_COLUMNS = FEATURES.partition("\nFROM")[0]


def frozen(life: Life) -> Snapshot:
    """The rows of the spec as it stands."""
    digest = intake(life.workspace, model=life.model).spec_digest
    return snapshot(life.workspace, spec_digest=digest, as_of=moment(AS_OF))


def trained(life: Life) -> str:
    """The training of the spec as it stands."""
    taken = check_data(life.workspace, snapshot_id=frozen(life).snapshot_id)
    return train(life.workspace, snapshot_id=taken.snapshot_id).training_id


# What can be known from the files: refused at intake, and nothing is registered.


def test_unknown_keys_and_wrong_types_are_all_said_at_once(fresh: Life) -> None:
    fresh.edit(SPEC, {"  key: flight_id": "  ky: flight_id", "shards: 2": "shards: two"})
    with refused(
        fresh,
        SpecError,
        "late.yml:11: develop.key: is missing; add it",
        "late.yml:14: develop.ky: unknown key; remove it or correct its spelling",
        "late.yml:32: deploy.shards: input should be a valid integer; found 'two'",
    ):
        intake(fresh.workspace, model="late")


def test_sql_that_does_not_parse(fresh: Life) -> None:
    fresh.edit(FEATURES_SQL, {"    CAST(distance AS float8)": "    CAST distance AS float8)"})
    with refused(
        fresh,
        SpecError,
        "sql/late/features.sql: the SQL does not parse at line 6",
        "found 'AS', ",
        "expected one SELECT as Postgres reads it",
        "correct the SQL at or before this place",
    ):
        intake(fresh.workspace, model="late")


def test_sql_that_lacks_a_named_column(fresh: Life) -> None:
    fresh.edit(FEATURES_SQL, {"    origin,\n": ""})
    with refused(
        fresh,
        SpecError,
        "sql/late/features.sql: the query does not return origin",
        "found flight_id, scheduled_departure, carrier, distance, hour",
        "expected flight_id, scheduled_departure, carrier, origin, distance, hour",
        "name each column with AS",
    ):
        intake(fresh.workspace, model="late")


def test_sql_that_lacks_a_column_of_one_of_its_two_roles(fresh: Life) -> None:
    fresh.edit(SPEC, {"outcomes_sql: outcomes.sql": "outcomes_sql: features.sql"})
    fresh.edit(FEATURES_SQL, {"    origin,\n": "    dep_delay > 30 AS late,\n"})
    with refused(
        fresh,
        SpecError,
        "sql/late/features.sql: the query does not return origin",
        "expected flight_id, scheduled_departure, carrier, origin, distance, hour, late",
    ):
        intake(fresh.workspace, model="late")


def test_a_policy_that_is_not_there(fresh: Life) -> None:
    fresh.edit(SPEC, {"deploy:\n": "deploy:\n  policy: strict\n"})
    with refused(fresh, SpecError, "policies/strict.yml", "expected a YAML file"):
        intake(fresh.workspace, model="late")


# What only the database knows: refused at the snapshot, before a row is read.


def test_sql_of_a_table_that_is_not_there_is_told_by_file_and_line(fresh: Life) -> None:
    fresh.edit(FEATURES_SQL, {"FROM flights": "FROM flihgts"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh,
        QueryError,
        "late: features.sql: the SQL does not run, line 8: FROM flihgts",
        'relation "flihgts" does not exist',
        "correct the SQL",
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_a_star_hides_a_missing_column_from_nobody_but_the_parser(fresh: Life) -> None:
    fresh.edit(FEATURES_SQL, {ALL_COLUMNS: "SELECT *"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(fresh, QueryError, "late: features.sql: the query does not return hour", "found"):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_a_star_beside_one_of_its_columns(fresh: Life) -> None:
    hour = "CAST(extract(hour FROM scheduled_departure) AS int) AS hour"
    fresh.edit(FEATURES_SQL, {ALL_COLUMNS: f"SELECT *, carrier, {hour}"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh,
        QueryError,
        "late: features.sql: the query returns carrier twice",
        "expected each column once",
        "name the columns in the place of the star",
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_keys_of_types_that_cannot_be_compared_are_told_with_both_files(fresh: Life) -> None:
    fresh.edit(OUTCOMES_SQL, {"    flight_id,": "    CAST(flight_id AS text) AS flight_id,"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh,
        QueryError,
        "late: features.sql joined with outcomes.sql: the SQL does not run",
        "operator does not exist: text = bigint",
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        (
            "CAST(distance AS float8)",
            "CAST(distance AS numeric)",
            QueryError,
            ["late: the rows to train on", "distance (numeric)", "distance::float8 AS distance"],
        ),
        (
            "CAST(distance AS float8)",
            "CAST(distance AS text)",
            DataRefused,
            ["'distance' cannot be a numeric feature", "found type string", "cast the column"],
        ),
        (
            "    origin,",
            "    CAST(distance AS float8) AS origin,",
            DataRefused,
            ["'origin' cannot be a categorical feature", "found type double"],
        ),
        (
            "    scheduled_departure,",
            "    CAST(scheduled_departure AS text) AS scheduled_departure,",
            DataRefused,
            ["'scheduled_departure' cannot be the time of a row", "found type string"],
        ),
        (
            "    flight_id,",
            "    CAST(flight_id AS float8) AS flight_id,",
            QueryError,
            ["late: features.sql: the key flight_id", "found double precision", "bigint"],
        ),
    ],
)
def test_columns_of_types_that_cannot_be_what_the_spec_says(
    fresh: Life, old: str, new: str, kind: type[QueryError], words: list[str]
) -> None:
    fresh.edit(FEATURES_SQL, {old: new})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(fresh, kind, *words):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


@pytest.mark.parametrize("at", ["DATE 'infinity'", "DATE '12000-01-01'"])
def test_a_time_outside_the_calendar(fresh: Life, at: str) -> None:
    odd = f"CASE WHEN flight_id % 1000 = 0 THEN {at} ELSE scheduled_departure::date END"
    fresh.edit(FEATURES_SQL, {"    scheduled_departure,": f"    {odd} AS scheduled_departure,"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh, DataRefused, "'scheduled_departure' holds a time", "found infinity", "nullif("
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


@pytest.mark.parametrize("label", ["'yes'", "CAST(dep_delay AS float8) / 7"])
def test_a_label_that_is_neither_true_nor_false(fresh: Life, label: str) -> None:
    fresh.edit(OUTCOMES_SQL, {LABEL: label})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh, DataRefused, "'late' cannot be the label", "found type", "expected boolean", "late ="
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("float8", "float4", ["late: live.sql: distance of another type", "real", "double"]),
        ("(distance", "(distanz", ["late: live.sql: the SQL does not run, line 6", "distanz"]),
        (
            ALL_COLUMNS,
            "SELECT *",
            ["late: live.sql: the query does not return hour"],
        ),
    ],
)
def test_scoring_sql_that_could_never_score_is_refused_before_training(
    fresh: Life, old: str, new: str, words: list[str]
) -> None:
    fresh.edit(SPEC, {"deploy:\n": "deploy:\n  scoring_sql: live.sql\n"})
    (fresh.include / "sql" / "late" / "live.sql").write_text(FEATURES.replace(old, new))
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(fresh, QueryError, *words):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_sql_that_returns_no_rows(fresh: Life) -> None:
    fresh.edit(OUTCOMES_SQL, {"least(": "false AND least("})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh,
        NoRows,
        "late: features.sql joined with outcomes.sql",
        "found no row from 2013-06-21 00:00 to 2013-07-01 00:00 UTC",
        "known by 2013-07-01 00:00",
        "expected at least one row",
        "look at the run's date",
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


# What must not be refused.


def test_a_row_whose_label_is_not_known_yet_is_left_out(fresh: Life) -> None:
    fresh.edit(OUTCOMES_SQL, {LABEL: "CASE WHEN flight_id % 2 = 0 THEN dep_delay > 30 END"})
    known = fresh.value(
        "SELECT count(*) FROM flights WHERE flight_id % 2 = 0 AND dep_delay IS NOT NULL"
        " AND scheduled_departure >= '2013-06-21' AND scheduled_departure < '2013-07-01'"
        " AND least(actual_arrival, scheduled_arrival + INTERVAL '30 minutes') < '2013-07-01'"
    )
    assert frozen(fresh).rows == known > 1000


def test_a_label_of_other_numbers_than_0_and_1_is_refused_with_its_values(fresh: Life) -> None:
    fresh.edit(OUTCOMES_SQL, {LABEL: "CASE WHEN dep_delay > 30 THEN 5 ELSE 0 END"})
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(
        fresh,
        DataRefused,
        "column 'late' cannot be the label",
        "found 0, 5",
        "expected 0 and 1, or false and true",
        "write in the SQL which of them is true, as late = 5",
    ):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_the_time_of_a_row_may_be_a_date(fresh: Life) -> None:
    as_date = "    CAST(scheduled_departure AS date) AS scheduled_departure,"
    fresh.edit(FEATURES_SQL, {"    scheduled_departure,": as_date})
    before = frozen(fresh)
    assert train(fresh.workspace, snapshot_id=before.snapshot_id).chosen == "boosted_trees"
    check_data(fresh.workspace, snapshot_id=before.snapshot_id)


def test_a_gate_s_slice_is_measured_though_the_spec_lists_it_nowhere_else(fresh: Life) -> None:
    gate = "{metric: auc, slice: origin, at_least: 0.5, min_rows: 100}"
    fresh.edit(SPEC, {"at_least: 0.55}": f"at_least: 0.55}}\n    - {gate}"})
    assert validate(fresh.workspace, training_id=trained(fresh)).gates == 2
    ((gates,),) = fresh.rows("SELECT gates FROM mlops.validation")
    assert gates[1]["passed"] and gates[1]["note"].startswith("worst of 3: ")


def test_the_key_of_a_row_may_be_a_uuid(fresh: Life) -> None:
    key = {"    flight_id,": "    CAST(md5(flight_id::text) AS uuid) AS flight_id,"}
    fresh.edit(FEATURES_SQL, key)
    fresh.edit(OUTCOMES_SQL, key)
    fresh.live(fresh.release(AS_OF))
    published = fresh.publish(DAY)[2]
    assert published.rows == fresh.value("SELECT count(DISTINCT flight_id) FROM ml.late") > 0


# Estimators: refused by their candidate's name, before any candidate is fitted.


def factory(name: str) -> dict[str, str]:
    """The change of the spec that names a factory of the tests."""
    return {ESTIMATOR: f"factory: {FACTORIES}.{name}", PARAMS: "{}"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            factory("home_made"),
            [f"({FACTORIES}.home_made) cannot be packaged", "HomeMade", "trusted_types"],
        ),
        (
            factory("with_a_lambda"),
            [f"({FACTORIES}.with_a_lambda) cannot be packaged", "<lambda>"],
        ),
        (
            factory("broken"),
            [f"{FACTORIES}.broken refuses its parameters", "KeyError: 'nope'"],
        ),
        (
            {ESTIMATOR: "factory: builtins.dict", PARAMS: "{}"},
            ["the source of builtins.dict cannot be read", "a function in a Python file"],
        ),
        (
            {"BoostingClassifier": "BoostingRegressor"},
            [
                "HistGradientBoostingRegressor without predict_proba",
                "CalibratedClassifierCV",
            ],
        ),
        (
            {
                ESTIMATOR: "estimator: sklearn.linear_model.LogisticRegression",
                PARAMS: "{solver: newton-cholesky, l1_ratio: 1}",
            },
            ["could not be fitted", "newton-cholesky", "correct its params"],
        ),
    ],
)
def test_an_estimator_that_cannot_be_built_or_fitted_or_packaged(
    fresh: Life, changes: dict[str, str], words: list[str]
) -> None:
    fresh.edit(SPEC, changes)
    taken = check_data(fresh.workspace, snapshot_id=frozen(fresh).snapshot_id)
    with refused(fresh, TrainingError, "candidate 'boosted_trees'", *words):
        train(fresh.workspace, snapshot_id=taken.snapshot_id)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sklearn.ensemble.Hist": "sklearn.ensemble.Wood"},
            ["WoodGradientBoostingClassifier cannot be imported", "correct the name"],
        ),
        (
            {"max_leaf_nodes: 7": "max_leaf: 7"},
            ["refuses its parameters", "max_leaf", "correct 'params'"],
        ),
        (
            {ESTIMATOR: "estimator: sklearn.ensemble", PARAMS: "{}"},
            ["sklearn.ensemble is not an estimator", "found module", "expected a class with fit"],
        ),
        (
            {ESTIMATOR: "estimator: os.system", PARAMS: "{command: 'exit 1'}"},
            ["os.system is not an estimator", "found builtin_function", "name a class"],
        ),
        (
            {"max_leaf_nodes: 7": "max_leaf_nodes: -7"},
            ["refuses its parameters", "InvalidParameterError", "correct 'params'"],
        ),
    ],
)
def test_an_estimator_that_is_none_or_refuses_its_parameters_stops_before_a_row_is_read(
    fresh: Life, changes: dict[str, str], words: list[str]
) -> None:
    fresh.edit(SPEC, changes)
    digest = intake(fresh.workspace, model="late").spec_digest
    with refused(fresh, TrainingError, "candidate 'boosted_trees'", *words):
        snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))


def test_no_candidate_is_fitted_where_one_cannot_be_packaged(
    fresh: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = f"    - {{name: own, factory: {FACTORIES}.home_made}}\n  gates:"
    fresh.edit(SPEC, {"  gates:": last})
    taken = check_data(fresh.workspace, snapshot_id=frozen(fresh).snapshot_id)
    from sklearn.ensemble import HistGradientBoostingClassifier

    def fit(*_: object) -> None:
        pytest.fail("the first candidate was fitted")

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit)
    with refused(fresh, TrainingError, "candidate 'own'", "cannot be packaged"):
        train(fresh.workspace, snapshot_id=taken.snapshot_id)


def test_an_own_class_that_the_spec_names_is_packaged(fresh: Life) -> None:
    trust = f"  trusted_types: [{FACTORIES}.HomeMade]\n  gates:"
    fresh.edit(SPEC, {**factory("home_made"), "  gates:": trust, "0.55": "0.5"})
    assert fresh.release(AS_OF).packaged.version == 1


def test_a_gate_that_is_missed_is_on_record_before_it_is_raised(fresh: Life) -> None:
    fresh.edit(SPEC, {"at_least: 0.55": "at_least: 0.99"})
    training = trained(fresh)
    for adds in ({"mlops.validation": 1, "mlops.ledger": 1, "mlops.lineage_event": 2}, {}):
        with refused(
            fresh,
            GateFailed,
            "late: training",
            "1 of 1 gates",
            "bound ≥ 0.99",
            "auc 0.7",
            adds=adds,
        ):
            validate(fresh.workspace, training_id=training)
    assert fresh.rows("SELECT passed FROM mlops.validation") == [(False,)]
