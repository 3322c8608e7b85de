"""Make the files in ``v0_1_0/``: what version 0.1.0 left behind, for every later version to read.

It ran once, on Python 3.11, with the code of commit c66eefe, the last one before the modules were
laid out anew, and it runs with that code only:

    git checkout c66eefe && make install
    .venv/bin/python -m tests.compat.make_v0_1_0

The files are what counts, not this script: they must not be made again with later code, and no
test imports it. It is kept to say how they came to be. It writes everything but ``specs/``,
``dags/``, which people wrote, and ``folders.tar.xz``.

- ``include/``: what the model ``late`` was made from, as it stands at the end of the life.
- ``store.sql``, ``artifacts/``: our tables and the artifacts at the end of that life.
- ``warehouse.sql``: the customer's tables at the same moment, predictions included.
- ``life.json``: what 0.1.0 says about all that: the ledger's head, what was live when, which
  signatures hold, how windows were scored and judged.
- ``specs.json``: digests of the specs and policies in ``specs/``.
- ``dags.json``: names of the DAGs of those specs, of their tasks and of the fields of their forms.
- ``names/``: templates that use every name that reports had.
- ``folders.tar.xz``: what people copied, ``git archive c66eefe plugins dags | xz -9e``.
- ``packages/``: packages of several kinds of estimators, rows to score, and their exact scores.
"""

# Most of these modules are elsewhere today, or were removed.
# isort: skip_file
from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import psycopg
import pyarrow as pa
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from demo.binaries import installation
from demo.flights import load
from demo.postgres import EmbeddedPostgres
from mlops.cli.main import main as cli
from mlops.core.answers import APPROVE_WITH_CONDITIONS
from mlops.core.canonical import digest_json
from mlops.core.estimator import positive_scores
from mlops.core.package import load_model, read
from mlops.core.package_file import installed_versions
from mlops.core.period import Period, parse
from mlops.flow.control import control, record_started
from mlops.flow.deploy import deploy
from mlops.flow.governance import reviews
from mlops.flow.history import model_history
from mlops.flow.notices import due, record_told, waiting
from mlops.flow.results import Decision
from mlops.flow.sign_off import (
    Answer,
    answered,
    close,
    gate_id,
    lapsed,
    marked,
    request,
)
from mlops.flow.signatures import MARK_SUCCESS, standings
from mlops.flow.signers import Person
from mlops.flow.workspace import RunIdentity
from mlops.lineage.graph import load as load_graph
from mlops.lineage.marquez.client import Outcome
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.marquez.relay import deliver
from mlops.lineage.marquez.relay import waiting as events_waiting
from mlops.lineage.trace import trace
from mlops.reports.context import MonitoringContext, ValidationContext
from mlops.reports.monitoring import MonitoringView
from mlops.reports.validation import ValidationView
from mlops.spec.load import Include
from mlops.store import ledger
from mlops.store.connect import head_revision
from mlops.store.migrate import upgrade
from mlops.store.tables import GateRow, SpecRow, VersionRow
from mlops.warehouse.sql import render
from tests.flow.life import TASK_ROLE, Life, elsewhere, life

COMMIT = "c66eefe"
HERE = Path(__file__).resolve().parent / "v0_1_0"
PROJECT = HERE.parents[2]
MODEL = "late"
# Names that the lineage keeps; a test gives its own places the same ones.
DATABASE = "airline"
ADDRESS = "db.example.org:5432"
MARQUEZ = "http://marquez.example.org:5000"
ONE_OF = 6  # flights, so that the files stay small
DAYS = ("2013-06-21", "2013-07-06")
UNUSED = ("flight", "tailnum", "dest", "actual_departure", "air_time", "arr_delay", "dep_delay")
FIRST, SECOND, THIRD, FOURTH, FIFTH = (parse(f"2013-07-0{n}", "day") for n in range(1, 6))

