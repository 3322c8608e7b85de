"""What goes live, what stays live, and what a person does about it, in a real Airflow."""

from __future__ import annotations

import pickle
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from demo.tasks import TaskRef
from mlops.core.artifact.package import PackageParts, build, read
from mlops.core.artifact.skops_format import SKOPS
from mlops.store.tables import ReportRow, VersionRow
from tests.fixtures.visits import sign
from tests.flow.factories import HomeMade
from tests.system.governance.site import Site, deploy_of

pytestmark = pytest.mark.system


def package_file(site: Site, digest: str) -> Path:
    """Where a package's bytes lie."""
    (found,) = (site.folder / "artifacts").rglob(digest)
    return found


def package_of(site: Site, model: str, version: int) -> str:
    """The digest of a version's package."""
    query = "SELECT package_digest FROM mlops.version WHERE model = %s AND number = %s"
    return str(site.rows(query, model, version)[0][0])


def change_a_byte(file: Path) -> None:
    """Flip one bit in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


def scored_by(site: Site, model: str, run: str) -> int:
    """The version that a scoring run worked with."""
    return int(site.client.xcom(TaskRef(f"{model}_score", run, "publish"))["version"])


def test_a_byte_that_changed_after_the_signature_stops_deploy_and_scoring(site: Site) -> None:
    version = site.version("late_two")
    file = package_file(site, package_of(site, "late_two", version))
    before, whole = site.live("late_two"), file.read_bytes()
    gate = site.ask("late_two", version)
    sign(site.life("late_two"), version, "risk", "lea")
    change_a_byte(file)
    site.sign(gate, "lin")
    assert site.deployed(gate) == "failed"
    said = site.log(deploy_of(gate))
    assert "ArtifactChanged" in said
    assert f"sha256 {file.name}" in said
    assert site.live("late_two") == before
    file.write_bytes(whole)
    assert site.deploy_again(gate) == "success"
    change_a_byte(file)
    run, state = site.score("late_two", "2026-03-02")
    assert state == "failed"
    assert "ArtifactChanged" in site.log(TaskRef("late_two_score", run, "check_input"))
    file.write_bytes(whole)


def test_gates_that_were_lowered_after_training_stop_deploy(site: Site) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    training = "(SELECT training_id FROM mlops.version WHERE model = 'late' AND number = {})"
    which = f"mlops.training SET criteria_digest = %s WHERE id = {training.format(version)}"
    ((old,),) = site.rows(
        f"SELECT criteria_digest FROM mlops.training WHERE id = {training.format(version)}"
    )
    site.run_sql("UPDATE " + which % f"'{'0' * 64}'")
    site.sign(gate, "bea")
    assert site.deployed(gate) == "failed"
    said = site.log(deploy_of(gate))
    assert "criteria changed after registration" in said
    site.run_sql("UPDATE " + which % f"'{old}'")


def test_a_spec_file_that_changes_while_people_sign_changes_nothing_they_sign(site: Site) -> None:
    release = site.release("late")
    version, file = release.packaged.version, site.folder / "include" / "models" / "late.yml"
    text = file.read_text()
    gate = site.ask("late", version)
    try:
        file.write_text(text.replace("at_least: 0.4", "at_least: 0.3"))
        site.sign(gate, "bea")
        assert site.deployed(gate) == "success"
        ((_, _, payload),) = site.entries(f"late/v{version}", "signature.given")
        assert (
            payload["criteria"]
            == site.life("late").workspace.spec(release.intake.spec_digest).criteria_digest
        )
        other = site.release("late")
        assert other.packaged.version != version, "lower gates make another version"
    finally:
        file.write_text(text)


@pytest.mark.parametrize("fault", ["expired", "revoked"])
def test_a_signature_that_does_not_hold_when_deploy_runs(site: Site, fault: str) -> None:
    version = site.version("late")
    if fault == "expired":
        long_ago = datetime.now(UTC) - timedelta(days=400)
        sign(site.life("late"), version, "owner", "bea", at=long_ago)
        words = "the signature of bea expired on "
    else:
        sign(site.life("late"), version, "owner", "bea")
        conf = {"version": str(version), "seat": "owner", "reason": "a mistake in the data"}
        assert site.control("late", "bea", action="revoke", **conf) == "success"
        words = "bea revoked the signature: a mistake in the data"
    gate = site.ask("late", version)
    site.client.mark("eve", gate, "success", note="please")
    assert site.deployed(gate) == "failed"
    assert words in site.log(deploy_of(gate))
    assert site.live("late") != version


def test_only_a_holder_of_the_seat_revokes(site: Site) -> None:
    version = site.go_live("late")
    conf = {"action": "revoke", "seat": "owner", "reason": "I do not like it"}
    assert site.control("late", "eve", **conf) == "failed"
    refused = site.entries(f"late/v{version}", "signature.refused")[-1]
    assert refused[0] == "eve"
    run, state = site.score("late", "2026-03-03")
    assert (state, scored_by(site, "late", run)) == ("success", version)


def test_a_revoked_version_is_not_scored_with(site: Site) -> None:
    """It falls back to the version before, as its policy says, and a case is opened."""
    before, version = site.go_live("late"), site.go_live("late")
    conf = {"action": "revoke", "seat": "owner", "reason": "it harms people"}
    assert site.control("late", "bea", **conf) == "success"
    run, state = site.score("late", "2026-03-04")
    assert (state, scored_by(site, "late", run)) == ("success", before)
    query = 'SELECT owner, finding FROM mlops."case" WHERE model = %s AND version = %s'
    ((owner, finding),) = site.rows(query, "late", version)
    assert owner == "bea"
    assert "bea revoked the signature: it harms people" in finding
    assert site.entries(f"late/v{version}/signature", "case.opened")


def test_stop_and_resume(site: Site) -> None:
    """With the policy's fallback 'no_decision' a stopped model scores nothing."""
    version = site.go_live("late_soon")
    assert site.control("late_soon", "bea", action="stop", reason="   ") == "failed"
    assert site.control("late_soon", "eve", action="stop", reason="wrong scores") == "success"
    run, _ = site.score("late_soon", "2026-03-05")
    states = site.client.task_states("late_soon_score", run)
    assert states["check_input"] == "skipped"
    assert "publish" not in [task for task, state in states.items() if state == "success"]
    assert site.control("late_soon", "eve", action="resume", reason="mended") == "success"
    run, state = site.score("late_soon", "2026-03-05")
    assert (state, scored_by(site, "late_soon", run)) == ("success", version)
    acts = site.entries(f"late_soon/v{version}", "model.stopped", "model.resumed")
    assert [(actor, payload["reason"]) for actor, _, payload in acts] == [
        ("eve", "wrong scores"),
        ("eve", "mended"),
    ]


