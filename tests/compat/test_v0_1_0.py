"""What version 0.1.0 left behind is read, held to and gone on with.

``v0_1_0/`` was made once by ``make_v0_1_0.py``, with the code of version 0.1.0: a store with a
model's life, its artifacts and predictions, the files that people had written, and packages; beside
them stands what 0.1.0 said about all that. Nothing there may be made again. Where a test fails, the
code of today no longer keeps a promise that was made to whoever runs 0.1.0.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from packaging.version import Version
from sqlalchemy import text
from threadpoolctl import threadpool_info

from mlops.approvals.eligibility import Person
from mlops.approvals.reminders import due, waiting
from mlops.approvals.requests import gate_id, request, unprocessed_decision
from mlops.approvals.responses import Answer, record_response
from mlops.approvals.signatures import require_signed, seat_statuses
from mlops.cli.main import main
from mlops.core.artifact.package import load_model, read
from mlops.core.period import Period, parse
from mlops.core.scores import predict_scores
from mlops.digests import digest_json
from mlops.errors import ArtifactChanged, ArtifactRefused, NotSigned
from mlops.flow.check_input import check_input
from mlops.flow.control import control, record_run_start, started_by
from mlops.flow.deploy import deploy
from mlops.flow.document import document, monitor_report
from mlops.flow.governance import reviews
from mlops.flow.judge import judge
from mlops.flow.load_version import load_version
from mlops.flow.measure import measure
from mlops.flow.publish import publish
from mlops.flow.score import score
from mlops.lineage.marquez.client import Outcome
from mlops.lineage.marquez.compare import compare_outbox
from mlops.lineage.marquez.relay import deliver
from mlops.lineage.marquez.relay import waiting as events_waiting
from mlops.lineage.trace.graph import load as load_graph
from mlops.lineage.trace.trace import trace
from mlops.spec.load import Include, Spec
from mlops.store import ledger
from mlops.store.connect import Transaction, make_engine
from mlops.store.migrate import upgrade
from mlops.store.tables import (
    DecisionRow,
    DeploymentRow,
    GateRow,
    MonitorRow,
    ReportRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    VersionRow,
)
from mlops.views.history import model_history
from mlops.views.inventory import summaries
from mlops.workspace.plan import Plan, Scored
from mlops.workspace.results import Published
from mlops.workspace.workspace import RunIdentity
from tests.fixtures.life import TASK_ROLE, Life, added, content, elsewhere, life

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres
    from tests.fixtures.airflow import Run
    from tests.fixtures.postgres import MakeDatabase

FILES = Path(__file__).parent / "v0_1_0"
SAID = json.loads((FILES / "life.json").read_text())
SPECS = json.loads((FILES / "specs.json").read_text())
PACKAGES = FILES / "packages"
KINDS = json.loads((PACKAGES / "scores.json").read_text())["kinds"]
MODEL, LIVE = "late", 1
AT = datetime.fromisoformat(SAID["at"])
OWNER = "compat_owner"  # whoever restores a store need not be a superuser
MARQUEZ = "http://marquez.example.org:5000"
# The windows that the model scored and that are shown, and the steps' results of each.
LIVED = SAID["lived"]
WINDOWS = {
    "2013-07-02": LIVED["second"]["rolled_back"],
    "2013-07-04": LIVED["third"]["resumed"],
}
FRESH = SAID["fresh"]
# People go on using the files that they wrote, with the keys of then.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*keys have new names:FutureWarning"),
    pytest.mark.usefixtures("one_thread"),
]


def made_on() -> dict[str, Any]:
    """What exact scores depend on, as it is here: versions, and the routines that sum up."""
    sums = {item["architecture"] for item in threadpool_info() if "architecture" in item}
    made_with = SAID["made_by"]["on"]["libraries"]
    return {
        "libraries": {
            name: platform.python_version() if name == "python" else version(name)
            for name in made_with
        },
        "machine": platform.machine(),
        "sums": sorted(sums),
    }


AS_MADE = made_on() == SAID["made_by"]["on"]
only_as_made = pytest.mark.skipif(
    not AS_MADE,
    reason=f"made on {SAID['made_by']['on']}; with other versions or another processor, rows, "
    "models and scores may differ in their last bits",
)


# What a model needs may be unknown to libraries that are older than those that made it.
OLDER = [
    name
    for name in ("scikit-learn", "skops")
    if Version(version(name)) < Version(SAID["made_by"]["on"]["libraries"][name])
]
loads_models = pytest.mark.skipif(bool(OLDER), reason=f"models were made with later {OLDER}")


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres, make_database: MakeDatabase) -> Iterator[str]:
    """The name of a database that both dumps were restored into, by a role that is no superuser."""
    name = make_database().rpartition("/")[2]
    postgres.ensure_role(OWNER)
    postgres.ensure_role(TASK_ROLE)
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO {OWNER}".encode())
    for file in ("store.sql", "warehouse.sql"):
        with psycopg.connect(postgres.url(name, user=OWNER)) as connection:
            connection.execute((FILES / file).read_bytes())
    yield name
    postgres.drop_database(name)


@pytest.fixture
def restored(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """The URL of the restored database, as its owner; its name is in the lineage, so it is kept."""
    name = SAID["database"]
    postgres.ensure_database(name, owner=OWNER, template=template)
    yield postgres.url(name, user=OWNER)
    postgres.drop_database(name)


@pytest.fixture
def left(postgres: EmbeddedPostgres, restored: str, tmp_path: Path) -> Life:
    """The life that 0.1.0 left behind, upgraded to the code of today."""
    upgrade(restored, task_role=TASK_ROLE)
    for name in ("include", "artifacts"):
        shutil.copytree(FILES / name, tmp_path / name)
    shutil.rmtree(tmp_path / "include" / "reports")  # unchanged copies, as the change log asks
    made = life(
        restored,
        model=MODEL,
        include=tmp_path / "include",
        artifacts=tmp_path / "artifacts",
        store_url=postgres.url(SAID["database"], user=TASK_ROLE),
    )
    return elsewhere(made, canonical={f"127.0.0.1:{postgres.port}": SAID["address"]})


@pytest.fixture
def transaction(left: Life) -> Iterator[Transaction]:
    """A transaction of the tasks' role on the upgraded store."""
    with left.workspace.store.transaction() as found:
        yield found