SPEC = """\
# A small model on two weeks of real flights.
model: late
title: Will this flight arrive half an hour late?
manage:
  decision: Which flights does the desk look at?
  use: The desk reads the scores in the morning.
  restrictions: [Not for staffing.]
  business_owner: bea
  developer: sam
  exposure: medium
  purpose: operations
  kpi: {name: Late flights flagged, measure: recall, unit: "% of late flights", target: 30}
  runbook: Clear the failed task; every task can be run again.
develop:
  features_sql: features.sql
  outcomes_sql: outcomes.sql
  key: flight_id
  time: scheduled_departure
  label: late
  features:
    carrier: {kind: categorical, max_unseen_share: 0.1, means: Airline}
    origin: {kind: categorical, means: Departure airport}
    distance: {min: 0, means: Distance in kilometres}
    hour: {min: 0, max: 23}
    planned_minutes: {min: 0, max_null_share: 0.3, means: Minutes in the air as scheduled}
  contract: {min_rows: 300, max_age_days: 2}
  split: {unit: day, train: 7, test: 3}
  candidates:
    - name: boosted_trees
      estimator: sklearn.ensemble.HistGradientBoostingClassifier
      params: {max_iter: 5, max_leaf_nodes: 7}
    - name: base_rate
      estimator: sklearn.dummy.DummyClassifier
      params: {strategy: prior}
  slices: [origin]
  gates:
    - {metric: auc, at_least: 0.55}
    - {metric: calibration_error, at_most: 0.5}
deploy:
  policy: desk
  window: day
  shards: 2
  threshold: 0.3
  rule_sql: rule.sql
  min_rows: 50
monitor:
  window: day
  drift: {warn: 0.5, alarm: 1.0, min_rows: 50}
  performance: {metric: auc, at_least: 0.95, min_labels: 50}
"""

# Between the first version and the second.
CHANGED = {
    "    - {metric: calibration_error, at_most: 0.5}\n": (
        "    - {metric: calibration_error, at_most: 0.4}\n"
        "    - {metric: auc, slice: origin, at_least: 0.3, min_rows: 50}\n"
        "    - {metric: auc, against: champion, at_least: -0.5}\n"
    ),
    "{max_iter: 5, max_leaf_nodes: 7}": "{max_iter: 6, max_leaf_nodes: 7, learning_rate: 0.2}",
}

FEATURES = """\
SELECT
    flight_id,
    scheduled_departure,
    carrier,
    origin,
    CAST(distance * 1.609344 AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure) AS int) AS hour,
    CASE WHEN flight_id % 7 > 0
        THEN CAST(extract(epoch FROM scheduled_arrival - scheduled_departure) / 60 AS float8)
    END AS planned_minutes
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

RULE = """\
SELECT
    flight_id,
    scheduled_departure,
    CASE WHEN extract(hour FROM scheduled_departure) >= 18 THEN 0.6 ELSE 0.1 END AS score
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
"""

# Signatures on the version that is live at the end hold for a hundred years, or no later version
# could score with it.
POLICY = """\
# Who signs what.
policy: desk
title: The policy of the desk
answer_days: 1
fallback: rule
seats:
  business_owner:
    title: Business owner
    users: [bea, ben]
    signs: that the model answers the business question
    valid_days: 36500
  lead_data_scientist:
    title: Lead data scientist
    users: [lin, lea, leo]
    people: 2
    signs: that the model was built and validated as the report says
    valid_days: 36500
  model_risk:
    title: Model risk
    users: [max, lin]
    signs: that the risk of the model is known, limited and acceptable
    valid_days: 36500
    reason_needed: true
seats_shared:
  - [lead_data_scientist, model_risk]
tiers:
  - name: high
    purposes: [credit, hiring]
    seats: [business_owner, lead_data_scientist, model_risk]
  - name: medium
    exposure_at_least: medium
    seats: [business_owner, lead_data_scientist, model_risk]
  - name: low
    seats: [business_owner]
notify:
  params: {to: "{to}", subject: "{subject}", html_content: "{message}"}
  addresses: {bea: bea@example.org}
  remind_hours_before: 48
  escalate_hours_before: 36
  escalate_to: [head@example.org]