def test_rollback_takes_one_task_and_less_than_a_minute(site: Site, capsys) -> None:
    """From the click to the first prediction of the version before."""
    before, version = site.go_live("late"), site.go_live("late")
    click = time.monotonic()
    assert site.control("late", "ben", action="rollback", reason="scores are wrong") == "success"
    changed = time.monotonic() - click
    run, state = site.score("late", "2026-03-06")
    took = time.monotonic() - click
    assert (state, scored_by(site, "late", run)) == ("success", before)
    query = "SELECT DISTINCT model_version FROM ml.late WHERE visit_id IN"
    query += " (SELECT visit_id FROM visits WHERE started::date = '2026-03-06')"
    assert site.rows(query) == [(before,)]
    ((actor, _, payload),) = site.entries(f"late/v{before}", "version.rolled_back")
    assert (actor, payload["reason"], payload["replaced"]) == ("ben", "scores are wrong", version)
    with capsys.disabled():
        print(f" [rollback {changed:.1f} s, first prediction {took:.1f} s]", end="")
    assert took < 60


class Evil:
    """Whoever unpickles it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("what", ["a pickle", "a type that nobody allowed"])
def test_bytes_that_may_not_be_constructed_are_refused(site: Site, what: str) -> None:
    """Even where they were packaged and signed."""
    life, marker = site.life("late"), site.folder / "constructed"
    if what == "a pickle":
        model = pickle.dumps(Evil(marker))
    else:
        model = SKOPS.dump(HomeMade().fit(np.zeros((2, 1)), np.array([0, 1])))
    version = site.version("late")
    work = life.workspace
    with work.store.transaction() as transaction:
        row = transaction.get(VersionRow, "late", version)
        contents = read(work.artifacts.read(row.package_digest), expected_digest=row.package_digest)
        fields = PackageParts.__dataclass_fields__
        parts = {name: getattr(contents, name, None) for name in fields}
        built = build(PackageParts(**{**parts, "model_bytes": model}))
        work.artifacts.put_bytes(built.data)
        values = {column.name: getattr(row, column.name) for column in row.__table__.columns}
        number = version + 1000
        forged = VersionRow(**{**values, "number": number, "package_digest": built.digest})
        about = SimpleNamespace(actor="mallory", subject=f"late/v{number}")
        transaction.record(forged, action="version.packaged", payload={}, **vars(about))
        report = ReportRow(
            sha256=built.digest, kind="validation", model="late", version=number, period="",
            location="none", written_at=datetime.now(UTC),
        )  # fmt: skip
        transaction.record(report, action="report.written", payload={}, **vars(about))
    gate = site.ask("late", number)
    site.sign(gate, "bea")
    assert site.deployed(gate) == "failed"
    log = site.log(deploy_of(gate))
    assert "ArtifactRefused" in log
    assert what == "a pickle" or "found tests.flow.factories.HomeMade" in log
    assert not marker.exists()


def test_two_releases_at_once_go_live_one_after_the_other(site: Site) -> None:
    versions = [site.version("late"), site.version("late")]
    gates = [site.ask("late", version) for version in versions]
    assert site.at_once(lambda: site.sign(gates[0], "bea"), lambda: site.sign(gates[1], "bea")) == [
        0,
        0,
    ]
    assert [site.deployed(gate) for gate in gates] == ["success", "success"]
    query = (
        "SELECT version, valid_from FROM mlops.deployment WHERE model = 'late' ORDER BY id DESC"
        " LIMIT 2"
    )
    (second, later), (first, sooner) = site.rows(query)
    assert {first, second} == set(versions)
    assert sooner < later
    (_, _, said) = site.entries(f"late/v{second}", "version.deployed")[-1]
    assert said["replaced"] == first
    assert site.live("late") == second