def in_run(left: Life, run_id: str, task_id: str = "step", *, dag: str = "release") -> Life:
    """The same life in a run of its own."""
    run = RunIdentity(dag_id=f"{MODEL}_{dag}", run_id=run_id, task_id=task_id, triggered_by="dora")
    return elsewhere(left, run=run)


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, moments as text."""
    return json.loads(json.dumps(value, default=lambda moment: moment.isoformat()))


def as_hex(scores: np.ndarray) -> list[str]:
    """Scores to the last bit."""
    return [float(item).hex() for item in scores]


def assert_same_scores(found: list[str], expected: list[str]) -> None:
    """The same scores: to the last bit, or close where versions or the processor are others."""
    if AS_MADE:
        assert found == expected
    numbers = [[float.fromhex(item) for item in items] for items in (found, expected)]
    np.testing.assert_allclose(*numbers, rtol=0, atol=1e-6)


# ── the store


def test_the_dump_is_what_was_put_away(restored: str) -> None:
    assert plain(content(restored)) == SAID["tables"]
    assert SAID["revision"] == "0002"


def test_an_upgrade_changes_no_fact(restored: str, postgres: EmbeddedPostgres) -> None:
    upgrade(restored, task_role=TASK_ROLE)
    upgrade(restored, task_role=TASK_ROLE)
    now = plain(content(restored))
    kept = {table: now.get(table) for table in SAID["tables"] if "alembic" not in table}
    assert kept == {table: SAID["tables"][table] for table in kept}


def test_the_ledger_is_whole_and_has_the_head_that_was_noted(left: Life, capsys) -> None:
    head, entries = SAID["ledger"]["head"], SAID["ledger"]["entries"]
    assert main(["ledger", "verify", "--head", head, "--url", left.database]) == 0
    assert capsys.readouterr().out == f"the ledger is whole: {entries} entries, head {head}\n"
    with left.workspace.store.transaction() as transaction:
        connection = transaction.session.connection()
        assert ledger.verify(connection) == (entries, None)
        assert "{}:{}".format(*ledger.head(connection)) == head


def test_a_row_of_0_1_0_that_is_edited_now_is_named(left: Life) -> None:
    """Its digest is taken over the row as it is read back today."""
    free = {"check_result": "subject", "notice": "text", "version": "tier", "deployment": "reason"}
    facts = {name.removeprefix("mlops.") for name in SAID["tables"] if name.startswith("mlops.")}
    facts -= {"alembic_version", "ledger", "lineage_event", "lineage_delivery"}
    assert len(facts) == 16
    engine = make_engine(left.database)
    for table in sorted(facts):
        column = free.get(table, "model")
        with engine.connect() as connection:
            connection.execute(text(f"UPDATE mlops.\"{table}\" SET {column} = {column} || '!'"))
            _, broken = ledger.verify(connection)
            connection.rollback()
        assert broken is not None
        assert f"its {table} " in broken.reason
        assert "was changed" in broken.reason


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops.ledger SET actor = 'eve' WHERE seq = 7",
        "DELETE FROM mlops.ledger WHERE seq = 7",
        "TRUNCATE mlops.ledger",
    ],
)
def test_the_ledger_still_refuses_to_be_changed(left: Life, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the ledger is append-only"):
        left.run(statement)


def test_the_tasks_may_add_and_nothing_else(left: Life) -> None:
    url = left.workspace.store.libpq_url
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE mlops.decision SET reason = ''")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO mlops.notice VALUES ('x', 'y', '[]', 'z', now())")
        connection.rollback()


def test_every_artifact_of_a_fact_is_there(left: Life, transaction: Transaction) -> None:
    digests = {
        *(row.sha256 for row in transaction.find(SnapshotRow)),
        *(row.sha256 for row in transaction.find(ReportRow)),
        *(row.model_sha256 for row in transaction.find(TrainingRow)),
        *(row.package_digest for row in transaction.find(VersionRow)),
    }
    assert digests == {file.name for file in (FILES / "artifacts").rglob("*") if file.is_file()}
    for digest in digests:
        assert hashlib.sha256(left.workspace.artifacts.read(digest)).hexdigest() == digest


# ── what was live, and who had signed it


@pytest.mark.parametrize("then", SAID["status"], ids=lambda then: then["after"].replace(" ", "_"))
def test_what_was_live_at_a_moment_is_said_as_0_1_0_said_it(
    left: Life, then: dict[str, Any], capsys
) -> None:
    code = main(["status", MODEL, "--as-of", then["at"], "--url", left.database])
    assert (code, capsys.readouterr().out) == (then["code"], then["said"])


def seats(transaction: Transaction, row: VersionRow, at: datetime) -> list[Any]:
    """How each seat of a version stands."""
    return plain(
        [
            [item.seat, item.title, item.needed, item.holds, item.signed_by, item.reason]
            for item in seat_statuses(transaction, row, at=at)
        ]
    )


def test_signatures_hold_or_not_for_the_same_reasons(transaction: Transaction) -> None:
    for row in transaction.find(VersionRow):
        said = SAID["versions"][str(row.number)]
        assert row.package_digest == said["package"]
        assert seats(transaction, row, AT) == said["seats"]
        assert seats(transaction, row, AT + timedelta(days=365)) == said["in_a_year"]


def test_the_live_versions_signatures_hold_today_and_the_others_do_not(
    transaction: Transaction,
) -> None:
    versions = {row.number: row for row in transaction.find(VersionRow)}
    assert set(versions) == {1, 2, 3}
    require_signed(transaction, versions[LIVE], at=datetime.now(UTC))
    for number, why in ((2, "Ben revoked the signature"), (3, "Max rejected: too few rows")):
        with pytest.raises(NotSigned, match=why):
            require_signed(transaction, versions[number], at=datetime.now(UTC))


def test_gates_that_waited_wait_still_and_their_people_are_told(left: Life) -> None:
    with left.workspace.store.transaction() as transaction:
        found = [
            [g.version, g.seat, g.users, g.asked_at, g.answer_by, g.policy]
            for g in waiting(transaction, at=AT)
        ]
    assert plain(found) == SAID["waiting"] != []
    told = [[n.kind, n.to, n.subject, n.text] for n in due(left.workspace, at=AT)]
    assert plain(told) == SAID["due"] != []


def test_reviews_fall_due_when_they_were_to(transaction: Transaction) -> None:
    found = [[r.model, r.version, r.due, r.overdue] for r in reviews(transaction, at=AT)]
    assert plain(found) == SAID["reviews"] != []


def test_who_started_a_run_is_still_known(left: Life) -> None:
    ((subject,),) = left.rows(
        "SELECT subject FROM mlops.ledger WHERE action = 'run.started' AND subject LIKE %s",
        "late_control/revoke-%",
    )
    run = replace(in_run(left, subject.partition("/")[2], dag="control").workspace.run)
    there = elsewhere(left, run=replace(run, triggered_by="Ben"))
    assert started_by(there.workspace) == Person("ben", "Ben")


def test_the_history_is_told_as_it_was(transaction: Transaction) -> None:
    """The records in it are read from JSON that 0.1.0 wrote."""
    found = model_history(transaction, MODEL, at=AT, at_most=100)
    told = {
        "versions": [[v.number, v.state, len(v.signatures)] for v in found.versions],
        "deployments": [[d.version, d.action, d.reason] for d in found.deployments],
        "batches": [[b.id, b.by_rule, b.rows] for b in found.batches],
        "windows": [
            [w.label, w.version, w.result.state, list(w.result.reasons)] for w in found.windows
        ],
        "findings": [[f.cause, f.severity, f.owner] for f in found.findings],
        "reports": sorted([r.kind, r.version, r.sha256] for r in found.reports),
    }
    assert plain(told) == SAID["history"]
    (summary,) = summaries(transaction, (MODEL,), at=AT)
    assert summary == found.summary
    for item in found.versions:
        assert item.metrics.auc > 0.5
        assert {gate.passed for gate in item.gates} == {True}


# ── specs and policies


def test_a_registered_spec_is_read_back_as_it_was_registered(transaction: Transaction) -> None:
    rows = transaction.find(SpecRow)
    assert {row.digest: row.criteria_digest for row in rows} == SAID["specs"]
    for row in rows:
        spec = Spec.from_json(row.content)
        assert (spec.digest, spec.criteria_digest) == (row.digest, row.criteria_digest)
        assert spec.to_json() == row.content


def test_the_file_of_a_registered_spec_has_its_digest(left: Life) -> None:
    spec = left.workspace.include.spec(MODEL)
    assert spec.digest == LIVED["second"]["release"]["intake"]["spec_digest"]
    assert spec.criteria_digest == LIVED["second"]["release"]["intake"]["criteria_digest"]


@pytest.mark.parametrize("file", sorted(SPECS["specs"]))
def test_a_spec_has_the_digests_that_it_had(file: str) -> None:
    include = Include(FILES / "specs")
    spec = include.read_spec(FILES / "specs" / "models" / file)
    assert {"spec": spec.digest, "criteria": spec.criteria_digest} == SPECS["specs"][file]


@pytest.mark.parametrize("file", sorted(SPECS["policies"]))
def test_a_policy_says_what_it_said(file: str) -> None:
    policy = Include(FILES / "specs").policy(file.partition(".")[0])
    assert digest_json(policy.model_dump(mode="json")) == SPECS["policies"][file]


def test_all_that_was_sound_is_sound(capsys) -> None:
    for folder in ("specs", "include"):
        assert main(["check", "--include", str(FILES / folder)]) == 0, capsys.readouterr().err


# ── DAGs

MADE = """
import json
from pathlib import Path
from mlops.lifecycle import build_dags, governance_dag

