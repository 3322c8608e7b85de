"""A window is read once, whatever its query is, and scored in any number of shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.core.period import parse
from mlops.errors import ArtifactChanged, DataRefused
from mlops.flow.check_input import check_input
from mlops.flow.judge import judge
from mlops.flow.load_version import load_version
from mlops.flow.measure import measure
from mlops.store.tables import VersionRow
from mlops.warehouse.parts import read_part
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign

DAY = parse("2026-02-01", "day")
SHOWN = "SELECT visit_id, score FROM ml.late ORDER BY visit_id"
FEATURES = {
    "window functions": """\
SELECT
    visit_id,
    started,
    CAST(count(*) OVER (PARTITION BY CAST(started AS date) ORDER BY started) AS int) AS hour,
    CAST(avg(guests) OVER (ORDER BY started DESC) AS float8) AS guests
FROM visits
WHERE started >= :window_start
  AND started < :window_end
""",
    "aggregates": """\
SELECT
    min(visit_id) AS visit_id,
    min(started) AS started,
    CAST(count(*) AS int) AS hour,
    CAST(avg(guests) AS float8) AS guests
FROM visits
WHERE started >= :window_start
  AND started < :window_end
GROUP BY CAST(started AS date), extract(epoch FROM started)::bigint / 900 % 23
""",
    "joins": """\
SELECT
    v.visit_id,
    v.started,
    CAST(count(other.visit_id) AS int) AS hour,
    CAST(sum(v.guests / (1.0 + other.guests)) AS float8) AS guests
FROM visits AS v
LEFT JOIN visits AS other
    ON other.guests = v.guests
    AND other.started > v.started
    AND other.started < :window_end
WHERE v.started >= :window_start
  AND v.started < :window_end
