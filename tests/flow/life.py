"""A model's life through the functions of ``mlops.flow``, and what it leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from mlops.approvals.eligibility import Person
from mlops.approvals.responses import Answer, gate_id, record_response, request
from mlops.core.period import Period
from mlops.flow.check_data import check_data
from mlops.flow.check_input import check_input
from mlops.flow.deploy import deploy
from mlops.flow.document import document
from mlops.flow.intake import intake
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.monitor_report import monitor_report
from mlops.flow.package import package
from mlops.flow.publish import publish
from mlops.flow.score import score
from mlops.flow.snapshot import snapshot
from mlops.flow.train import train
from mlops.flow.validate import validate
from mlops.spec.load import Include
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.results import (
    Checked,
    Decision,
    Deployed,
    Documented,
    Intake,
    Judged,
    Measured,
    Packaged,
    Published,
    Snapshot,
    Training,
    Validation,
)
from mlops.workspace.workspace import RunIdentity, Workspace

PROJECT = Path(__file__).resolve().parents[2]
TASK_ROLE = "mlops_tasks"
SEATS = {"business_owner": "bea", "lead_data_scientist": "lin", "model_risk": "max"}
SCHEMAS = ("mlops", "ml")

Content = dict[str, tuple[int, str]]


def moment(text: str) -> datetime:
    """A moment in UTC from its ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Release:
    """What the steps of one release gave."""

    intake: Intake
    snapshot: Snapshot
    checked: Checked
    training: Training
    validation: Validation
    packaged: Packaged
    documented: Documented


@dataclass(frozen=True)
class Window:
    """What the steps of one window gave."""

    plan: Plan
    scored: tuple[Scored, ...]
    published: Published
    measured: Measured
    judged: Judged
    documented: Documented


@dataclass(frozen=True)
class Life:
    """The places of one model's life.

    :ivar database: URL of the database with the flights, the predictions and our own tables, as
        its superuser; the steps reach our tables as the tasks' role does.
    """

    model: str
    database: str
    workspace: Workspace

    @property
    def include(self) -> Path:
        """The folder of what people wrote."""
        return self.workspace.include.root

    def release(self, as_of: str) -> Release:
        """Everything of a release up to the report that people sign on."""
        work = self.workspace
        taken_in = intake(work, model=self.model)
        frozen = snapshot(work, spec_digest=taken_in.spec_digest, as_of=moment(as_of))
        checked = check_data(work, snapshot_id=frozen.snapshot_id)
        training = train(work, snapshot_id=checked.snapshot_id)
        validation = validate(work, training_id=training.training_id)
        packaged = package(work, training_id=validation.training_id, champion=validation.champion)
        documented = document(work, model=self.model, version=packaged.version)
        return Release(taken_in, frozen, checked, training, validation, packaged, documented)

    def sign(
        self, version: int, seats: Sequence[str] = tuple(SEATS), *, choice: str = "Approve"
    ) -> list[Decision]:
        """Requests to the people of some seats, and their answers."""
        return [self._answer(version, seat, SEATS[seat], choice) for seat in seats]

    def _answer(self, version: int, seat: str, user: str, choice: str) -> Decision:
        run = replace(self.workspace.run, task_id=f"sign_off.{seat}")
        work = replace(self.workspace, run=run)
        request(work, model=self.model, version=version, seat=seat)
        answer = Answer(
            person=Person(id=user, name=user),
            choice=choice,
            reason="as the report says",
            at=datetime.now(UTC),
        )
        return record_response(
            work, model=self.model, version=version, seat=seat, answer=answer, gate=gate_id(run)
        )

    def deploy(self, version: int) -> Deployed:
        """The version goes live."""
        return deploy(self.workspace, model=self.model, version=version)

    def live(self, release: Release) -> Deployed:
        """A release's version, signed and deployed."""
        intended = release.packaged.version
        needed = [seat for seat in SEATS if seat in release.intake.seats]
        self.sign(intended, needed)
        return self.deploy(intended)

    def plan(self, window: Period, *, shards: int = 2) -> Plan:
        """The window's rows are checked, and cut into shards."""
        return check_input(self.workspace, model=self.model, window=window, shards=shards)

    def publish(self, window: Period) -> tuple[Plan, tuple[Scored, ...], Published]:
        """The window is checked, scored and published."""
        plan = self.plan(window)
        scored = tuple(score(self.workspace, plan=plan, shard=shard) for shard in plan.shards)
        return plan, scored, publish(self.workspace, plan=plan, scored=scored)

    def window(self, window: Period) -> Window:
        """Everything of one window, from the check of its rows to the report."""
        plan, scored, published = self.publish(window)
        measured = measure(self.workspace, model=self.model, window=window)
        judged = judge(self.workspace, measurement=measured.measurement)
        documented = monitor_report(self.workspace, measurement=judged.measurement)
        return Window(plan, scored, published, measured, judged, documented)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query gives, as the superuser sees it."""
        with psycopg.connect(self.database, options="-c timezone=UTC") as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The one value that a query gives."""
        ((found,),) = self.rows(query, *parameters)
        return found

    def run(self, *statements: str) -> None:
        """Change the customer's tables."""
        with psycopg.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def content(self) -> Content:
        """Count and digest of the rows of every table of ours and of the predictions."""
        return content(self.database)

    def edit(self, file: str, changes: Mapping[str, str]) -> None:
        """Replace text in a file of the include folder; each piece stands in it once."""
        place = self.include / file
        text = place.read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
            text = text.replace(old, new)
        place.write_text(text)