print(json.dumps({{
    dag.dag_id: {{
        "params": list(dag.params),
        "tasks": {{
            task.task_id: list(task.get_flat_relative_ids(upstream=True)) for task in dag.tasks
        }},
    }}
    for dag in [*build_dags(Path({root!r})), governance_dag()]
}}))
"""


def test_dags_tasks_and_forms_keep_their_names(run_airflow: Run) -> None:
    """Airflow's history goes by them, and so do runs in flight, signatures and people's scripts."""
    found = run_airflow(MADE.format(root=str(FILES / "specs")))
    for name, then in json.loads((FILES / "dags.json").read_text()).items():
        now = found[name]
        assert set(then["params"]) <= set(now["params"]), name
        for task, before in then["tasks"].items():
            assert set(before) <= set(now["tasks"][task]), (name, task)


# ── packages


@pytest.fixture(scope="module")
def rows() -> pa.RecordBatch:
    """Flights to be scored, some with names that no package knows, or with none."""
    columns = json.loads((PACKAGES / "rows.json").read_text())
    found = {
        name: pa.array(column["values"], pa.type_for_alias(column["type"]))
        for name, column in columns.items()
    }
    return pa.RecordBatch.from_pydict(found)


@loads_models
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_package_scores_as_it_did(kind: str, rows: pa.RecordBatch) -> None:
    said = KINDS[kind]
    contents = read((PACKAGES / f"{kind}.zip").read_bytes(), expected_digest=said["digest"])
    loaded = load_model(contents, trusted=contents.spec["content"]["develop"]["trusted_types"])
    difference = loaded.check_golden()
    assert difference == 0.0 or not AS_MADE
    matrix, unseen = contents.encoder.encode_counting(rows)
    assert unseen == said["unseen"]
    assert matrix.shape == (200, 5)
    numbers = np.where(np.isnan(matrix), "nan", np.vectorize(float.hex)(matrix))
    lines = "\n".join(map(" ".join, numbers))
    assert hashlib.sha256(lines.encode()).hexdigest() == said["matrix"]
    assert_same_scores(as_hex(loaded.predict(matrix)), said["predict"])
    assert_same_scores(as_hex(predict_scores(loaded.estimator, matrix)), said["positive_scores"])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_package_that_is_not_what_was_signed_is_refused(kind: str) -> None:
    data = bytearray((PACKAGES / f"{kind}.zip").read_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ArtifactChanged):
        read(bytes(data), expected_digest=KINDS[kind]["digest"])


def test_a_type_that_only_a_spec_trusts_is_refused_without_it() -> None:
    said = KINDS["trusted_type"]
    assert said["trusted"] == ["sklearn.kernel_approximation.RBFSampler"]
    contents = read((PACKAGES / "trusted_type.zip").read_bytes(), expected_digest=said["digest"])
    with pytest.raises(ArtifactRefused, match="RBFSampler"):
        load_model(contents)


@loads_models
def test_the_package_of_every_version_is_read_and_gives_its_golden_rows(left: Life) -> None:
    with left.workspace.store.transaction() as transaction:
        versions = transaction.find(VersionRow)
    for row in versions:
        difference = load_version(left.workspace, row).check_golden()
        assert difference == 0.0 or not AS_MADE


# ── windows


@loads_models
@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_a_plan_of_0_1_0_is_scored_to_the_same_rows(left: Life, window: str) -> None:
    """A run may have stood between two of its tasks while everything was upgraded."""
    said, before = WINDOWS[window], left.content()
    left.run(f"DELETE FROM ml.late_predictions WHERE batch = '{said['plan']['batch']}'")
    plan = Plan.from_json(said["plan"])
    scored = [score(left.workspace, plan=plan, shard=shard) for shard in plan.shards]
    assert scored == [Scored(**item) for item in said["scored"]]
    if AS_MADE:
        assert publish(left.workspace, plan=plan, scored=scored) == Published(**said["published"])
        assert left.content() == before


def test_what_was_scored_then_is_published_now(left: Life) -> None:
    said, before = WINDOWS["2013-07-04"], left.content()
    found = publish(
        left.workspace,
        plan=Plan.from_json(said["plan"]),
        scored=[Scored(**item) for item in said["scored"]],
    )
    assert found == Published(**said["published"])
    assert left.content() == before


@only_as_made
def test_a_window_that_is_run_again_changes_nothing(left: Life) -> None:
    said, before = WINDOWS["2013-07-04"], left.content()
    window = parse("2013-07-04", "day")
    plan, scored, published = left.publish(window)
    assert plan == Plan.from_json(said["plan"])
    assert list(scored) == [Scored(**item) for item in said["scored"]]
    assert plain(asdict(published)) == said["published"]
    measured = measure(left.workspace, model=MODEL, window=window)
    assert plain(asdict(measured)) == said["measured"]
    judged = judge(left.workspace, measurement=measured.measurement)
    assert plain(asdict(judged)) == said["judged"]
    assert left.content() == before


def predictions(left: Life, batch: str) -> dict[str, list[Any]]:
    """What the applications read of a batch: score and decision by key."""
    found = left.rows("SELECT flight_id, score, decision FROM ml.late WHERE batch = %s", batch)
    return {str(key): [value.hex(), decision] for key, value, decision in found}


@loads_models
def test_a_window_that_nobody_had_scored_gets_the_scores_that_0_1_0_gave_it(left: Life) -> None:
    window = left.window(parse("2013-07-05", "day"))
    assert window.plan == Plan.from_json(FRESH["plan"])
    assert plain(asdict(window.published)) == FRESH["published"]
    found = predictions(left, window.published.batch)
    keys = sorted(FRESH["scores"])
    assert sorted(found) == keys
    assert len(keys) == window.published.rows > 100
    assert [found[key][1] for key in keys] == [FRESH["scores"][key][1] for key in keys]
    assert_same_scores([found[k][0] for k in keys], [FRESH["scores"][k][0] for k in keys])
    if AS_MADE:
        assert plain(asdict(window.measured)) == FRESH["measured"]
        assert plain(asdict(window.judged)) == FRESH["judged"]


# ── reports


def test_reports_are_written_of_facts_of_0_1_0_and_undo_no_signature(left: Life) -> None:
    """Whatever they say today."""
    with left.workspace.store.transaction() as transaction:
        versions = {row.number: row for row in transaction.find(VersionRow)}
        judged = transaction.find(MonitorRow)
    for number, packaged in versions.items():
        written = document(left.workspace, model=MODEL, version=number)
        html = left.workspace.artifacts.read(written.report_sha256).decode()
        assert packaged.package_digest in html
    for row in judged:
        written = monitor_report(left.workspace, measurement=row.measurement)
        html = left.workspace.artifacts.read(written.report_sha256).decode()
        assert versions[row.version].package_digest in html
    with left.workspace.store.transaction() as transaction:
        require_signed(transaction, versions[LIVE], at=datetime.now(UTC))
        assert ledger.verify(transaction.session.connection())[1] is None


# ── lineage


class Receiver:
    """A lineage server that takes everything."""

    url = MARQUEZ

    def run(self, run_id: str) -> dict[str, Any]:
        """It holds every run."""
        return {"id": run_id}

    def post(self, body: str) -> Outcome:
        """It takes every event."""
        return Outcome("delivered", "201 Created")


def jobs(transaction: Transaction, about: str, *, upstream: bool = False) -> list[str]:
    """The jobs that a thing has come from, or has reached, in the ledger's order."""
    return [run.job for run in trace(load_graph(transaction), about, upstream=upstream).runs]


