"""Rows that break the contract, before anything is learnt from them and before they are scored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.core.period import Period, parse
from mlops.errors import (
    DataRefused,
    PredictionError,
    QueryError,
    RecordMissing,
    WarehouseError,
)
from mlops.flow.check_data import check_data
from mlops.flow.document import monitor_report
from mlops.flow.intake import intake
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.snapshot import snapshot
from mlops.flow.train import train
from mlops.flow.validate import validate
from mlops.store.tables import BatchRow
from mlops.views.inventory import summaries
from mlops.workspace.results import Judged, Measured
from tests.fixtures.life import Life, moment
from tests.fixtures.refusals import READ_AND_VERDICT, VERDICT, refused
from tests.fixtures.small import AS_OF, DAY

SPEC, FEATURES_SQL, OUTCOMES_SQL = (
    "models/late.yml",
    "sql/late/features.sql",
    "sql/late/outcomes.sql",
)
LABEL = "coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)"
IN_WINDOW = "scheduled_departure >= '2013-07-01' AND scheduled_departure < '2013-07-02'"
ANY_KEY = "ALTER TABLE flights DROP CONSTRAINT flights_pkey CASCADE"
ANY_CARRIER = "ALTER TABLE flights DROP CONSTRAINT flights_carrier_fkey"
NEXT_DAY = parse("2013-07-02", "day")


# Before training. The verdict is on record first, and only once.


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        pytest.param(
            OUTCOMES_SQL,
            {LABEL: "true"},
            ["label has both classes: 100 %", "expected true for some rows and false for others"],
            id="a constant label",
        ),
        pytest.param(
            OUTCOMES_SQL,
            {LABEL: "scheduled_departure >= '2013-06-28' AND dep_delay > 30"},
            ["late, both classes in the training periods: 0 of 6,703 rows are true"],
            id="a label that is constant where the model learns",
        ),
        pytest.param(
            OUTCOMES_SQL,
            {"WHERE scheduled": "WHERE scheduled_departure < '2013-06-28' AND scheduled"},
            ["late, both classes in the test periods: 0 of 0 rows are true"],
            id="nothing to test on",
        ),
        pytest.param(
            FEATURES_SQL,
            {"CAST(distance AS float8)": "CAST(NULL AS float8)"},
            ["distance, missing values: every value (expected none)"],
            id="a feature that is all null",
        ),
        pytest.param(
            FEATURES_SQL,
            {"    origin,": "    CAST(NULL AS text) AS origin,"},
            ["origin, missing values: every value (expected none)"],
            id="a category that is all null",
        ),
        pytest.param(
            FEATURES_SQL,
            {
                "CAST(distance AS float8)": "CASE WHEN flight_id % 999 > 0 THEN 1"
                " ELSE CAST('infinity' AS float8) END"
            },
            ["distance, range: 1 to inf (expected finite)"],
            id="an infinite feature",
        ),
        pytest.param(
            FEATURES_SQL,
            {"    flight_id,": "    flight_id / 2 * 2 AS flight_id,"},
            ["one row for each key", "duplicates (expected no duplicates)"],
            id="duplicate keys",
        ),
        pytest.param(
            FEATURES_SQL,
            {
                "    scheduled_departure,": "    CASE WHEN flight_id % 2 = 0 THEN"
                " scheduled_departure END AS scheduled_departure,"
            },
            ["scheduled_departure, a time in every row", "rows without one"],
            id="rows without a time",
        ),
        pytest.param(
            SPEC,
            {"min_rows: 1000,": "min_rows: 10000,"},
            ["enough rows: 9,217 (expected at least 10,000)"],
            id="too few rows",
        ),
    ],
)
def test_rows_that_nothing_may_be_learnt_from(
    fresh: Life, file: str, changes: dict[str, str], words: list[str]
) -> None:
    fresh.edit(file, changes)
    digest = intake(fresh.workspace, model="late").spec_digest
    taken = snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))
    for adds in (VERDICT, {}):
        with refused(
            fresh,
            DataRefused,
            f"late/snapshot/{taken.snapshot_id[:12]} breaks its contract",
            *words,
            "ask the owner of the tables",
            adds=adds,
        ):
            check_data(fresh.workspace, snapshot_id=taken.snapshot_id)
    assert fresh.rows("SELECT passed FROM mlops.check_result") == [(False,)]


# Before scoring. Nothing of the window is written, and applications read what they read before.


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        pytest.param(
            [
                ANY_CARRIER,
                f"UPDATE flights SET carrier = 'ZZ' WHERE {IN_WINDOW} AND flight_id % 20 = 0",
            ],
            ["1 of 18 checks", "carrier, categories new since training: 4.9 % (expected ≤ 2 %)"],
            id="too many unseen categories",
        ),
        pytest.param(
            [
                ANY_KEY,
                f"INSERT INTO flights SELECT * FROM flights WHERE {IN_WINDOW} ORDER BY 1 LIMIT 3",
            ],
            ["one row for each key: 3 duplicates (expected no duplicates)"],
            id="duplicate keys",
        ),
        pytest.param(
            [f"DELETE FROM flights WHERE {IN_WINDOW}"],
            ["enough rows: 0 (expected at least 100)"],
            id="no rows",
        ),
        pytest.param(
            [
                "ALTER TABLE flights ALTER distance DROP NOT NULL",
                f"UPDATE flights SET distance = NULL WHERE {IN_WINDOW}",
            ],
            ["distance, missing values: every value (expected none)"],
            id="a feature that is all null",
        ),
        pytest.param(
            ["ALTER TABLE flights ALTER carrier TYPE varchar(3)"],
            ["carrier, same type as at training: character varying (expected text)"],
            id="a column of another type than at training",
        ),
        pytest.param(
            ["ALTER TABLE flights ALTER flight_id TYPE text"],
            ["flight_id, same type as at training: text (expected bigint)"],
            id="a key of another type than at training",
        ),
    ],
)
def test_rows_that_may_not_be_scored(small: Life, statements: list[str], words: list[str]) -> None:
    small.run(*statements)
    for adds in (READ_AND_VERDICT, {}):
        with refused(
            small, DataRefused, "late/2013-07-01/v1/input breaks its contract", *words, adds=adds
        ):
            small.plan(DAY)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "ALTER TABLE flights DROP carrier",
            ["line 4: carrier,", 'column "carrier" does not exist'],
        ),
        ("ALTER TABLE flights RENAME TO flight", ["line 8: FROM flights", "does not exist"]),
    ],
)
def test_a_column_or_table_that_is_gone_since_training(
    small: Life, statement: str, words: list[str]
) -> None:
    small.run(statement)
    with refused(
        small, QueryError, "late/2013-07-01/v1: features.sql: the SQL does not run", *words
    ):
        small.plan(DAY)


def test_few_unseen_categories_are_scored_as_unknown_and_counted(small: Life) -> None:
    small.run(
        ANY_CARRIER, f"UPDATE flights SET carrier = 'ZZ' WHERE {IN_WINDOW} AND flight_id % 100 = 0"
    )
    unseen = small.value(f"SELECT count(*) FROM flights WHERE {IN_WINDOW} AND carrier = 'ZZ'")
    assert unseen > 5
    plan, scored, published = small.publish(DAY)
    assert sum(item.rows for item in scored) == plan.rows
    with small.workspace.store.transaction() as transaction:
        assert transaction.get(BatchRow, published.batch).summary["unseen"]["carrier"] == unseen
    assert (
        small.value(
            "SELECT count(score) FROM ml.late JOIN flights USING (flight_id) WHERE carrier = 'ZZ'"
        )
        == unseen
    )
    assert published.rows == small.value(f"SELECT count(*) FROM flights WHERE {IN_WINDOW}")


def with_estimator(life: Life, name: str) -> None:
    """The small model with another estimator, live; distances may be missing, and of any size."""
    life.edit(
        SPEC,
        {
            "sklearn.ensemble.HistGradientBoostingClassifier": name,
            "{max_iter: 5, max_leaf_nodes: 7}": "{}",
            "distance: {}": "distance: {max_null_share: 0.2}",
            "at_least: 0.55": "at_least: 0.4",
        },
    )
    life.run(
        "ALTER TABLE flights ALTER distance TYPE float8",
        "ALTER TABLE flights ALTER distance DROP NOT NULL",
    )
    life.live(life.release(AS_OF))


def odd_flight(life: Life, distance: str, day: Period = DAY) -> int:
    """Give the first flight of a day another distance; which flight it is."""
    found: int = life.value(
        "SELECT min(flight_id) FROM flights WHERE scheduled_departure >= %s"
        " AND scheduled_departure < %s",
        day.start,
        day.end,
    )
    life.run(f"UPDATE flights SET distance = {distance} WHERE flight_id = {found}")
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn")
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
def test_a_prediction_that_is_no_number_is_told_by_its_key(fresh: Life) -> None:
    # So far from every flight of training that both densities of the model are zero.
    with_estimator(fresh, "sklearn.naive_bayes.GaussianNB")
    flight = odd_flight(fresh, "1e300")
    plan = fresh.plan(DAY)
    with refused(
        fresh,
        PredictionError,
        "shard 0 of batch late/2013-07-01/v1",
        f"where flight_id is {flight}",
        "found nan, and 1 such scores among",
        "expected a number from 0 to 1 for each row",
        "look at the features of this row",
        "nothing of the shard was written",
    ):
        fresh.score(plan, 0)


def test_rows_that_the_estimator_refuses_are_told_in_its_words(fresh: Life) -> None:
    with_estimator(fresh, "sklearn.linear_model.LogisticRegression")
    # The batch was published before; what stood there must stand after the refusal.
    fresh.publish(DAY)
    shown = fresh.rows("SELECT * FROM ml.late ORDER BY flight_id")
    odd_flight(fresh, "NULL")
    plan = fresh.plan(DAY)
    with refused(
        fresh,
        PredictionError,
        "late v1 cannot score these rows; found ValueError: Input X contains NaN.;",
        "expected a score for every row that keeps the contract",
        "max_null_share",
    ):
        fresh.score(plan, 0)
    assert fresh.rows("SELECT * FROM ml.late ORDER BY flight_id") == shown


def test_a_champion_that_cannot_score_the_new_test_rows_has_not_lost(fresh: Life) -> None:
    fresh.edit(
        SPEC,
        {"at_least: 0.55}": "at_least: 0.55}\n    - {metric: auc, against: champion, at_least: 0}"},
    )
    with_estimator(fresh, "sklearn.linear_model.LogisticRegression")
    odd_flight(fresh, "NULL", NEXT_DAY)
    fresh.edit(SPEC, {"sklearn.linear_model.LogisticRegression": "sklearn.dummy.DummyClassifier"})
    digest = intake(fresh.workspace, model="late").spec_digest
    taken = snapshot(fresh.workspace, spec_digest=digest, as_of=moment("2013-07-03"))
    training = train(fresh.workspace, snapshot_id=taken.snapshot_id)
    with refused(
        fresh,
        DataRefused,
        "late: a gate compares with the live version 1, which cannot score the new test rows",
        "Input X contains NaN",
        "take the gate against the champion out of the spec",
    ):
        validate(fresh.workspace, training_id=training.training_id)


# Before a batch is shown.


def test_a_batch_without_all_its_shards_is_not_shown(small: Life) -> None:
    plan = small.plan(DAY)
    small.score(plan, 1)
    with refused(
        small,
        WarehouseError,
        "batch late/2013-07-01/v1 is not complete",
        f"found 0 rows, 0 of them of another version than 1; expected {plan.rows} rows",
        "clear the task 'score'",
    ):
        small.show(plan)
    assert small.rows("SELECT * FROM ml.late") == []


def test_a_batch_of_which_rows_are_gone_is_not_shown(small: Life) -> None:
    plan = small.plan(DAY)
    small.score_all(plan)
    small.run(
        "DELETE FROM ml.late_predictions"
        " WHERE flight_id = (SELECT min(flight_id) FROM ml.late_predictions)"
    )
    rows = plan.rows
    with refused(
        small,
        WarehouseError,
        "batch late/2013-07-01/v1 is not complete",
        f"found {rows - 1} rows",
        f"expected {rows} rows of version 1",
        "clear the task 'score'",
    ):
        small.show(plan)
    assert small.rows("SELECT * FROM ml.late") == []


def test_a_table_that_was_emptied_after_the_check_changes_nothing(small: Life) -> None:
    """Somebody was loading it anew: what was read before is scored, whole."""
    plan = small.plan(DAY)
    small.run(f"DELETE FROM flights WHERE {IN_WINDOW} AND flight_id % 2 = 0")
    small.score_all(plan)
    assert small.show(plan).rows == plan.rows
    assert small.value("SELECT count(*) FROM ml.late") == plan.rows


# Before a verdict.


def test_a_window_that_was_not_scored_cannot_be_measured(small: Life) -> None:
    with refused(
        small,
        RecordMissing,
        "late: window 2013-07-02",
        "no published batch",
        "run late_score for 2013-07-02 first",
    ):
        measure(small.workspace, model="late", window=NEXT_DAY)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "ALTER TABLE flights DROP actual_arrival",
            ["the SQL does not run", "actual_arrival"],
        ),
        (
            "ALTER TABLE flights RENAME TO flight",
            ["the SQL does not run", '"flights" does not exist'],
        ),
    ],
)
def test_a_window_whose_tables_are_gone_is_named(
    small: Life, statement: str, words: list[str]
) -> None:
    small.publish(DAY)
    small.run(statement)
    with refused(small, QueryError, "late/2013-07-01/v1: ", *words):
        measure(small.workspace, model="late", window=DAY)


def test_outcomes_that_tell_a_row_twice_are_refused(fresh: Life) -> None:
    twice = " UNION ALL SELECT flight_id, true FROM told_twice"
    fresh.run("CREATE TABLE told_twice AS SELECT 0::bigint AS flight_id")
    fresh.edit(OUTCOMES_SQL, {"'30 minutes') < :as_of\n": f"'30 minutes') < :as_of\n{twice}\n"})
    fresh.live(fresh.release(AS_OF))
    fresh.publish(DAY)
    fresh.run("INSERT INTO told_twice SELECT min(flight_id) FROM ml.late")
    with refused(
        fresh,
        DataRefused,
        "the outcomes of batch late/2013-07-01/v1",
        "found 1 rows whose key flight_id another row has",
        "expected one outcome for each key",
        "correct the outcomes SQL",
    ):
        measure(fresh.workspace, model="late", window=DAY)


def verdict(life: Life) -> tuple[Measured, Judged]:
    """Measure and judge the window."""
    measured = measure(life.workspace, model="late", window=DAY)
    return measured, judge(life.workspace, measurement=measured.measurement)


def test_a_window_without_a_label_is_judged_as_far_as_it_can_be(small: Life) -> None:
    small.publish(DAY)
    small.run("UPDATE flights SET actual_arrival = NULL, scheduled_arrival = '2199-01-01'")
    measured, judged = verdict(small)
    assert measured.labels == 0 and judged.state == "ok"
    ((result,),) = small.rows("SELECT result FROM mlops.monitor_result")
    assert result["performance"]["state"] == "not_enough_data"
    assert result["kpi"]["value"] is None and result["kpi"]["reached"] is None


def test_labels_that_went_and_came_back_are_the_newest_verdict(small: Life) -> None:
    small.publish(DAY)
    first = verdict(small)
    small.run("ALTER TABLE flights RENAME actual_arrival TO arrived")
    small.run("ALTER TABLE flights ADD actual_arrival timestamptz DEFAULT '2013-06-01'")
    broken = verdict(small)
    small.run("ALTER TABLE flights DROP actual_arrival")
    small.run("ALTER TABLE flights RENAME arrived TO actual_arrival")
    again = verdict(small)
    assert again[0].labels == first[0].labels
    assert again[0].measurement not in (first[0].measurement, broken[0].measurement)
    before = small.content()
    assert verdict(small) == again
    assert small.content() == before
    with small.workspace.store.transaction() as transaction:
        (summary,) = summaries(transaction, ("late",), at=datetime.now(UTC))
    assert summary.window is not None
    assert summary.window.result.kpi.value is not None, "there was none with the broken labels"


@pytest.mark.parametrize("value", ["'abc'", "now()", "'NaN'::float8", "'infinity'::numeric"])
def test_a_kpi_that_is_no_number_is_refused(fresh: Life, value: str) -> None:
    fresh.edit(SPEC, {"measure: recall": "sql: kpi.sql"})
    (fresh.include / "sql" / "late" / "kpi.sql").write_text(f"SELECT {value} AS value")
    fresh.live(fresh.release(AS_OF))
    fresh.publish(DAY)
    with refused(
        fresh,
        QueryError,
        "KPI 'Late flights flagged'; found the value",
        "expected a finite number, or NULL",
        "correct the KPI's SQL",
    ):
        measure(fresh.workspace, model="late", window=DAY)


@pytest.mark.parametrize(
    "distance", ["flight_id % 3 * 1000000000000000001", "1e308::float8 * (flight_id % 2)"]
)
def test_numbers_of_any_size_are_monitored(fresh: Life, distance: str) -> None:
    fresh.edit(FEATURES_SQL, {"CAST(distance AS float8)": distance})
    fresh.live(fresh.release(AS_OF))
    fresh.publish(DAY)
    assert verdict(fresh)[1].state == "ok"


def test_labels_of_other_values_are_refused_before_training(fresh: Life) -> None:
    """Which of them would be true is not known."""
    other = f"CAST(CASE WHEN {LABEL} THEN 2 ELSE 0 END AS integer)"
    fresh.edit(OUTCOMES_SQL, {LABEL: other})
    with pytest.raises(
        DataRefused, match="column 'late' cannot be the label; found 0, 2"
    ) as caught:
        fresh.release(AS_OF)
    assert "late = 2" in str(caught.value)


@pytest.mark.parametrize("kind", ["smallint", "bigint"])
def test_a_label_of_a_type_of_whole_numbers_is_measured_as_it_was_learnt(
    fresh: Life, kind: str
) -> None:
    fresh.edit(OUTCOMES_SQL, {LABEL: f"CAST(CASE WHEN {LABEL} THEN 1 ELSE 0 END AS {kind})"})
    fresh.live(fresh.release(AS_OF))
    fresh.publish(DAY)
    late = f"{IN_WINDOW} AND {LABEL}"
    known = "least(actual_arrival, scheduled_arrival + INTERVAL '30 minutes') < now()"
    positives = fresh.value(f"SELECT count(*) FROM flights WHERE {late} AND {known}")
    measure(fresh.workspace, model="late", window=DAY)
    ((found,),) = fresh.rows("SELECT content FROM mlops.measurement")
    assert found["metrics"]["positives"] == positives > 0


def test_a_window_is_measured_anew_when_more_labels_have_arrived(small: Life) -> None:
    small.publish(DAY)
    late = "UPDATE flights SET scheduled_arrival = '2199-01-01' WHERE flight_id % 2 = 0"
    before = small.value(f"SELECT count(*) FROM flights WHERE {IN_WINDOW} AND flight_id % 2 = 1")
    small.run(
        "CREATE TABLE was AS SELECT flight_id, scheduled_arrival, actual_arrival FROM flights",
        late,
        "UPDATE flights SET actual_arrival = NULL WHERE flight_id % 2 = 0",
    )
    first, _ = verdict(small)
    small.run(
        "UPDATE flights AS f SET scheduled_arrival = w.scheduled_arrival,"
        " actual_arrival = w.actual_arrival FROM was AS w WHERE w.flight_id = f.flight_id"
    )
    second, _ = verdict(small)
    assert (first.labels, second.labels) == (before, second.rows)
    assert first.measurement != second.measurement
    assert verdict(small)[0] == second
    labels = small.rows("SELECT content->>'labels' FROM mlops.measurement ORDER BY id")
    assert labels == [(str(first.labels),), (str(second.labels),)]


@pytest.mark.parametrize("place", ["profile,numeric,score,offset_squares", "kpi"])
@pytest.mark.parametrize(("factor", "is_same"), [(1 + 1e-10, True), (1 + 1e-5, False)])
def test_a_window_is_not_measured_anew_when_its_rows_are_added_up_in_another_order(
    small: Life, place: str, factor: float, is_same: bool
) -> None:
    """The plan of a query may change, and with it the last digit of a sum of fractions."""
    small.publish(DAY)
    first, _ = verdict(small)
    small.run(
        f"UPDATE mlops.measurement SET content = jsonb_set(content, '{{{place}}}',"
        f" to_jsonb((content #>> '{{{place}}}')::float8 * {factor!r}::float8))"
    )
    again = measure(small.workspace, model="late", window=DAY)
    assert (again.measurement == first.measurement) is is_same
    assert small.value("SELECT count(*) FROM mlops.measurement") == (1 if is_same else 2)


NO_LABELS = "UPDATE flights SET actual_arrival = NULL, scheduled_arrival = '2199-01-01'"
ALL = "DELETE FROM ml.late_predictions"
SOME = f"{ALL} WHERE flight_id % 3 = 0"


@pytest.mark.parametrize("statements", [[SOME], [ALL], [SOME, "DELETE FROM ml.late_batches"]])
def test_a_window_whose_predictions_were_deleted_is_not_ok(
    small: Life, statements: list[str]
) -> None:
    small.publish(DAY)
    small.run(NO_LABELS)
    before, judged = verdict(small)
    assert judged.state == "ok"
    small.run(*statements)
    left = small.value("SELECT count(*) FROM ml.late_predictions")
    measured, judged = verdict(small)
    assert (measured.measurement, measured.rows) != (before.measurement, left)
    assert judged.state == "warn"
    said = f"{measured.rows - left:,} of {measured.rows:,} rows scored are missing"
    assert judged.reasons[0] == said
    report = monitor_report(small.workspace, measurement=judged.measurement)
    assert said in Path(report.location).read_text()
    cases = "SELECT id, owner, severity FROM mlops.case"
    assert small.rows(cases) == [("late/v1/predictions", "sam", "warn")]
    rows = small.content()
    assert verdict(small) == (measured, judged)
    assert small.content() == rows


def test_a_window_that_is_scored_again_without_some_rows_has_lost_none(small: Life) -> None:
    first = small.publish(DAY)[2]
    small.run("DELETE FROM flights WHERE flight_id % 3 = 0", NO_LABELS)
    assert small.publish(DAY)[2].rows < first.rows
    assert not any("missing" in reason for reason in verdict(small)[1].reasons)
    assert small.rows("SELECT * FROM mlops.case WHERE cause = 'predictions'") == []


def test_outcomes_may_hold_a_percent_sign_and_end_with_a_semicolon(fresh: Life) -> None:
    fresh.edit(
        OUTCOMES_SQL,
        {
            "  AND least(": "  AND carrier LIKE '%' AND flight_id % 1 = 0\n  AND least(",
            "< :as_of\n": "< :as_of;\n",
        },
    )
    fresh.live(fresh.release(AS_OF))
    fresh.publish(DAY)
    assert verdict(fresh)[0].labels > 100


def test_a_verdict_needs_its_measurement(small: Life) -> None:
    with refused(small, RecordMissing, "measurement abc", "run the step before this one again"):
        judge(small.workspace, measurement="abc")