"""


def random_waves(*, features: Sequence[Any], seed: int, waves: int = 10) -> Any:
    """A pipeline with a type that a package may hold only where its spec trusts it."""
    return make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        RBFSampler(n_components=waves, random_state=seed),
        LogisticRegression(random_state=seed),
    )


# One candidate for each package, the types that its spec trusts, and its packages' name.
KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "boosted_trees": (
        {
            "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
            "params": {"max_iter": 8, "max_leaf_nodes": 9},
        },
        (),
    ),
    "random_forest": (
        {
            "estimator": "sklearn.ensemble.RandomForestClassifier",
            "params": {"n_estimators": 8, "max_depth": 5},
        },
        (),
    ),
    "logistic_regression": (
        {"factory": "mlops.core.estimators.scaled_logistic_regression", "params": {"C": 0.1}},
        (),
    ),
    "base_rate": (
        {"estimator": "sklearn.dummy.DummyClassifier", "params": {"strategy": "prior"}},
        (),
    ),
    "trusted_type": (
        {"factory": "tests.compat.make_v0_1_0.random_waves", "params": {"waves": 12}},
        ("sklearn.kernel_approximation.RBFSampler",),
    ),
}


PERIOD_CALLS = ("label()", "words()")
FILTERS_USED = (
    "{{ 28243 | count }} {{ none | decimal }} {{ 0.5 | decimal(2) }} {{ 54.4 | amount }}",
    "{{ 0.35 | signed }} {{ -0.35 | signed(1) }} {{ 0.26 | percent }} {{ 0.26 | percent(0) }}",
    "{% set at = report.made_at if view.heat is defined else report.identity.made_at %}",
    "{{ at | day }} {{ at | minute }}",
    "{{ 125.0 | seconds }} {{ ('ab' * 32) | short }} {{ 2 | several('row') }}",
    "{{ 2 | several('day', 'days') }} {{ 'auc by origin' | metric }} {{ '≥ -0.01' | bound }}",
)

# For each task all that come before it.
DAGS = """
import json
from pathlib import Path
from mlops.lifecycle import build_dags
from mlops.lifecycle.governance import governance_dag

print(json.dumps({{
    dag.dag_id: {{
        "params": sorted(dag.params),
        "tasks": {{
            task.task_id: sorted(task.get_flat_relative_ids(upstream=True)) for task in dag.tasks
        }},
    }}
    for dag in [*build_dags(Path({root!r})), governance_dag()]
}}))
"""


class Receiver:
    """A lineage server that takes everything but the events of some jobs."""

    url = MARQUEZ

    def __init__(self, refused: str = "") -> None:
        self.refused = refused

    def run(self, run_id: str) -> dict[str, Any]:
        """It holds every run that it was told of."""
        return {"id": run_id}

    def post(self, body: str) -> Outcome:
        """What becomes of an event."""
        name = json.loads(body)["job"]["name"]
        if self.refused and name.endswith(self.refused):
            return Outcome("refused", "400 Bad Request: it does not like this job")
        return Outcome("delivered", "201 Created")


class Story:
    """The life of ``late``, act by act, and what was live after each of them."""

    def __init__(self, one: Life) -> None:
        self.life = one
        self.told: list[dict[str, Any]] = []

    def at(self, run_id: str, task_id: str = "step", *, by: str = "dora", dag: str = "release"):
        """The same life in another run."""
        run = RunIdentity(dag_id=f"{MODEL}_{dag}", run_id=run_id, task_id=task_id, triggered_by=by)
        return elsewhere(self.life, run=run)

    def ask(self, run_id: str, version: int, seat: str) -> Life:
        """Put a request before a seat's people."""
        there = self.at(run_id, f"sign_off.{seat}")
        request(there.workspace, model=MODEL, version=version, seat=seat)
        return there

    def sign(
        self,
        run_id: str,
        version: int,
        seat: str,
        user: str,
        *,
        choice: str = "Approve",
        reason: str = "as the report says",
        try_number: int = 1,
    ) -> Decision:
        """Ask a seat, record an answer, and note that the task has read it."""
        there = self.at(run_id, f"sign_off.{seat}")
        run = replace(there.workspace.run, try_number=try_number)
        work = elsewhere(there, run=run).workspace
        request(work, model=MODEL, version=version, seat=seat)
        answer = Answer(Person(user, user.capitalize()), choice, reason, datetime.now(UTC))
        decision = answered(
            work, model=MODEL, version=version, seat=seat, answer=answer, gate=gate_id(run)
        )
        close(work, decision=decision, gate=gate_id(run))
        return decision

    def control(self, action: str, user: str, **what: Any) -> None:
        """A person's act in the control DAG, whose start the API server had noted."""
        person = Person(user, user.capitalize())
        there = self.at(f"{action}-{len(self.told)}", "control", by=person.name, dag="control")
        record_started(there.workspace, person=person)
        control(
            there.workspace, model=MODEL, action=action, person=person, reason=f"{action}!", **what
        )

    def remember(self, what: str) -> None:
        """Write down what ``status`` says at this moment."""
        self.told.append({"after": what, "at": datetime.now(UTC).isoformat()})