def test_what_was_told_of_0_1_0_is_followed_now(transaction: Transaction) -> None:
    said = SAID["lineage"]
    assert len(load_graph(transaction).runs) == said["runs"]
    assert jobs(transaction, "late/2013-07-04/v1", upstream=True) == said["before_a_batch"]
    assert jobs(transaction, "public.flights.scheduled_arrival") == said["after_a_column"]


def test_the_outbox_agrees_with_the_ledger_and_is_delivered_to_its_end(left: Life) -> None:
    store, said = left.workspace.store, SAID["lineage"]
    found = compare_outbox(store)
    assert (found.problems, found.entries) == ((), said["entries"])
    assert events_waiting(store, MARQUEZ) == said["waiting"] > 0
    delivered = deliver(store, Receiver())  # type: ignore[arg-type]
    assert (delivered.delivered, delivered.waiting) == (said["waiting"], 0)
    left.run("UPDATE mlops.lineage_event SET body = replace(body, 'dora', 'eve') WHERE seq = 5")
    assert compare_outbox(store).problems == ("entry 5: its events were changed in the outbox",)


# ── the life goes on


@only_as_made
def test_a_release_that_is_run_again_finds_its_version(left: Life) -> None:
    """The same rows and the same spec give the same snapshot, training and package."""
    said, before = LIVED["second"]["release"], left.content()
    found = in_run(left, "release-2").release("2013-07-02")
    for step in ("intake", "snapshot", "checked", "training", "validation", "packaged"):
        assert plain(asdict(getattr(found, step))) == said[step], step
    # A report may say more today than it did.
    assert set(added(before, left.content())) <= {
        "mlops.report",
        "mlops.ledger",
        "mlops.lineage_event",
    }


