"""Every step may be run again: by a person who clears a task, by a retry, by two at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlops.core.artifact.package import read
from mlops.flow.check_data import check_data
from mlops.flow.check_input import check_input
from mlops.flow.document import document, monitor_report
from mlops.flow.intake import intake
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.package import package
from mlops.flow.snapshot import snapshot
from mlops.flow.train import train
from mlops.flow.validate import validate
from mlops.store import ledger
from mlops.store.migrate import upgrade
from mlops.store.tables import ValidationRow, VersionRow
from tests.fixtures.approval_key import register
from tests.fixtures.life import TASK_ROLE, Release, added, elsewhere, life, moment

if TYPE_CHECKING:
    from demo.postgres import EmbeddedPostgres
    from tests.fixtures.life import Life, Lived
    from tests.fixtures.postgres import MakeDatabase

STEPS: dict[str, Callable[[Lived], tuple[Any, Any]]] = {
    "intake": lambda it: (intake(it.life.workspace, model="flight_delay"), it.release.intake),
    "snapshot": lambda it: (
        snapshot(
            it.life.workspace,
            spec_digest=it.release.intake.spec_digest,
            as_of=moment("2013-07-01"),
        ),
        it.release.snapshot,
    ),
    "check_data": lambda it: (
        check_data(it.life.workspace, snapshot_id=it.release.snapshot.snapshot_id),
        it.release.checked,
    ),
    "train": lambda it: (
        train(it.life.workspace, snapshot_id=it.release.snapshot.snapshot_id),
        it.release.training,
    ),
    "validate": lambda it: (
        validate(it.life.workspace, training_id=it.release.training.training_id),
        it.release.validation,
    ),
    "package": lambda it: (
        package(it.life.workspace, training_id=it.release.training.training_id, champion=0),
        it.release.packaged,
    ),
    "document": lambda it: (
        document(it.life.workspace, model="flight_delay", version=1),
        it.release.documented,
    ),
    "check_input": lambda it: (
        check_input(it.life.workspace, model="flight_delay", window=it.period, shards=2),
        it.window.plan,
    ),
    "score": lambda it: (
        it.life.score(it.window.plan, 1),
        it.window.scored[1],
    ),
    "publish": lambda it: (
        it.life.show(it.window.plan),
        it.window.published,
    ),
    "measure": lambda it: (
        measure(it.life.workspace, model="flight_delay", window=it.period),
        it.window.measured,
    ),
    "judge": lambda it: (
        judge(it.life.workspace, measurement=it.window.measured.measurement),
        it.window.judged,
    ),
    "monitor_report": lambda it: (
        monitor_report(it.life.workspace, measurement=it.window.measured.measurement),
        it.window.documented,
    ),
}


OF_A_PLAN = ("check_input", "score", "publish")


def files(lived: Lived) -> set[Path]:
    """Every file in the artifact folder."""
    root = lived.life.include.parent / "artifacts"
    return {file for file in root.rglob("*") if file.is_file()}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_run_again_changes_no_row_and_no_file(lived: Lived, step: str) -> None:
    rows, kept = lived.life.content(), files(lived)
    again, before = STEPS[step](lived)
    assert again == before
    assert lived.life.content() == rows
    assert files(lived) == kept


def test_a_deployment_that_is_run_again_changes_nothing(lived: Lived) -> None:
    rows = lived.life.content()
    assert lived.life.deploy(1) == lived.deployed
    assert lived.life.content() == rows


def test_a_step_of_a_later_try_finds_what_an_earlier_one_did(lived: Lived) -> None:
    run = replace(lived.life.workspace.run, run_id="release-2", try_number=3, triggered_by="sam")
    rows = lived.life.content()
    there = replace(lived, life=elsewhere(lived.life, run=run))
    steps = {name: step for name, step in STEPS.items() if name not in OF_A_PLAN}
    for step in steps.values():
        step(there)
    assert lived.life.content() == rows
    # A plan belongs to its run; the batch is the same, as its window has not changed.
    plan, _, published = there.life.publish(lived.period)
    assert published == lived.window.published
    assert plan.batch == lived.window.plan.batch
    assert added(rows, lived.life.content()) == {"mlops.plan": 1, "mlops.ledger": 1}


@pytest.mark.parametrize("step", ["intake", "package", "document", "score", "publish", "measure"])
def test_two_workers_at_once_leave_what_one_leaves(lived: Lived, step: str) -> None:
    rows, kept = lived.life.content(), files(lived)
    with ThreadPoolExecutor(2) as workers:
        found = [job.result() for job in [workers.submit(STEPS[step], lived) for _ in range(2)]]
    assert [again == before for again, before in found] == [True, True]
    assert lived.life.content() == rows
    assert files(lived) == kept


def copy_of(
    of: Life,
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    *,
    source: Path,
    artifacts: Path,
) -> Life:
    """The same life in a database and a folder of artifacts of its own."""
    database = make_database(template=of.database.rpartition("/")[2])
    shutil.copytree(source, artifacts)
    return life(
        database,
        model="flight_delay",
        include=of.include,
        artifacts=artifacts,
        store_url=postgres.url(database.rpartition("/")[2], user=TASK_ROLE),
    )


@pytest.fixture(scope="module")
def second_release(
    lived: Lived,
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Lived, Release]]:
    """A copy of the life in which a second version was released two weeks later."""
    source = lived.life.include.parent / "artifacts"
    artifacts = tmp_path_factory.mktemp("second") / "artifacts"
    made = copy_of(lived.life, postgres, make_database, source=source, artifacts=artifacts)
    # A report names the tables that were read with their database, which is another one here, and
    # its copy for people lies in another folder.
    told = document(made.workspace, model="flight_delay", version=1)
    measurement = lived.window.measured.measurement
    window = replace(
        lived.window, documented=monitor_report(made.workspace, measurement=measurement)
    )
    release = made.release("2013-07-15")
    made.live(release)
    first = replace(lived.release, documented=told)
    yield replace(lived, life=made, release=first, window=window), release
    postgres.drop_database(made.database.rpartition("/")[2])


def test_the_second_version_was_compared_with_the_first(
    second_release: tuple[Lived, Release],
) -> None:
    lived, release = second_release
    assert release.packaged.version == 2
    assert release.validation.champion == 1
    with lived.life.workspace.store.transaction() as transaction:
        row = transaction.get(ValidationRow, release.training.training_id, 1)
        version = transaction.get(VersionRow, "flight_delay", 2)
    assert row.champion_metrics is not None
    ours, theirs = row.evaluation["metrics"]["auc"], row.champion_metrics["auc"]
    against = next(gate for gate in row.gates if gate["name"] == "auc against champion")
    assert against["measured"] == pytest.approx(ours - theirs)
    assert version.champion == 1


# A window is planned anew for the version that is live.
@pytest.mark.parametrize("step", [step for step in STEPS if step != "check_input"])
def test_steps_of_a_retired_version_change_nothing(
    second_release: tuple[Lived, Release], step: str
) -> None:
    lived, _ = second_release
    rows = lived.life.content()
    again, before = STEPS[step](lived)
    assert again == before
    assert lived.life.content() == rows


def test_validation_of_the_live_version_does_not_compare_it_with_itself(
    second_release: tuple[Lived, Release],
) -> None:
    lived, release = second_release
    rows = lived.life.content()
    assert validate(lived.life.workspace, training_id=release.training.training_id) == (
        release.validation
    )
    assert lived.life.content() == rows


def test_a_window_that_a_second_version_scores_again_is_a_batch_of_its_own(
    second_release: tuple[Lived, Release],
    postgres: EmbeddedPostgres,
    make_database: MakeDatabase,
    tmp_path: Path,
) -> None:
    lived, _ = second_release
    source = Path(lived.life.workspace.artifacts.location("0" * 64)).parents[2]
    again = copy_of(
        lived.life, postgres, make_database, source=source, artifacts=tmp_path / "artifacts"
    )
    plan, _, published = again.publish(lived.period)
    assert plan.batch == "flight_delay/2013-W27/v2"
    assert again.rows("SELECT DISTINCT model_version FROM ml.flight_delay") == [(2,)]
    # The first version's scores stay: what served a decision in July can still be read.
    kept = again.rows(
        "SELECT model_version, count(*) FROM ml.flight_delay_predictions GROUP BY 1 ORDER BY 1"
    )
    assert kept == [(1, lived.window.published.rows), (2, published.rows)]
    with again.workspace.store.transaction() as transaction:
        assert ledger.verify(transaction.session.connection())[1] is None


@pytest.fixture(scope="module")
def twin(
    lived: Lived, postgres: EmbeddedPostgres, make_database: MakeDatabase, flights_template: str
) -> Iterator[Release]:
    """The same release in an empty store, with an empty artifact folder, in another database."""
    database = make_database(template=flights_template)
    upgrade(database, task_role=TASK_ROLE)
    register(database)
    with tempfile.TemporaryDirectory(prefix="mlops-tests-") as folder:
        made = life(
            database,
            model="flight_delay",
            include=lived.life.include,
            artifacts=Path(folder),
            store_url=postgres.url(database.rpartition("/")[2], user=TASK_ROLE),
        )
        release = made.release("2013-07-01")
        digest = release.packaged.package_digest
        assert read(made.workspace.artifacts.read(digest), expected_digest=digest)
        yield release
    postgres.drop_database(database.rpartition("/")[2])


def test_the_same_release_elsewhere_has_the_same_digests(lived: Lived, twin: Release) -> None:
    first = lived.release
    assert twin.intake == first.intake
    assert twin.snapshot == first.snapshot
    assert twin.training == first.training
    assert twin.packaged == first.packaged