def first_version(story: Story) -> dict[str, Any]:
    """A version with conditions and a refused answer, deployed, scored and monitored."""
    life = story.at("release-1")
    release = life.release("2013-07-01")
    assert not story.sign("release-1", 1, "business_owner", "sam").counted, "the developer"
    assert story.sign("release-1", 1, "business_owner", "bea", try_number=2).enough
    assert not story.sign("release-1", 1, "lead_data_scientist", "lin").enough
    conditions = "the drift of carriers is looked at every week"
    assert story.sign(
        "release-1",
        1,
        "lead_data_scientist",
        "lea",
        choice=APPROVE_WITH_CONDITIONS,
        reason=conditions,
        try_number=2,
    ).enough
    there = story.ask("release-1", 1, "model_risk")
    for notice in due(there.workspace, at=datetime.now(UTC)):
        record_told(story.at("hourly", "reminders", dag="governance").workspace, notice)
    assert not story.sign("release-1", 1, "model_risk", "max", reason=" ", try_number=2).counted
    assert story.sign("release-1", 1, "model_risk", "max", try_number=3).enough
    story.remember("signed")
    deploy(life.workspace, model=MODEL, version=1)
    story.remember("deploy of v1")
    window = story.at("score-1", dag="score").window(FIRST)
    assert window.judged.state == "alarm", window.judged
    # A row that is gone makes another publication of the same batch.
    life.run("DELETE FROM flights WHERE flight_id = (SELECT min(flight_id) FROM ml.late)")
    _, _, republished = story.at("score-1b", dag="score").publish(FIRST)
    assert republished.batch == "late/2013-07-01/v1#2"
    # Another release over the same rows finds its version live already.
    again = story.at("release-1b")
    assert again.release("2013-07-01").packaged == release.packaged
    deploy(again.workspace, model=MODEL, version=1)
    return {"release": asdict(release), "window": of_window(window)}


def second_version(story: Story) -> dict[str, Any]:
    """Another spec and another policy; rolled back, its owner's signature taken back."""
    deliver(story.life.workspace.store, Receiver())
    story.life.edit("models/late.yml", CHANGED)
    story.life.edit("policies/desk.yml", {"36500\n    reason": "180\n    reason"})
    life = story.at("release-2")
    release = life.release("2013-07-02")
    story.sign("release-2", 2, "business_owner", "ben")
    story.sign("release-2", 2, "lead_data_scientist", "lin")
    story.sign("release-2", 2, "lead_data_scientist", "leo", try_number=2)
    assert story.sign("release-2", 2, "model_risk", "lin").enough, "two seats that may be shared"
    deploy(life.workspace, model=MODEL, version=2)
    story.remember("deploy of v2")
    first = story.at("score-2", dag="score").window(SECOND)
    story.control("rollback", "bea")
    story.remember("rollback to v1")
    again = story.at("score-2b", dag="score").window(SECOND)
    story.control("revoke", "ben", version=2, seat="business_owner")
    return {
        "release": asdict(release),
        "window": of_window(first),
        "rolled_back": of_window(again),
    }


def stopped(story: Story) -> dict[str, Any]:
    """A day scored by the rule, and a day by the model again."""
    story.control("stop", "bea")
    story.remember("stop")
    ruled = story.at("score-3", dag="score").window(THIRD)
    assert ruled.plan.by_rule
    story.control("resume", "bea")
    story.remember("resume")
    scored = story.at("score-4", dag="score").window(FOURTH)
    return {"rule": of_window(ruled), "resumed": of_window(scored)}