@loads_models
def test_a_task_of_0_1_0_that_is_cleared_now_does_nothing_twice(left: Life) -> None:
    """What a run has done is known by digests of its own name, and of what it did."""
    with left.workspace.store.transaction() as transaction:
        gates, decisions = transaction.find(GateRow), transaction.find(DecisionRow)
        deployments = transaction.find(DeploymentRow)
    before = left.content()
    for row in gates:
        names = ("dag_id", "run_id", "task_id", "try_number", "triggered_by")
        run = RunIdentity(**{name: getattr(row, name) for name in names})
        assert gate_id(run) == row.id
        there = elsewhere(left, run=run).workspace
        request(there, model=MODEL, version=row.version, seat=row.seat)
    for row in decisions:
        there = elsewhere(left, run=RunIdentity(**row.run)).workspace
        person = Person(row.user_id, row.user_name)
        if row.answer == "Revoke":
            what = {"version": row.version, "seat": row.seat}
            control(there, model=MODEL, action="revoke", person=person, reason="again", **what)
        elif row.answer != "Lapse":
            answer = Answer(person, row.answer, row.reason, row.decided_at, row.method)
            record_response(
                there, model=MODEL, version=row.version, seat=row.seat, answer=answer, gate=row.gate
            )
    for row in deployments:
        there = elsewhere(left, run=RunIdentity(**row.run)).workspace
        if row.action == "deploy" and row.version == LIVE:
            assert deploy(there, model=MODEL, version=row.version).live == LIVE
        elif row.action != "deploy":  # of the second version a signature was taken back
            person = Person(row.actor.lower(), row.actor)
            control(there, model=MODEL, action=row.action, person=person, reason="again")
    assert left.content() == before


