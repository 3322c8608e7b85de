"""A small model on two weeks of real flights: quick to release, easy to break in one place.

Everything of it is in an include folder of its own, in a database of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from demo.postgres import EmbeddedPostgres
from mlops.core.period import parse
from mlops.store.migrate import upgrade
from tests.flow.life import PROJECT, TASK_ROLE, Life, life

MODEL = "late"
AS_OF = "2013-07-01"
DAY = parse("2013-07-01", "day")

SPEC = """\
model: late
title: Will this flight arrive half an hour late?
manage:
  decision: Which flights does the desk look at?
  use: The desk reads the scores in the morning.
  business_owner: bea
  developer: sam
  exposure: low
  purpose: operations
  kpi: {name: Late flights flagged, measure: recall, unit: "% of late flights", target: 30}
develop:
  features_sql: features.sql
  outcomes_sql: outcomes.sql
  key: flight_id
  time: scheduled_departure
  label: late
  features:
    carrier: {kind: categorical, max_unseen_share: 0.02}
    origin: {kind: categorical}
    distance: {}
    hour: {min: 0, max: 23}
  contract: {min_rows: 1000, max_age_days: 2}
  split: {unit: day, train: 7, test: 3}
  candidates:
    - name: boosted_trees
      estimator: sklearn.ensemble.HistGradientBoostingClassifier
      params: {max_iter: 5, max_leaf_nodes: 7}
  gates:
    - {metric: auc, at_least: 0.55}
deploy:
  window: day
  shards: 2
  threshold: 0.3
  min_rows: 100
monitor:
  window: day
  performance: {metric: auc, at_least: 0.5, min_labels: 100}
"""

FEATURES = """\
SELECT
    flight_id,
    scheduled_departure,
    carrier,
    origin,
    CAST(distance AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure) AS int) AS hour
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
"""

OUTCOMES = """\
SELECT
    flight_id,
    coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true) AS late
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
  AND least(actual_arrival, scheduled_arrival + INTERVAL '30 minutes') < :as_of
"""


def write_include(root: Path) -> Path:
    """The include folder of the small model, with the project's policy."""
    for name in ("models", "sql/late"):
        (root / name).mkdir(parents=True)
    shutil.copytree(PROJECT / "include" / "policies", root / "policies")
    (root / "models" / "late.yml").write_text(SPEC)
    (root / "sql" / "late" / "features.sql").write_text(FEATURES)
    (root / "sql" / "late" / "outcomes.sql").write_text(OUTCOMES)
    return root


def keep_two_weeks(database: str) -> None:
    """Leave only the flights around the small model's windows, so that copies are quick."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM flights WHERE scheduled_departure < '2013-06-18'"
            " OR scheduled_departure >= '2013-07-04'"
        )
        connection.execute("TRUNCATE weather")
        connection.execute("VACUUM (FULL, ANALYZE) flights")


def migrate(postgres: EmbeddedPostgres, database: str) -> None:
    """Our own tables beside the flights."""
    postgres.ensure_role(TASK_ROLE)
    upgrade(database, task_role=TASK_ROLE)


def small_life(postgres: EmbeddedPostgres, database: str, folder: Path) -> Life:
    """The life whose include folder and artifacts lie below ``folder``."""
    return life(
        database,
        model=MODEL,
        include=folder / "include",
        artifacts=folder / "artifacts",
        store_url=postgres.url(database.rpartition("/")[2], user=TASK_ROLE),
    )