def third_version(story: Story) -> None:
    """Rejected by one seat, lapsed in another, and still waiting for the third."""
    story.at("release-3").release("2013-07-03")
    story.sign("release-3", 3, "model_risk", "max", choice="Reject", reason="too few rows")
    silent = story.ask("release-3", 3, "lead_data_scientist")
    lapsed(silent.workspace, model=MODEL, version=3, seat="lead_data_scientist")
    there = story.ask("release-3", 3, "business_owner")
    with there.workspace.store.transaction() as transaction:
        gate = transaction.get(GateRow, gate_id(there.workspace.run))
    answer = Answer(
        Person("dora", "Dora"), "Approve", "in a hurry", datetime.now(UTC), method=MARK_SUCCESS
    )
    assert not marked(there.workspace, gate=gate, answer=answer).counted
    deliver(story.life.workspace.store, Receiver(refused=".train"))
    places = ["--include", str(story.life.include), "--url", story.life.database]
    os.environ["SUDO_USER"] = "ada"  # what the command takes for who runs it
    said("people", "reassign", "leo", "lou", "--reason", "leo has left", *places)
    story.remember("end")


def of_window(window: Any) -> dict[str, Any]:
    """The results of a window's steps, as the XComs of its tasks have them."""
    return {
        "plan": asdict(window.plan),
        "scored": [asdict(item) for item in window.scored],
        "published": asdict(window.published),
        "measured": asdict(window.measured),
        "judged": asdict(window.judged),
        "report_sha256": window.documented.report_sha256,
    }


def said(*arguments: str) -> tuple[int, str]:
    """What a command prints, and its exit code."""
    text = io.StringIO()
    with redirect_stdout(text):
        code = cli(list(arguments))
    return code, text.getvalue()


def sayings(story: Story) -> dict[str, Any]:
    """What 0.1.0 says about the life, without changing anything of it."""
    life, url = story.life, story.life.database
    now = story.told[-1]["at"]
    at = datetime.fromisoformat(now)
    for item in story.told:
        item["code"], item["said"] = said("status", MODEL, "--as-of", item["at"], "--url", url)
    with life.workspace.store.transaction() as transaction:
        entries, broken = ledger.verify(transaction.session.connection())
        assert broken is None
        seq, digest = ledger.head(transaction.session)
        versions = sorted(transaction.find(VersionRow), key=lambda row: row.number)
        graph = load_graph(transaction)
        history = model_history(transaction, MODEL, at=at, at_most=100)
        found = {
            "made_by": {"version": "0.1.0", "commit": COMMIT, "on": made_on()},
            "database": DATABASE,
            "address": ADDRESS,
            "revision": head_revision(),
            "at": now,
            "ledger": {"entries": entries, "head": f"{seq}:{digest}"},
            "tables": life.content(),
            "status": story.told,
            "specs": {
                row.digest: row.criteria_digest
                for row in sorted(transaction.find(SpecRow), key=lambda row: row.registered_at)
            },
            "versions": {
                str(row.number): {
                    "package": row.package_digest,
                    "seats": seats(transaction, row, at),
                    "in_a_year": seats(transaction, row, at + timedelta(days=365)),
                }
                for row in versions
            },
            "waiting": [
                [g.version, g.seat, g.users, g.asked_at, g.answer_by, g.policy]
                for g in waiting(transaction, at=at)
            ],
            "reviews": [
                [r.model, r.version, r.due, r.overdue] for r in reviews(transaction, at=at)
            ],
            "history": {
                "versions": [[v.number, v.state, len(v.signatures)] for v in history.versions],
                "deployments": [[d.version, d.action, d.reason] for d in history.deployments],
                "batches": [[b.id, b.by_rule, b.rows] for b in history.batches],
                "windows": [
                    [w.label, w.version, w.result.state, list(w.result.reasons)]
                    for w in history.windows
                ],
                "findings": [[f.cause, f.severity, f.owner] for f in history.findings],
                "reports": sorted([r.kind, r.version, r.sha256] for r in history.reports),
            },
            "lineage": {
                "runs": len(graph.runs),
                "before_a_batch": jobs(graph, f"{MODEL}/2013-07-04/v1", upstream=True),
                "after_a_column": jobs(graph, "public.flights.scheduled_arrival"),
            },
        }
    found["due"] = [[n.kind, n.to, n.subject, n.text] for n in due(life.workspace, at=at)]
    outbox = compare_outbox(life.workspace.store)
    assert outbox.problems == ()
    found["lineage"]["entries"] = outbox.entries
    found["lineage"]["waiting"] = events_waiting(life.workspace.store, MARQUEZ)
    return found


