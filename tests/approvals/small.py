"""Models that are released in a second, and the people who sign them.

``late`` needs one owner, ``late_two`` two different people of model risk, and ``late_soon`` an
answer within seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import yaml

from mlops.approvals.eligibility import Person
from mlops.approvals.responses import Answer, gate_id, record_response, request
from mlops.flow.control import control
from mlops.workspace.results import Controlled, Decision
from tests.flow.life import Life, life

FIRST_DAY, LAST_DAY = "2026-01-01", "2026-04-30"
DEVELOPER, OPERATOR = "sam", "dora"
OWNERS = ("bea", "ben", DEVELOPER, OPERATOR)
RISK = ("lin", "lea", "lou")
SOON_DAYS = 6 / 86_400

SPEC = """\
model: {model}
title: Will this visit end late?
manage:
  decision: Which visits does the desk look at?
  use: The desk reads the scores in the morning.
  business_owner: bea
  developer: sam
  exposure: {exposure}
  purpose: operations
  kpi: {{name: Late visits flagged, measure: recall, unit: "% of late visits", target: 30}}
develop:
  features_sql: features.sql
  outcomes_sql: outcomes.sql
  key: visit_id
  time: started
  label: late
  features:
    hour: {{min: 0, max: 23}}
    guests: {{min: 0}}
  contract: {{min_rows: 10, max_age_days: 2}}
  split: {{unit: day, train: 1, test: 1}}
  candidates:
    - name: base_rate
      estimator: sklearn.dummy.DummyClassifier
      params: {{strategy: prior}}
  gates:
    - {{metric: auc, at_least: 0.4}}
deploy:
  policy: {policy}
  window: day
  shards: 1
  threshold: 0.3
  min_rows: 10
monitor:
  window: day
  performance: {{metric: auc, at_least: 0.4, min_labels: 10}}
"""

FEATURES = """\
SELECT
    visit_id,
    started,
    CAST(extract(hour FROM started) AS int) AS hour,
    CAST(guests AS float8) AS guests
FROM visits
WHERE started >= :window_start
  AND started < :window_end
"""

OUTCOMES = """\
SELECT
    visit_id,
    late
FROM visits
WHERE started >= :window_start
  AND started < :window_end
  AND ended < :as_of
"""

# One visit every quarter of an hour; a third of them ends late.
VISITS = """\
CREATE TABLE visits AS
SELECT
    row_number() OVER () AS visit_id,
    at AS started,
    at + INTERVAL '5 minutes' AS ended,
    CAST(extract(epoch FROM at) AS bigint) / 900 % 7 AS guests,
    CAST(extract(epoch FROM at) AS bigint) / 900 % 3 = 0 AS late
FROM generate_series(%s::timestamptz, %s::timestamptz, INTERVAL '15 minutes') AS at
"""

MODELS = {
    "late": {"exposure": "low", "policy": "quick"},
    "late_two": {"exposure": "medium", "policy": "quick"},
    "late_soon": {"exposure": "low", "policy": "soon"},
}


def policies(ids: Mapping[str, str] | None = None) -> dict[str, dict[str, object]]:
    """Both policies: ``quick`` gives a day for an answer, ``soon`` a few seconds.

    :param ids: ids of people by name, where they differ.
    """
    people = {user: (ids or {}).get(user, user) for user in (*OWNERS, *RISK)}
    quick = {
        "policy": "quick",
        "title": "The policy of the small models",
        "respond_within_days": 1,
        "seats": {
            "owner": {
                "title": "Owner",
                "users": [people[user] for user in OWNERS],
                "attests": "that it is of use",
            },
            "risk": {
                "title": "Model risk",
                "users": [people[user] for user in RISK],
                "required": 2,
                "attests": "that the risk is known",
            },
        },
        "tiers": [
            {"name": "medium", "exposure_at_least": "medium", "seats": ["risk"]},
            {"name": "low", "seats": ["owner"]},
        ],
        "notify": {
            "params": {
                "to": "{to}",
                "from_email": "airflow@example.org",
                "subject": "{subject}",
                "html_content": "{message}",
            },
            "addresses": {id_: f"{user}@example.org" for user, id_ in people.items()},
            "remind_hours_before": 48,
            "escalate_hours_before": 36,
            "escalate_to": ["head@example.org"],
        },
    }
    soon = {**quick, "policy": "soon", "respond_within_days": SOON_DAYS, "fallback": "no_decision"}
    return {"quick": quick, "soon": soon}


def write_include(root: Path, ids: Mapping[str, str] | None = None) -> Path:
    """The include folder of the small models."""
    for name in ("models", "policies"):
        (root / name).mkdir(parents=True)
    for name, policy in policies(ids).items():
        (root / "policies" / f"{name}.yml").write_text(yaml.safe_dump(policy, sort_keys=False))
    for model, words in MODELS.items():
        (root / "models" / f"{model}.yml").write_text(SPEC.format(model=model, **words))
        (root / "sql" / model).mkdir(parents=True)
        (root / "sql" / model / "features.sql").write_text(FEATURES)
        (root / "sql" / model / "outcomes.sql").write_text(OUTCOMES)
    return root


def fill(database: str, *readers: str) -> None:
    """The table that the models learn from, readable by some roles."""
    with psycopg.connect(database) as connection:
        text = VISITS.replace("%s", "'{}'").format(FIRST_DAY, LAST_DAY)
        connection.execute(text.encode())
        for role in readers:
            connection.execute(f"GRANT SELECT ON visits TO {role}".encode())


def small_life(model: str, database: str, *, folder: Path, store_url: str) -> Life:
    """The life of one of the models, whose include folder and artifacts lie below ``folder``."""
    return life(
        database,
        model=model,
        include=folder / "include",
        artifacts=folder / "artifacts",
        store_url=store_url,
    )


def sign(
    life: Life,
    version: int,
    seat: str,
    person: Person | str,
    *,
    choice: str = "Approve",
    reason: str = "it is fit for use",
    at: datetime | None = None,
) -> Decision:
    """Ask one person in this process, and record the answer."""
    return asked(life, version, seat, person, choice=choice, reason=reason, at=at)()


def asked(
    life: Life,
    version: int,
    seat: str,
    person: Person | str,
    *,
    choice: str = "Approve",
    reason: str = "it is fit for use",
    at: datetime | None = None,
) -> Callable[[], Decision]:
    """Ask one person in this process; what is returned records the answer."""
    person = Person(person, person) if isinstance(person, str) else person
    run = replace(
        life.workspace.run,
        dag_id=f"{life.model}_here",
        run_id=f"{choice}-{version}-{person.id}",
        task_id=f"sign_off.{seat}",
    )
    work = replace(life.workspace, run=run)
    request(work, model=life.model, version=version, seat=seat)
    answer = Answer(person=person, choice=choice, reason=reason, at=at or datetime.now(UTC))
    return partial(
        record_response,
        work,
        model=life.model,
        version=version,
        seat=seat,
        answer=answer,
        gate=gate_id(run),
    )


def revoke(life: Life, version: int, *, by: str = "ben", run: str = "revoke") -> Controlled:
    """Take the owner's signature back, in a run of the control DAG."""
    there = replace(life.workspace, run=replace(life.workspace.run, run_id=run))
    return control(
        there,
        model=life.model,
        action="revoke",
        person=Person(by, by),
        reason="wrong scores",
        version=version,
        seat="owner",
    )
