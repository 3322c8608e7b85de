"""Artifacts that are missing or altered, and a store or a warehouse that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from mlops.core.artifact.package import PackageParts, build, read
from mlops.core.artifact.skops_format import SKOPS
from mlops.errors import (
    ArtifactChanged,
    ArtifactMissing,
    ArtifactRefused,
    MlopsError,
    StoreNotMigrated,
    StoreUnreachable,
    WarehouseUnreachable,
)
from mlops.flow.check_data import check_data
from mlops.flow.document import document
from mlops.flow.intake import intake
from mlops.flow.judge import judge
from mlops.flow.measure import measure
from mlops.flow.package import package
from mlops.flow.snapshot import snapshot
from mlops.flow.train import train
from mlops.flow.validate import validate
from mlops.store.connect import Store
from mlops.store.tables import VersionRow
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from tests.fixtures.life import Life, elsewhere, moment
from tests.fixtures.refusals import kept, refused
from tests.fixtures.small import AS_OF, DAY
from tests.flow.factories import HomeMade

NOWHERE = "postgresql://somebody:a-secret@127.0.0.1:1/nothing"


def place(life: Life, query: str) -> Path:
    """The file of an artifact whose digest a query of our own tables gives."""
    return Path(life.workspace.artifacts.location(life.value(query)))


def flip_a_bit(file: Path) -> None:
    """The smallest change there is."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


ROWS = "SELECT sha256 FROM mlops.snapshot"
MODEL = "SELECT model_sha256 FROM mlops.training"
PACKAGE = "SELECT package_digest FROM mlops.version"


def snapshot_id(life: Life) -> str:
    """The release's frozen rows."""
    return str(life.value("SELECT id FROM mlops.snapshot"))


def training_id(life: Life) -> str:
    """The release's training."""
    return str(life.value("SELECT id FROM mlops.training"))


STEPS_THAT_READ: dict[str, tuple[str, Callable[[Life], object]]] = {
    "check_data": (ROWS, lambda it: check_data(it.workspace, snapshot_id=snapshot_id(it))),
    "validate": (ROWS, lambda it: validate(it.workspace, training_id=training_id(it))),
    "validate the model": (MODEL, lambda it: validate(it.workspace, training_id=training_id(it))),
    "package": (ROWS, lambda it: package(it.workspace, training_id=training_id(it), champion=0)),
    "package the model": (
        MODEL,
        lambda it: package(it.workspace, training_id=training_id(it), champion=0),
    ),
    "deploy": (PACKAGE, lambda it: it.deploy(1)),
    "check_input": (PACKAGE, lambda it: it.plan(DAY)),
}


@pytest.mark.parametrize("step", STEPS_THAT_READ)
def test_a_step_refuses_an_artifact_that_is_missing(small: Life, step: str) -> None:
    digest, run = STEPS_THAT_READ[step]
    file = place(small, digest)
    file.unlink()
    with refused(
        small,
        ArtifactMissing,
        f"artifact sha256 {file.name} is missing",
        f"found nothing at {file}",
        "restore the artifact folder from its backup",
    ):
        run(small)


@pytest.mark.parametrize("step", STEPS_THAT_READ)
def test_a_step_refuses_an_artifact_of_which_one_bit_changed(small: Life, step: str) -> None:
    digest, run = STEPS_THAT_READ[step]
    file = place(small, digest)
    flip_a_bit(file)
    with refused(
        small,
        ArtifactChanged,
        f"the bytes at {file} have changed",
        "found sha256 ",
        f"expected sha256 {file.name}",
        "find out who changed them",
    ):
        run(small)


def test_training_refuses_rows_that_changed_after_they_were_checked(fresh: Life) -> None:
    digest = intake(fresh.workspace, model="late").spec_digest
    taken = snapshot(fresh.workspace, spec_digest=digest, as_of=moment(AS_OF))
    check_data(fresh.workspace, snapshot_id=taken.snapshot_id)
    flip_a_bit(place(fresh, ROWS))
    with refused(fresh, ArtifactChanged, f"expected sha256 {taken.sha256}"):
        train(fresh.workspace, snapshot_id=taken.snapshot_id)


def package_digest(life: Life) -> str:
    """The digest of the only version's package."""
    found: str = life.value("SELECT package_digest FROM mlops.version")
    return found


@pytest.mark.parametrize("step", ["score", "measure", "judge"])
def test_a_package_that_changes_between_two_steps_is_refused_by_the_next(
    small: Life, step: str
) -> None:
    small.publish(DAY)
    measured = measure(small.workspace, model="late", window=DAY).measurement
    small.run("UPDATE flights SET distance = distance + 1")
    plan = small.plan(DAY)
    flip_a_bit(place(small, PACKAGE))
    expected = package_digest(small)
    with refused(small, ArtifactChanged, f"expected sha256 {expected}"):
        if step == "score":
            small.score(plan, 0)
        if step == "measure":
            measure(small.workspace, model="late", window=DAY)
        if step == "judge":
            judge(small.workspace, measurement=measured)


def test_a_signed_package_of_a_type_that_nobody_allowed_is_not_deployed(small: Life) -> None:
    """Training and packaging refuse such a type; this package came into the store past them."""
    forged = with_another_model(small, HomeMade().fit(np.zeros((2, 1)), np.array([0, 1])))
    document(small.workspace, model="late", version=forged)
    answers = small.sign(forged, ["business_owner", "lead_data_scientist"])
    assert all(answer.counted for answer in answers)
    with refused(
        small,
        ArtifactRefused,
        "a model file holds types that may not be constructed",
        "found tests.flow.factories.HomeMade",
        "develop: trusted_types",
    ):
        small.deploy(forged)
    assert small.deploy(1).live == 1