def seats(transaction: Any, version: VersionRow, at: datetime) -> list[Any]:
    """How each seat of a version stands."""
    return [
        [item.seat, item.title, item.needed, item.holds, item.signed_by, item.reason]
        for item in standings(transaction, version, at=at)
    ]


def jobs(graph: Any, about: str, *, upstream: bool = False) -> list[str]:
    """The jobs that a thing has come from, or has reached, in the ledger's order."""
    return [run.job for run in trace(graph, about, upstream=upstream).runs]


def made_on() -> dict[str, Any]:
    """What exact scores depend on: versions, and the routines that sum up."""
    sums = {item["architecture"] for item in threadpool_info() if "architecture" in item}
    return {
        "libraries": installed_versions(),
        "machine": platform.machine(),
        "sums": sorted(sums),
    }


def fresh_window(story: Story) -> dict[str, Any]:
    """The day after the end of the life, scored by 0.1.0 once the life has been put away."""
    window = story.at("score-5", dag="score").window(FIFTH)
    rows = story.life.rows(
        "SELECT flight_id, score, decision FROM ml.late WHERE batch = %s ORDER BY 1",
        window.plan.batch,
    )
    return {
        **of_window(window),
        "scores": {str(key): [score.hex(), decision] for key, score, decision in rows},
    }


def make_life(postgres: EmbeddedPostgres, folder: Path) -> dict[str, Any]:
    """Live through it in ``folder``, and put it away; returns what is said about it."""
    database = postgres.url(DATABASE)
    postgres.ensure_role(TASK_ROLE)
    upgrade(database, task_role=TASK_ROLE)
    include = folder / "include"
    write_include(include)
    # By names that are the same everywhere, since reports and lineage keep them.
    with chdir(folder):
        one = life(
            database,
            model=MODEL,
            include=Path("include"),
            artifacts=Path("artifacts"),
            store_url=postgres.url(DATABASE, user=TASK_ROLE),
        )
        story = Story(elsewhere(one, canonical={f"127.0.0.1:{postgres.port}": ADDRESS}))
        story.remember("nothing")
        lived = {
            "first": first_version(story),
            "second": second_version(story),
            "third": stopped(story),
        }
        third_version(story)
        found = sayings(story)
        dump(database, HERE / "store.sql", "mlops")
        dump(database, HERE / "warehouse.sql", "public", "ml")
        replace_folder(include, HERE / "include")
        replace_folder(folder / "artifacts" / "sha256", HERE / "artifacts" / "sha256")
        return {**found, "lived": lived, "fresh": fresh_window(story)}


def write_include(root: Path) -> None:
    """The include folder as the first release finds it, with 0.1.0's own report templates."""
    for name in ("models", "policies", f"sql/{MODEL}"):
        (root / name).mkdir(parents=True)
    (root / "models" / "late.yml").write_text(SPEC)
    (root / "policies" / "desk.yml").write_text(POLICY)
    for name, text in (("features", FEATURES), ("outcomes", OUTCOMES), ("rule", RULE)):
        (root / "sql" / MODEL / f"{name}.sql").write_text(text)
    shutil.copytree(PROJECT / "include" / "reports", root / "reports")


