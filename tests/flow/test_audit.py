"""What an auditor asks of Marquez after a life of two versions and a rollback.

Each question is asked twice: of a stand-in, which knows Marquez' documented habits and no more, and
of a real Marquez where one can be had, see :mod:`tests.lineage.real`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import pytest

from mlops.approvals.eligibility import Person
from mlops.cli.lineage import verify
from mlops.core.period import parse
from mlops.errors import LineageError
from mlops.flow.control import control
from mlops.flow.deliver import deliver_lineage
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.compare import compare_marquez
from mlops.lineage.marquez.relay import deliver
from tests.fixtures.life import Life, elsewhere
from tests.fixtures.small import small_life, write_include
from tests.lineage.questions import Auditor, MarquezPages
from tests.lineage.stand_in import StandInServer

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres
    from tests.fixtures.postgres import MakeDatabase

FIRST, SECOND = "2013-07-01", "2013-07-02"


@dataclass(frozen=True)
class Audited:
    """The life, and whoever asks about it."""

    life: Life
    marquez: Marquez
    auditor: Auditor
    snapshots: tuple[str, ...]
    batch: str

    def seats(self, version: int) -> list[str]:
        """The seats that signed a version."""
        rows = self.life.rows(
            f"SELECT DISTINCT seat FROM mlops.decision WHERE version = {version} AND counted"
        )
        return [seat for (seat,) in rows]

    @property
    def table(self) -> str:
        """The source table's name in the lineage."""
        return f"{self.life.database.rpartition('/')[2]}.public.flights"