def with_another_model(life: Life, estimator: object) -> int:
    """A version 2 like version 1, whose package holds another model; recorded as a task may."""
    digest = life.value(PACKAGE)
    contents = read(life.workspace.artifacts.read(digest), expected_digest=digest)
    parts = {field.name: getattr(contents, field.name) for field in fields(PackageParts)}
    made = build(PackageParts(**{**parts, "model_bytes": SKOPS.dump(estimator)}))
    life.workspace.artifacts.put_bytes(made.data)
    with life.workspace.store.transaction() as transaction:
        first = transaction.get(VersionRow, "late", 1)
        values = {column.name: getattr(first, column.name) for column in first.__table__.columns}
        transaction.record(
            VersionRow(**{**values, "number": 2, "package_digest": made.digest}),
            actor="task:late_release.package",
            action="version.packaged",
            subject="late/v2",
            payload={"package": made.digest},
        )
    return 2


def test_an_artifact_that_was_altered_is_not_taken_for_the_one_that_is_made_again(
    small: Life,
) -> None:
    spec_digest = small.value("SELECT digest FROM mlops.spec")
    flip_a_bit(place(small, ROWS))
    with refused(small, ArtifactChanged, "the bytes at", "have changed"):
        snapshot(small.workspace, spec_digest=spec_digest, as_of=moment(AS_OF))


def test_an_artifact_that_was_lost_is_made_again_by_its_step(small: Life) -> None:
    for digest, step in (
        (ROWS, lambda: snapshot(small.workspace, spec_digest=spec(small), as_of=moment(AS_OF))),
        (PACKAGE, lambda: package(small.workspace, training_id=training_id(small), champion=0)),
    ):
        file, rows = place(small, digest), small.content()
        before = file.read_bytes()
        file.unlink()
        step()
        assert file.read_bytes() == before
        assert small.content() == rows


def spec(life: Life) -> str:
    """The registered spec."""
    return str(life.value("SELECT digest FROM mlops.spec"))


# The first thing that each step does is to look into the store.

STEPS: dict[str, Callable[[Life], object]] = {
    "intake": lambda it: intake(it.workspace, model="late"),
    "snapshot": lambda it: snapshot(it.workspace, spec_digest="0" * 64, as_of=moment(AS_OF)),
    "check_data": lambda it: check_data(it.workspace, snapshot_id="0" * 64),
    "train": lambda it: train(it.workspace, snapshot_id="0" * 64),
    "validate": lambda it: validate(it.workspace, training_id="0" * 64),
    "package": lambda it: package(it.workspace, training_id="0" * 64, champion=0),
    "document": lambda it: document(it.workspace, model="late", version=1),
    "deploy": lambda it: it.deploy(1),
    "check_input": lambda it: it.plan(DAY),
    "measure": lambda it: measure(it.workspace, model="late", window=DAY),
    "judge": lambda it: judge(it.workspace, measurement="0" * 64),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_store_that_is_not_reachable(lost_store: Life, step: str) -> None:
    with pytest.raises(StoreUnreachable) as raised:
        STEPS[step](lost_store)
    said = str(raised.value)
    assert said.startswith("the store at 127.0.0.1:1/nothing cannot be reached; found connection")
    assert "expected a running Postgres that accepts the connection 'mlops_store'" in said
    assert "the task may be retried" in said
    assert "a-secret" not in said
    assert raised.value.retryable
    assert kept(lost_store) == set()


@pytest.mark.parametrize("step", STEPS)
def test_a_store_that_is_not_migrated(bare_store: Life, step: str) -> None:
    with pytest.raises(StoreNotMigrated) as raised:
        STEPS[step](bare_store)
    assert "found no tables of mlops; expected revision " in str(raised.value)
    assert "run: python -m mlops db upgrade" in str(raised.value)
    assert not raised.value.retryable
    assert bare_store.content() == {}
    assert kept(bare_store) == set()


def test_a_store_of_another_revision(small: Life) -> None:
    small.run("UPDATE mlops.alembic_version SET version_num = '9999'")
    with refused(small, StoreNotMigrated, "found revision 9999; expected revision 0"):
        intake(small.workspace, model="late")


@pytest.mark.parametrize("step", ["snapshot", "check_input", "score", "publish", "measure"])
def test_a_warehouse_that_is_not_reachable(small: Life, step: str) -> None:
    small.publish(DAY)
    small.run("UPDATE flights SET distance = distance + 1")
    plan = small.plan(DAY)
    lost = elsewhere(small, warehouse=PostgresWarehouse(NOWHERE))
    steps: dict[str, Callable[[], object]] = {
        "snapshot": lambda: snapshot(
            lost.workspace, spec_digest=spec(small), as_of=moment("2013-07-02")
        ),
        "check_input": lambda: lost.plan(DAY),
        "score": lambda: lost.score(plan, 0),
        "publish": lambda: lost.show(plan),
        "measure": lambda: measure(lost.workspace, model="late", window=DAY),
    }
    with refused(
        small,
        WarehouseUnreachable,
        "no connection to the warehouse 127.0.0.1:1/nothing",
        "found connection to server",
        "see that the server runs",
    ):
        steps[step]()
    assert WarehouseUnreachable.retryable


def test_no_message_shows_a_password(lost_store: Life) -> None:
    lost = elsewhere(lost_store, warehouse=PostgresWarehouse(NOWHERE))
    for step in (
        lambda: intake(lost.workspace, model="late"),
        lambda: Store("postgresql://x:a-secret@[/"),
    ):
        with pytest.raises(MlopsError) as raised:
            step()
        assert "a-secret" not in str(raised.value)