def life(
    database: str, *, model: str, include: Path, artifacts: Path, store_url: str | None = None
) -> Life:
    """A life whose places are there already.

    :param store_url: default: the same database as the tasks' role.
    """
    return Life(
        model=model,
        database=database,
        workspace=Workspace(
            store=Store(store_url or database),
            artifacts=Artifacts(artifacts),
            include=Include(include),
            warehouse_url=database,
            run=RunIdentity(
                dag_id=f"{model}_release",
                run_id="release-1",
                task_id="step",
                triggered_by="dora",
            ),
        ),
    )


def elsewhere(one: Life, **places: Any) -> Life:
    """The same life with some places of its workspace exchanged."""
    return replace(one, workspace=replace(one.workspace, **places))


def content(database: str) -> Content:
    """For each table of ours and of the predictions: how many rows, and the digest of them."""
    query = sql.SQL("SELECT count(*), coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '')")
    found: Content = {}
    with psycopg.connect(database, options="-c timezone=UTC") as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2",
            [list(SCHEMAS)],
        ).fetchall()
        for name in tables:
            row = connection.execute(
                query + sql.SQL(" FROM {} AS t").format(sql.Identifier(*name))
            ).fetchone()
            assert row is not None
            found[".".join(name)] = row
    return found


def counts(content: Content) -> dict[str, int]:
    """How many rows each table has."""
    return {table: rows for table, (rows, _) in content.items()}


def added(before: Content, after: Content) -> dict[str, int]:
    """The tables that have more rows, and how many more; rows that were there are unchanged."""
    was, now = counts(before), counts(after)
    return {
        table: rows - was.get(table, 0) for table, rows in now.items() if rows != was.get(table, 0)
    }


def reduced_flight_delay(target: Path) -> Path:
    """The project's include folder with a flight_delay that trains in seconds.

    Four weeks to train on and one to test, two small candidates, gates that they reach, and
    windows of a week.
    """
    shutil.copytree(PROJECT / "include", target)
    file = target / "models" / "flight_delay.yml"
    spec = yaml.safe_load(file.read_text())
    develop = spec["develop"]
    develop["split"] = {"unit": "week", "train": 4, "test": 1}
    develop["candidates"] = [
        candidate
        for candidate in develop["candidates"]
        if candidate["name"] in ("boosted_trees", "base_rate")
    ]
    develop["candidates"][0]["params"] = {"max_iter": 20, "max_leaf_nodes": 15}
    develop["gates"] = [
        {"metric": "auc", "at_least": 0.7},
        {"metric": "calibration_error", "at_most": 0.2},
        {"metric": "auc", "slice": "origin", "at_least": 0.6, "min_rows": 1000},
        {"metric": "auc", "against": "champion", "at_least": -0.1},
    ]
    spec["deploy"]["window"] = spec["monitor"]["window"] = "week"
    spec["monitor"]["performance"]["at_least"] = 0.6
    file.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))
    return target