GROUP BY v.visit_id, v.started, v.guests
""",
}


def go_live(life: Life) -> None:
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)


def with_features(life: Life, sql: str) -> None:
    """The model with other SQL, and an estimator whose sums depend on how rows are batched."""
    life.edit(
        "models/late.yml",
        {
            "sklearn.dummy.DummyClassifier": "sklearn.linear_model.LogisticRegression",
            "{strategy: prior}": "{max_iter: 200}",
            "hour: {min: 0, max: 23}": "hour: {max_null_share: 1}",
            "guests: {min: 0}": "guests: {max_null_share: 1}",
            "at_least: 0.4}\ndeploy": "at_least: 0.0}\ndeploy",
        },
    )
    (life.include / "sql/late/features.sql").write_text(sql)
    go_live(life)


@pytest.mark.parametrize("kind", FEATURES)
def test_any_number_of_shards_gives_the_same_scores_to_the_last_bit(
    life_of: LifeOf, kind: str
) -> None:
    life = life_of("late")
    sql = FEATURES[kind].replace("sum(v.guests / (1.0", "coalesce(sum(v.guests / (1.0", 1)
    sql = sql.replace("other.guests)) AS float8)", "other.guests)), 0) AS float8)", 1)
    with_features(life, sql)
    seen = []
    for shards in (1, 2, 3, 7, 64):
        plan = check_input(life.workspace, model="late", window=DAY, shards=shards, part_rows=7)
        assert life.score_all(plan)[-1].shard == shards - 1
        life.show(plan)
        seen.append(life.rows(SHOWN))
    assert len(seen[0]) == life.value("SELECT rows FROM mlops.plan LIMIT 1") > 20
    assert all(found == seen[0] for found in seen[1:])
    assert len({score for _, score in seen[0]}) > 5
    # The same as the model's own scores of the whole window's features.
    whole = sql
    for name, moment in (("window_start", DAY.start), ("window_end", DAY.end)):
        whole = whole.replace(f":{name}", f"'{moment.isoformat()}'::timestamptz")
    rows = sorted(life.rows(whole))
    with life.workspace.store.transaction() as transaction:
        version = transaction.get(VersionRow, "late", 1)
    expected = load_version(life.workspace, version).predict(
        np.array([[row[2], row[3]] for row in rows], np.float64)
    )
    assert [row[0] for row in rows] == [key for key, _ in seen[0]]
    assert [score for _, score in seen[0]] == pytest.approx(list(expected), abs=1e-12)


def test_the_query_of_the_features_runs_once_for_a_window(life_of: LifeOf) -> None:
    life, run = life_of("late"), []
    go_live(life)

    class Watched(PostgresWarehouse):
        def stream(self, sql: str, **options: Any) -> Any:
            run.append(sql)
            return super().stream(sql, **options)

        def profile_rows(self, sql: str, **options: Any) -> Any:
            run.append(sql)
            return super().profile_rows(sql, **options)

    watched = elsewhere(life, warehouse=Watched(life.database))
    window = watched.window(DAY)
    assert window.published.rows == 96
    features, scores = run
    assert "FROM visits" in features
    assert "late_predictions" in scores


def test_the_profile_of_the_plan_is_the_one_that_the_database_counts(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life)
    counted = life.window(DAY)
    life.run("ALTER TABLE mlops.scoring_batch DISABLE TRIGGER USER",
             "UPDATE mlops.scoring_batch SET summary = summary - 'plan'")  # fmt: skip
    life.run("ALTER TABLE mlops.scoring_batch ENABLE TRIGGER USER")
    # As a batch of an earlier version, whose features the database counts again.
    assert life.window(DAY).measured == counted.measured


def test_a_window_without_rows_is_an_empty_batch_where_the_spec_allows_it(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    life.edit(
        "models/late.yml", {"threshold: 0.3\n  min_rows: 10": "threshold: 0.3\n  min_rows: 0"}
    )
    go_live(life)
    life.run("DELETE FROM visits WHERE started >= '2026-02-01' AND started < '2026-02-02'")
    window = life.window(DAY)
    assert (window.plan.rows, window.published.rows) == (0, 0)
    assert [shard.rows for shard in window.scored] == [0, 0]
    assert window.judged.state != "alarm"
    assert "the window has no rows" in window.judged.reasons
    assert life.rows("SELECT parts FROM mlops.plan") == [([],)]
    # Rows that come later are a reading of their own.
    life.run(
        "INSERT INTO visits VALUES (1000000, '2026-02-01T10:00Z', '2026-02-01T10:05Z', 3, false)"
    )
    assert life.window(DAY).published.batch == "late/2026-02-01/v1#2"
    assert life.rows("SELECT visit_id FROM ml.late") == [(1000000,)]


def test_a_window_whose_feature_is_always_missing_is_scored_where_the_contract_allows_it(
    life_of: LifeOf,
) -> None:
    life = life_of("late")
    life.edit("models/late.yml", {"guests: {min: 0}": "guests: {min: 0, max_null_share: 1.0}"})
    go_live(life)
    life.run("UPDATE visits SET guests = NULL")
    assert life.window(DAY).published.rows == 96
    life.edit("models/late.yml", {"title: Will": "title: When will"})
    with pytest.raises(DataRefused, match="guests, a value to learn from: every value is missing"):
        life.release("2026-01-06")


def test_a_part_that_was_changed_is_refused(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life)
    plan = life.plan(DAY)
    ((parts,),) = life.rows("SELECT parts FROM mlops.plan")
    place = Path(life.workspace.artifacts.location(parts[0]["sha256"]))
    data = bytearray(life.workspace.artifacts.read(parts[0]["sha256"]))
    assert read_part(bytes(data)).num_rows == 96
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    with pytest.raises(ArtifactChanged):
        life.score(plan, 0)
    assert life.value("SELECT count(*) FROM ml.late_predictions") == 0


def test_repeated_and_missing_keys_are_counted_across_parts(life_of: LifeOf) -> None:
    life = life_of("late")
    go_live(life)
    life.run(
        "UPDATE visits SET visit_id = (SELECT min(visit_id) FROM visits"
        " WHERE started >= '2026-02-01') WHERE started >= '2026-02-01T20:00Z'"
        " AND started < '2026-02-01T22:00Z'",
        "UPDATE visits SET visit_id = NULL WHERE started = '2026-02-01T23:00Z'",
    )
    for rows in (2, 3, 7, 65_536):
        with pytest.raises(DataRefused, match="one row for each key: 9 duplicates"):
            check_input(life.workspace, model="late", window=DAY, part_rows=rows)


@pytest.mark.parametrize("count", [300, 1_600])
def test_a_model_of_many_features_is_released_scored_and_measured(
    life_of: LifeOf, count: int
) -> None:
    """A SELECT of Postgres returns at most 1,664 columns: the features, key, time and label."""
    life = life_of("late")
    names = [f"f{number}" for number in range(count)]
    life.edit(
        "models/late.yml",
        {
            "    hour: {min: 0, max: 23}\n    guests: {min: 0}\n": "".join(
                f"    {name}: {{min: 0}}\n" for name in names
            )
        },
    )
    listed = ", ".join(f"guests * {number}::float8 AS f{number}" for number in range(count))
    (life.include / "sql/late/features.sql").write_text(
        f"SELECT visit_id, started, {listed}\nFROM visits\n"
        "WHERE started >= :window_start AND started < :window_end\n"
    )
    go_live(life)
    plan, _, published = life.publish(DAY)
    assert published.rows == plan.rows == 96
    measured = measure(life.workspace, model="late", window=DAY)
    assert judge(life.workspace, measurement=measured.measurement).state != "alarm"
    profile = life.value("SELECT content->'profile'->'numeric' FROM mlops.measurement")
    assert sorted(profile) == sorted([*names, "score"])