def few_flights(database: str) -> None:
    """Leave a few flights of two weeks, and no table beside them."""
    load(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE airlines, airports, planes, weather CASCADE")
        for column in UNUSED:
            connection.execute(f"ALTER TABLE flights DROP COLUMN {column}".encode())
        connection.execute(
            "DELETE FROM flights WHERE flight_id %% %s > 0 OR scheduled_departure < %s"
            " OR scheduled_departure >= %s",
            (ONE_OF, *DAYS),
        )
        connection.execute("VACUUM (FULL, ANALYZE) flights")


def dump(database: str, file: Path, *schemas: str) -> None:
    """Schemas as plain SQL that any client can run, whoever owns the database."""
    command = [
        str(installation() / "bin" / "pg_dump"),
        f"--dbname={database}",
        "--no-owner",
        "--no-privileges",
        "--inserts",
        "--rows-per-insert=100",
        *(f"--schema={schema}" for schema in schemas),
    ]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = re.sub(r"^\\.*\n", "", text, flags=re.MULTILINE)  # for psql only
    # Older servers do not know the one, and have the other two already.
    superfluous = r"^(SET transaction_timeout|CREATE SCHEMA public|COMMENT ON SCHEMA public).*\n"
    text = re.sub(superfluous, "", text, flags=re.MULTILINE)
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    file.write_text(re.sub(r"\n{3,}", "\n\n", text).lstrip())


def replace_folder(source: Path, target: Path) -> None:
    """Copy a folder in place of what stood there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def make_specs() -> None:
    """Digests of every spec and every policy in ``specs/``."""
    include = Include(HERE / "specs")
    specs = {file.name: include.read_spec(file) for file in include.spec_files()}
    write_json(
        HERE / "specs.json",
        {
            "specs": {
                name: {"spec": spec.digest, "criteria": spec.criteria_digest}
                for name, spec in specs.items()
            },
            # As a version's row keeps its policy.
            "policies": {
                file.name: digest_json(include.policy(file.stem).model_dump(mode="json"))
                for file in include.policy_files()
            },
        },
    )


def make_dags() -> None:
    """Names that Airflow keeps of the DAGs: what is in flight, and all history, goes by them."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", DAGS.format(root=str(HERE / "specs"))],
            env={**environment, "AIRFLOW_HOME": home},
            check=True,
            capture_output=True,
            text=True,
        )
    write_json(HERE / "dags.json", json.loads(done.stdout.splitlines()[-1]))


def make_names() -> None:
    """Templates that use each name that a report had: companies may have written any of them."""
    target = HERE / "names"
    target.mkdir(exist_ok=True)
    reports = {
        "validation": (ValidationContext, ValidationView),
        "monitoring": (MonitoringContext, MonitoringView),
    }
    for name, (context, view) in reports.items():
        lines = [*_names(context, "report"), *_names(view, "view")]
        (target / f"{name}.html.j2").write_text("\n".join([*lines, *FILTERS_USED, ""]))


def _names(hint: Any, expression: str, depth: int = 0) -> Iterator[str]:
    """Lines of a template that print everything below an expression of a type."""
    pad = " " * depth
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        (one,) = (part for part in parts if part is not type(None))
        yield f"{pad}{{% if {expression} is not none %}}"
        yield from _names(one, expression, depth + 1)
        yield f"{pad}{{% endif %}}"
    elif get_origin(hint) is tuple and parts[-1] is Ellipsis:
        yield f"{pad}{{% for item{depth} in {expression} %}}"
        yield from _names(parts[0], f"item{depth}", depth + 1)
        yield f"{pad}{{% endfor %}}"
    elif get_origin(hint) is tuple:
        for index, part in enumerate(parts):
            yield from _names(part, f"{expression}[{index}]", depth)
    elif is_dataclass(hint):
        hints = get_type_hints(hint)
        for field in fields(hint):
            yield from _names(hints[field.name], f"{expression}.{field.name}", depth)
        if hint is Period:
            yield from (f"{pad}{{{{ {expression}.{name} }}}}" for name in ("unit", *PERIOD_CALLS))
    else:
        yield f"{pad}{{{{ {expression} }}}}"