@pytest.fixture(scope="module")
def lived_twice(
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    fresh_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Life:
    """Version 1 live and scoring; version 2 live and scoring; back to version 1, scoring again."""
    folder: Path = tmp_path_factory.mktemp("audited")
    write_include(folder / "include")
    life = in_namespace_of_its_own(
        small_life(postgres, make_database(template=fresh_template), folder)
    )
    life.live(life.release(FIRST))
    life.window(parse(FIRST, "day"))
    second = life.release(SECOND)
    life.live(second)
    life.publish(parse(FIRST, "day"))
    control(
        life.workspace,
        model="late",
        action="rollback",
        person=Person(id="max", name="max"),
        reason="version 2 flags too much",
    )
    life.publish(parse(SECOND, "day"))
    return life


def in_namespace_of_its_own(life: Life) -> Life:
    """The same life, in namespaces that no earlier run of the tests has used on a real server."""
    name = f"tests-{uuid4().hex[:12]}"
    server = urlsplit(life.database).netloc.rpartition("@")[2]
    return elsewhere(life, job_namespace=name, canonical={server: f"{name}:5432"})


@contextmanager
def a_server(kind: str, postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of what answers."""
    if kind == "a real Marquez":
        from tests.lineage.real import real_marquez

        with real_marquez(postgres) as url:
            yield url
    else:
        with StandInServer() as server:
            yield server.url


@pytest.fixture(scope="module", params=["the stand-in", "a real Marquez"])
def audited(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, lived_twice: Life
) -> Iterator[Audited]:
    """The life, delivered to whoever is asked about it."""
    life, work = lived_twice, lived_twice.workspace
    readings = life.rows(
        "SELECT subject LIKE '%/%', content->>'snapshot' FROM mlops.reading "
        "WHERE subject NOT IN (SELECT digest FROM mlops.measurement) ORDER BY read_at"
    )
    snapshots = tuple(state for of_batch, state in readings if not of_batch)
    batch = next(state for of_batch, state in readings if of_batch)
    with a_server(request.param, postgres) as url:
        marquez = MarquezPages(url, timeout_s=30)
        found = deliver(work.store, marquez)
        assert (found.waiting, found.refused, found.unreachable) == (0, (), "")
        auditor = Auditor(
            marquez,
            jobs=work.job_namespace,
            ours=work.names.ours("x").namespace,
            tables=work.names.table("public", "flights").namespace,
        )
        yield Audited(life, marquez, auditor, snapshots, batch)


def test_1_which_data_trained_a_version(audited: Audited):
    one, two = (audited.auditor.what_trained("late", number) for number in (1, 2))
    for found, state in ((one, audited.snapshots[0]), (two, audited.snapshots[1])):
        read = found["tables"][audited.table]
        assert (read["version_kind"], read["version"]) == ("pg_snapshot", state)
        assert {"carrier", "distance", "actual_arrival"} <= set(read["columns"])
        assert {"late.register", f"observe.{audited.table}"} <= found["jobs"]
        assert (audited.table, "carrier") in found["columns"]
        assert (audited.table, "tailnum") not in found["columns"]
    assert len([job for job in one["jobs"] if job.endswith(".train")]) == 1
    assert one["jobs"] != two["jobs"]


def test_2_with_which_code_sql_and_parameters(audited: Audited):
    one, two = (audited.auditor.how_trained("late", number) for number in (1, 2))
    digests = audited.life.rows(
        "SELECT t.model_sha256 FROM mlops.version v JOIN mlops.training t ON t.id = v.training_id "
        "ORDER BY v.number"
    )
    assert [(one["model"]["model_sha256"],), (two["model"]["model_sha256"],)] == digests
    assert one["model"]["technique"].endswith("HistGradientBoostingClassifier")
    assert {"key": "max_iter", "name": "max_iter", "value": "5"} in one["parameters"]
    assert "FROM flights" in one["sql"]
    assert one["model"]["code"]


def test_3_which_tests_it_passed(audited: Audited):
    for number in (1, 2):
        (test,) = audited.auditor.which_tests("late", number)
        assert (test["name"], test["status"], test["expected"]) == ("auc", "pass", "≥ 0.55")
        assert float(test["actual"]) >= 0.55


def test_4_who_approved_it_on_what_evidence(audited: Audited):
    decisions = audited.life.rows(
        "SELECT version, seat, user_id, evidence_digest FROM mlops.decision ORDER BY decided_at"
    )
    found = [
        (approval["version"], approval["seat"], approval["approver_id"], approval["evidence"])
        for number in (1, 2)
        for approval in audited.auditor.who_approved("late", number)
        if approval["counted"] and approval["decision"] == "Approve"
    ]
    assert found == decisions
    assert {version for version, *_ in found} == {1, 2}


def test_5_what_is_and_was_in_production(audited: Audited):
    assert audited.auditor.what_was_live("late") == ["1", "2", "1"]


def test_6_which_predictions_came_from_it_and_what_made_a_batch(audited: Audited):
    assert audited.auditor.batches_of("late", 1) == [f"late/{FIRST}/v1", f"late/{SECOND}/v1"]
    assert audited.auditor.batches_of("late", 2) == [f"late/{FIRST}/v2"]
    behind = audited.auditor.behind_batch("late", 1, f"late/{SECOND}/v1")
    assert "late.v1.package" in behind
    assert {f"late.v1.approve_{seat}" for seat in audited.seats(1)} <= behind
    assert f"observe.{audited.table}" in behind
    # The deployment that was in force then was the rollback's, which is one of version 1.
    assert "late.v1.deploy" in behind
    # Version 2 was trained before this batch was scored, and has no part in it.
    assert not [job for job in behind if job.startswith("late.v2.")]


def test_7_which_models_and_predictions_a_column_reaches(audited: Audited):
    auditor, database = audited.auditor, audited.life.database.rpartition("/")[2]
    for column in ("distance", "actual_arrival"):
        reached = auditor.reached_by(audited.table, column)
        for number in (1, 2):
            model = (auditor.ours, f"models/late/versions/{number}", "score")
            assert model in reached, column
        assert (auditor.tables, f"{database}.ml.late_predictions", "score") in reached
        assert (auditor.tables, f"{database}.ml.late", "score") in reached
    unread = auditor.reached_by(audited.table, "tailnum")
    assert not [found for found in unread if "late" in found[1].rpartition("/")[2]]
    assert not [found for found in unread if "models/" in found[1]]


def test_8_what_has_read_a_bad_load(audited: Audited):
    first, second = audited.snapshots
    for state, number in ((first, 1), (second, 2)):
        used = audited.auditor.used_load(audited.table, state)
        assert len([job for job in used if job.endswith(".snapshot")]) == 1, number
    assert audited.auditor.used_load(audited.table, first) != audited.auditor.used_load(
        audited.table, second
    )
    # What is checked is what is scored: the rows of a batch are read once.
    used = audited.auditor.used_load(audited.table, audited.batch)
    assert {"late.v1.check_input", "late.v1.score"} <= used
    assert not [job for job in used if job.startswith("late.v2.")]


def test_all_of_it_is_there_as_the_ledger_says(audited: Audited):
    found = compare_marquez(audited.life.workspace.store, audited.marquez)
    assert found.problems == ()
    assert found.runs > 30


@pytest.fixture
def delivered(lived_twice: Life) -> Iterator[StandInServer]:
    """A stand-in that holds the life and that a test may change."""
    with StandInServer() as server:
        assert deliver(lived_twice.workspace.store, Marquez(server.url)).waiting == 0
        yield server


def test_one_that_was_emptied_holds_all_of_it_again(lived_twice: Life, delivered: StandInServer):
    delivered.empty()
    store, marquez = lived_twice.workspace.store, Marquez(delivered.url)
    assert "Marquez has no such run" in compare_marquez(store, marquez).problems[0]
    found = deliver(store, marquez)
    assert (found.again, found.waiting) == (True, 0)
    assert compare_marquez(store, marquez).problems == ()


def test_what_a_button_of_its_pages_hid_is_named_and_restored(audited: Audited, capsys):
    """A job and a dataset, deleted by the API that the pages call, without any login."""
    life, marquez, auditor = audited.life, audited.marquez, audited.auditor
    store, slot = life.workspace.store, "deployments/late/prod"
    places = [("jobs", auditor.jobs, "late.v1.deploy"), ("datasets", auditor.ours, slot)]
    for kind, namespace, name in places:
        target = f"namespaces/{quote(namespace, safe='')}/{kind}/{quote(name, safe='')}"
        httpx.delete(f"{marquez.url}/api/v1/{target}", timeout=30).raise_for_status()
    problems = compare_marquez(store, marquez).problems
    assert any(line.startswith("late.v1.deploy: the job is hidden") for line in problems)
    assert f"{slot}: the dataset is hidden in Marquez" in problems
    url = store.libpq_url
    assert verify(url, marquez.url, None) == 1
    assert "late.v1.deploy: the job is hidden" in capsys.readouterr().err
    assert verify(url, marquez.url, None, mend=True) == 0
    assert "runs were sent again" in capsys.readouterr().out
    assert compare_marquez(store, marquez).problems == ()
    assert auditor.what_was_live("late") == ["1", "2", "1"]


def test_the_hourly_delivery_compares_once_a_week(lived_twice: Life, delivered: StandInServer):
    work = lived_twice.workspace
    assert deliver_lineage(work, delivered.url).waiting == 0
    job = (work.job_namespace, "late.v1.deploy")
    delivered.kept.hidden.add(job)
    # It agreed a moment ago.
    assert deliver_lineage(work, delivered.url).waiting == 0
    lived_twice.run(
        "UPDATE mlops.lineage_delivery SET at = at - interval '8 days' WHERE outcome = 'verified'"
    )
    for _ in range(2):
        with pytest.raises(LineageError, match=r"late\.v1\.deploy: the job is hidden"):
            deliver_lineage(work, delivered.url)
    assert verify(work.store.libpq_url, delivered.url, None, mend=True) == 0
    assert deliver_lineage(work, delivered.url).waiting == 0


def test_what_another_sender_put_there_shows(lived_twice: Life, delivered: StandInServer):
    run_id, run = next(
        (run_id, run)
        for run_id, run in delivered.kept.runs.items()
        if run["jobVersion"]["name"] == "late.v1.deploy"
    )
    job = (run["jobVersion"]["namespace"], run["jobVersion"]["name"])
    forged = {**run, "id": "forged"}
    delivered.kept.runs["forged"] = forged
    delivered.kept.order[job].append("forged")
    del delivered.kept.runs[run_id]["facets"]["mlops_ledger"]
    problems = compare_marquez(lived_twice.workspace.store, Marquez(delivered.url)).problems
    assert any("another ledger entry" in problem for problem in problems)
    assert "late.v1.deploy: Marquez has 3 runs, the ledger 2" in problems