def test_an_answer_of_0_1_0_that_its_task_has_read_is_not_read_again(left: Life) -> None:
    there = in_run(left, "release-1", "sign_off.model_risk").workspace
    began = datetime.fromisoformat(SAID["status"][0]["at"])
    lost = unprocessed_decision(there, since=began)
    assert lost is not None
    assert (lost.user_id, lost.answer) == ("max", "Approve")
    assert unprocessed_decision(there, since=AT) is None


def sign(left: Life, number: int, seat: str, user: str, reason: str = "it is fit") -> bool:
    """Ask a seat anew, and record an answer; whether the seat is signed then."""
    there = in_run(left, f"go-on-{user}", f"sign_off.{seat}").workspace
    assert user in request(there, model=MODEL, version=number, seat=seat).users
    answer = Answer(Person(user, user.capitalize()), "Approve", reason, datetime.now(UTC))
    return record_response(
        there, model=MODEL, version=number, seat=seat, answer=answer, gate=gate_id(there.run)
    ).enough


def act(left: Life, action: str, **what: Any) -> int:
    """Do something about what is live; which version is live then."""
    there, person = in_run(left, f"go-on-{action}", dag="control"), Person("bea", "Bea")
    record_run_start(there.workspace, person=person)
    return control(
        there.workspace, model=MODEL, action=action, person=person, reason="it goes on", **what
    ).version