def make_packages(postgres: EmbeddedPostgres, folder: Path) -> None:
    """Release a model of each kind in a database of their own, and score rows with it."""
    database = postgres.url("kinds")
    upgrade(database, task_role=TASK_ROLE)
    write_include(folder / "include")
    target = HERE / "packages"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    rows = rows_to_score(database)
    write_json(target / "rows.json", columns_of(rows))
    kinds = {}
    for name, (candidate, trusted) in KINDS.items():
        made = life(
            database,
            model=MODEL,
            include=folder / "include",
            artifacts=folder / "artifacts",
        )
        spec = json.dumps([{"name": name, **candidate}])
        text = re.sub(r"(?<=candidates:)\n.*(?=\n  slices)", f" {spec}", SPEC, flags=re.DOTALL)
        text = text.replace("auc, at_least: 0.55", "auc, at_least: 0.4")
        text = text.replace("  slices:", f"  trusted_types: {json.dumps(trusted)}\n  slices:")
        (folder / "include" / "models" / "late.yml").write_text(text)
        digest = made.release("2013-07-01").packaged.package_digest
        data = made.workspace.artifacts.read(digest)
        (target / f"{name}.zip").write_bytes(data)
        kinds[name] = {"digest": digest, "trusted": list(trusted), **scores(data, digest, rows)}
    write_json(target / "scores.json", {"made_on": made_on(), "kinds": kinds})


def rows_to_score(database: str) -> pa.Table:
    """Flights of another day, some with an airline and an airport that nobody has heard of."""
    query = render(FEATURES, {"window_start": THIRD.start, "window_end": FIFTH.end})
    with psycopg.connect(database, options="-c timezone=UTC") as connection:
        found = connection.execute(f"{query} ORDER BY flight_id LIMIT 200".encode())
        names = [column.name for column in found.description or ()]
        columns = dict(zip(names, map(list, zip(*found.fetchall(), strict=True)), strict=True))
    columns.pop("scheduled_departure")
    columns["carrier"][3::20] = ["ZZ"] * len(columns["carrier"][3::20])
    columns["origin"][7::40] = [None] * len(columns["origin"][7::40])
    columns["distance"][5::50] = [1e30, -1e-300, 0.1 + 0.2, 5e-324]
    types = {"carrier": pa.string(), "origin": pa.string(), "hour": pa.int32()}
    types |= {"flight_id": pa.int64(), "distance": pa.float64(), "planned_minutes": pa.float64()}
    return pa.table({name: pa.array(columns[name], types[name]) for name in columns})


def columns_of(rows: pa.Table) -> dict[str, Any]:
    """A table as JSON: for each column its type and its values."""
    return {
        field.name: {"type": str(field.type), "values": rows[field.name].to_pylist()}
        for field in rows.schema
    }


def scores(data: bytes, digest: str, rows: pa.Table) -> dict[str, Any]:
    """What both ways of predicting give for the rows, to the last bit."""
    contents = read(data, expected_digest=digest)
    trusted = contents.spec["content"]["develop"]["trusted_types"]
    loaded = load_model(contents, trusted=trusted)
    assert loaded.check_golden() == 0.0
    (batch,) = rows.combine_chunks().to_batches()
    matrix, unseen = contents.encoder.encode_counting(batch)
    numbers = np.where(np.isnan(matrix), "nan", np.vectorize(float.hex)(matrix))
    return {
        "unseen": unseen,
        "matrix": hashlib.sha256("\n".join(map(" ".join, numbers)).encode()).hexdigest(),
        "predict": [float(score).hex() for score in loaded.predict(matrix)],
        "positive_scores": [
            float(score).hex() for score in positive_scores(loaded.estimator, matrix)
        ],
    }


def write_json(file: Path, value: Any) -> None:
    """Plain JSON that can be read and compared."""
    text = json.dumps(value, indent=1, ensure_ascii=False, default=_plain)
    # Numbers and scores beside one another: a line for each would be most of the file.
    file.write_text(re.sub(r"\[[^][{}]*\]", lambda found: _in_one_line(found[0]), text) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value))


def _in_one_line(text: str) -> str:
    return re.sub(r"\n\s*", " ", text).replace("[ ", "[").replace(" ]", "]")


def main() -> None:
    """Make everything anew."""
    root = Path(tempfile.mkdtemp(prefix="mlops-compat-"))
    root.chmod(0o711)
    server = EmbeddedPostgres(root / "data", needed_bytes=10**9)
    try:
        server.start()
        for name in (DATABASE, "kinds"):
            server.ensure_database(name)
            few_flights(server.url(name))
        with threadpool_limits(limits=1):
            made = make_life(server, root / "life")
            write_json(HERE / "life.json", made)
            make_packages(server, root / "kinds")
        make_specs()
        make_dags()
        make_names()
    finally:
        server.destroy()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