def scored(left: Life, window: Period) -> tuple[str, bool]:
    """Score a window; its batch, and whether the rule scored it."""
    plan = check_input(left.workspace, model=MODEL, window=window, shards=2)
    done = [score(left.workspace, plan=plan, shard=shard) for shard in plan.shards]
    return publish(left.workspace, plan=plan, scored=done).batch, plan.by_rule


@loads_models
def test_a_version_of_0_1_0_is_signed_and_goes_live_now(left: Life) -> None:
    day = parse("2013-07-05", "day")
    with pytest.raises(NotSigned):
        deploy(in_run(left, "go-on").workspace, model=MODEL, version=3)
    assert sign(left, 3, "business_owner", "bea")
    assert not sign(left, 3, "lead_data_scientist", "lea")
    assert sign(left, 3, "lead_data_scientist", "lou")
    assert sign(left, 3, "model_risk", "max")
    deployed = deploy(in_run(left, "go-on").workspace, model=MODEL, version=3)
    assert (deployed.replaced, deployed.live) == (1, 3)
    # Releases that have had their turn, one of which had found its version live already.
    for run in ("release-1", "release-1b"):
        assert deploy(in_run(left, run).workspace, model=MODEL, version=1).live == 3
    assert scored(left, day) == ("late/2013-07-05/v3", False)
    assert act(left, "stop") == 3
    assert scored(left, day) == ("late/2013-07-05/v3/rule", True)
    assert act(left, "resume") == 3
    assert act(left, "rollback") == 1
    assert scored(left, day) == ("late/2013-07-05/v1", False)
    act(left, "revoke", version=1, seat="business_owner")
    assert scored(left, day) == ("late/2013-07-05/v1/rule", True)
    with left.workspace.store.transaction() as transaction:
        entries, broken = ledger.verify(transaction.session.connection())
    assert broken is None
    assert entries > SAID["ledger"]["entries"]
    assert compare_outbox(left.workspace.store).problems == ()
