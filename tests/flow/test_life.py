"""One model's whole life on real flights: what each step leaves, counted and computed anew."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mlops.core.artifact.package import load_model, read
from mlops.core.table import split_by_time
from mlops.core.targets.binary.target import BINARY
from mlops.digests import digest_bytes
from mlops.flow.intake import intake
from mlops.spec.load import Spec
from mlops.store import ledger
from mlops.store.connect import Store
from mlops.store.tables import (
    NOT_FACTS,
    DecisionRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)
from mlops.views.status import status_as_of
from mlops.warehouse.parts import read_part
from tests.fixtures.life import counts, moment

if TYPE_CHECKING:
    from tests.fixtures.life import Lived
    from tests.fixtures.postgres import MakeDatabase

# The outcome of a flight is known when it has arrived, and at the latest 30 minutes after its
# scheduled arrival; it is late from then on.
LATE = "coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)"
OF_THE_SNAPSHOT = "scheduled_departure >= '2013-05-27' AND scheduled_departure < '2013-07-01'"
OF_THE_WINDOW = "scheduled_departure >= '2013-07-01' AND scheduled_departure < '2013-07-08'"
KNOWN_AT = "least(actual_arrival, scheduled_arrival + INTERVAL '30 minutes')"


def one(lived: Lived, kind: Any, *key: Any) -> Any:
    """A row of our store."""
    with lived.life.workspace.store.transaction() as transaction:
        return transaction.get(kind, *key)


def snapshot_file(lived: Lived) -> Path:
    """The file of the release's frozen rows."""
    folder = lived.life.workspace.artifacts
    return Path(folder.location(lived.release.snapshot.sha256))


def test_the_snapshot_holds_every_flight_whose_outcome_was_known(lived: Lived) -> None:
    known = lived.life.value(
        f"SELECT count(*) FROM flights WHERE {OF_THE_SNAPSHOT} AND {KNOWN_AT} < '2013-07-01'"
    )
    assert lived.release.snapshot.rows == known > 30_000
    table = pq.read_table(snapshot_file(lived), columns=["flight_id", "scheduled_departure"])
    assert table.num_rows == known
    assert pc.count_distinct(table["flight_id"]).as_py() == known
    order = pc.sort_indices(
        table, sort_keys=[("scheduled_departure", "ascending"), ("flight_id", "ascending")]
    )
    assert np.array_equal(order.to_numpy(), np.arange(known)), "rows are in order of time and key"
    row = one(lived, SnapshotRow, lived.release.snapshot.snapshot_id)
    assert (row.train_start, row.test_start, row.test_end) == (
        moment("2013-05-27"),
        moment("2013-06-24"),
        moment("2013-07-01"),
    )
    assert digest_bytes(snapshot_file(lived).read_bytes()) == row.sha256


def test_the_labels_of_the_snapshot_are_what_came_of_the_flights(lived: Lived) -> None:
    late = lived.life.value(
        f"SELECT count(*) FROM flights WHERE {OF_THE_SNAPSHOT} AND {KNOWN_AT} < '2013-07-01'"
        f" AND {LATE}"
    )
    assert pc.sum(pq.read_table(snapshot_file(lived), columns=["late"])["late"]).as_py() == late


def test_every_candidate_is_on_record_and_the_better_one_is_chosen(lived: Lived) -> None:
    row = one(lived, TrainingRow, lived.release.training.training_id)
    found = {result["name"]: result for result in row.candidates}
    assert list(found) == ["boosted_trees", "base_rate"]
    assert found["base_rate"]["metrics"]["auc"] == 0.5
    assert found["boosted_trees"]["metrics"]["auc"] > 0.75
    assert [result["chosen"] for result in row.candidates] == [True, False]
    assert row.chosen == lived.release.training.chosen == "boosted_trees"
    assert row.code["scikit-learn"]


def test_the_recorded_quality_is_that_of_the_package_on_the_test_month(lived: Lived) -> None:
    digest = lived.release.packaged.package_digest
    contents = read(lived.life.workspace.artifacts.read(digest), expected_digest=digest)
    training, testing = split_by_time(
        snapshot_file(lived),
        time="scheduled_departure",
        label="late",
        test_start=moment("2013-06-24"),
        target=BINARY,
    )
    scores = load_model(contents).predict(contents.encoder.encode_table(testing.table))
    row = one(lived, ValidationRow, lived.release.training.training_id, 0)
    found = row.evaluation["metrics"]
    assert found["auc"] == pytest.approx(roc_auc_score(testing.label, scores), abs=1e-12)
    assert found["brier"] == pytest.approx(np.mean((scores - testing.label) ** 2), abs=1e-12)
    assert found["rows"] == len(testing.label)
    assert found["rows"] + len(training.label) == lived.release.snapshot.rows
    assert lived.release.training.measured == pytest.approx(found["auc"], abs=1e-12)
    flagged = int((scores >= 0.4).sum())
    confusion = row.evaluation["confusion"]
    assert confusion["true_positive"] + confusion["false_positive"] == flagged


def test_every_gate_of_the_spec_was_judged(lived: Lived) -> None:
    row = one(lived, ValidationRow, lived.release.training.training_id, 0)
    assert [gate["name"] for gate in row.gates] == [
        "auc",
        "calibration_error",
        "auc by origin",
        "auc against champion",
    ]
    assert all(gate["passed"] for gate in row.gates) and row.passed
    assert lived.release.validation.gates == 4
    by_origin = {
        part["value"]: part["metrics"]["auc"]
        for part in row.evaluation["slices"]
        if part["column"] == "origin"
    }
    assert set(by_origin) == {"EWR", "JFK", "LGA"}
    assert row.gates[2]["measured"] == min(by_origin.values())
    assert row.champion_metrics is None


def test_the_criteria_are_the_ones_registered_before_training(lived: Lived) -> None:
    spec = one(lived, SpecRow, lived.release.intake.spec_digest)
    criteria = Spec.from_json(spec.content).criteria_digest
    version = one(lived, VersionRow, "flight_delay", 1)
    training = one(lived, TrainingRow, version.training_id)
    assert {spec.criteria_digest, version.criteria_digest, training.criteria_digest} == {criteria}
    assert spec.registered_at < training.trained_at < version.packaged_at


def test_the_version_is_what_was_trained_on_this_snapshot(lived: Lived) -> None:
    version = one(lived, VersionRow, "flight_delay", 1)
    release = lived.release
    assert version.package_digest == release.packaged.package_digest
    assert version.training_id == release.training.training_id
    assert version.snapshot_id == release.snapshot.snapshot_id
    assert (version.developer, version.triggered_by, version.tier) == ("sam", "dora", "medium")
    assert version.policy["seats"]["model_risk"]["users"] == ["max"]


def test_each_seat_has_signed_the_very_bytes(lived: Lived) -> None:
    with lived.life.workspace.store.transaction() as transaction:
        decisions = transaction.find(DecisionRow, model="flight_delay", version=1)
    assert {row.seat: row.user_id for row in decisions} == {
        "business_owner": "bea",
        "lead_data_scientist": "lin",
        "model_risk": "max",
    }
    release = lived.release
    for row in decisions:
        assert row.counted
        assert row.package_digest == release.packaged.package_digest
        assert row.spec_digest == release.intake.spec_digest
        assert row.snapshot_digest == release.snapshot.sha256
        assert row.evidence_digest == release.documented.report_sha256
        assert row.criteria_digest == release.intake.criteria_digest


def test_version_1_is_live_from_its_deployment_on(lived: Lived) -> None:
    assert (lived.deployed.version, lived.deployed.replaced) == (1, 0)
    since = datetime.fromisoformat(lived.deployed.live_since)
    with lived.life.workspace.store.transaction() as transaction:
        now = status_as_of(transaction, "flight_delay", datetime.now(UTC))
        before = status_as_of(transaction, "flight_delay", since - timedelta(microseconds=1))
        other = status_as_of(transaction, "cancellation", datetime.now(UTC))
    assert now is not None
    assert (now.version, now.live_since) == (1, since)
    assert now.package_digest == lived.release.packaged.package_digest
    assert sorted(line.split()[0] for line in now.signed_by) == ["bea", "lin", "max"]
    assert before is None
    assert other is None


def test_the_view_has_each_flight_of_the_window_once(lived: Lived) -> None:
    scheduled = lived.life.rows(f"SELECT flight_id FROM flights WHERE {OF_THE_WINDOW} ORDER BY 1")
    assert lived.life.rows("SELECT flight_id FROM ml.flight_delay ORDER BY 1") == scheduled
    assert lived.window.published.rows == len(scheduled) == lived.window.plan.rows
    assert lived.window.published.view == "ml.flight_delay"
    assert lived.life.rows("SELECT DISTINCT model_version, batch FROM ml.flight_delay") == [
        (1, "flight_delay/2013-W27/v1")
    ]
    assert (
        lived.life.value(
            "SELECT count(*) FROM ml.flight_delay AS p JOIN flights AS f USING (flight_id)"
            " WHERE p.event_time <> f.scheduled_departure"
        )
        == 0
    )


def test_a_decision_is_a_score_at_the_threshold_or_above(lived: Lived) -> None:
    assert lived.life.rows(
        "SELECT decision, min(score) >= 0.4, max(score) < 0.4, count(*) > 100"
        " FROM ml.flight_delay GROUP BY 1 ORDER BY 1"
    ) == [(False, False, True, True), (True, True, False, True)]
    low, high = lived.life.rows("SELECT min(score), max(score) FROM ml.flight_delay")[0]
    assert 0.0 <= low < high <= 1.0


def test_shards_share_the_window_between_them(lived: Lived) -> None:
    found = lived.life.rows(
        "SELECT shard, count(*) FROM ml.flight_delay_predictions GROUP BY 1 ORDER BY 1"
    )
    scored = [(item.shard, item.rows) for item in lived.window.scored if item.rows]
    assert found == scored
    assert sum(rows for _, rows in scored) == lived.window.plan.rows


def test_categories_that_training_did_not_see_are_counted(lived: Lived) -> None:
    """They are scored as unknown."""
    (summary,) = lived.life.rows("SELECT summary->'unseen'->'dest' FROM mlops.scoring_batch")
    unseen = lived.life.value(
        f"SELECT count(*) FROM flights WHERE {OF_THE_WINDOW} AND dest NOT IN (SELECT dest"
        " FROM flights WHERE scheduled_departure >= '2013-05-27'"
        " AND scheduled_departure < '2013-06-24')"
    )
    assert summary == (unseen,)
    assert unseen > 0


def test_the_rows_that_were_scored_are_kept_part_by_part(lived: Lived) -> None:
    ((parts, rows),) = lived.life.rows("SELECT parts, rows FROM mlops.plan ORDER BY id LIMIT 1")
    read = [read_part(lived.life.workspace.artifacts.read(part["sha256"])) for part in parts]
    assert [batch.num_rows for batch in read] == [part["rows"] for part in parts]
    assert sum(batch.num_rows for batch in read) == rows == lived.window.published.rows
    spec = lived.life.workspace.spec(lived.release.intake.spec_digest).content.develop
    assert read[0].schema.names == [spec.key, spec.time, *spec.features]
    keys = [key for batch in read for key in batch.column(spec.key).to_pylist()]
    assert keys == sorted(keys)


def test_the_window_is_measured_against_what_came_of_it(lived: Lived) -> None:
    pairs = lived.life.rows(
        f"SELECT {LATE}, p.score FROM ml.flight_delay AS p JOIN flights USING (flight_id)"
    )
    assert lived.window.measured.rows == lived.window.measured.labels == len(pairs)
    ((content, result),) = lived.life.rows(
        "SELECT m.content, r.result FROM mlops.measurement AS m"
        " JOIN mlops.monitor_result AS r ON r.measurement = m.digest"
    )
    auc = roc_auc_score([late for late, _ in pairs], [score for _, score in pairs])
    assert content["metrics"]["auc"] == pytest.approx(auc, abs=1e-12)
    assert result["performance"]["measured"] == content["metrics"]["auc"]
    assert result["performance"]["state"] == "ok"
    flagged = [score >= 0.4 for late, score in pairs if late]
    assert content["kpi"] == pytest.approx(100 * sum(flagged) / len(flagged), abs=1e-9)
    assert result["kpi"]["reached"] is (content["kpi"] >= 30)
    assert sum(content["score_histogram"]) == len(pairs)


def test_the_drift_of_every_feature_and_of_the_score_is_judged(lived: Lived) -> None:
    ((result, state),) = lived.life.rows("SELECT result, state FROM mlops.monitor_result")
    spec = lived.life.workspace.spec(lived.release.intake.spec_digest).content
    drifts = {item["feature"]: item for item in result["drift"]}
    assert set(drifts) == {*spec.develop.features, "score"}
    # Four weeks of June against July: the temperature moved, the schedule did not.
    assert drifts["temp_f"]["state"] == "alarm"
    assert drifts["weekday"]["state"] == "ok" and drifts["weekday"]["value"] < 0.05
    assert state == lived.window.judged.state == "alarm"
    assert any("temp_f" in reason for reason in lived.window.judged.reasons)


def test_an_alarm_opens_one_case_for_its_owner(lived: Lived) -> None:
    assert lived.life.rows("SELECT id, owner, cause FROM mlops.case") == [
        ("flight_delay/v1/drift", "sam", "drift")
    ]


def test_the_reports_are_kept_under_their_digest_and_can_be_opened(lived: Lived) -> None:
    auc = lived.release.training.measured
    assert auc is not None
    for made, words in (
        (lived.release.documented, ["Validation", f"{auc:.3f}", "sam", "Lead data scientist"]),
        (
            lived.window.documented,
            ["2013-07-01 to 2013-07-07", "temp_f", "flagged before departure"],
        ),
    ):
        text = Path(made.location).read_bytes()
        assert digest_bytes(text) == made.report_sha256
        assert lived.life.workspace.artifacts.read(made.report_sha256) == text
        assert not [word for word in words if word not in text.decode()]
    kinds = lived.life.rows("SELECT kind, period FROM mlops.report ORDER BY 1")
    assert kinds == [("monitoring", "2013-W27"), ("validation", "")]


def test_the_ledger_is_whole_and_has_one_entry_for_each_fact(lived: Lived) -> None:
    tables = {
        name.removeprefix("mlops."): rows
        for name, rows in counts(lived.life.content()).items()
        if name.startswith("mlops.")
    }
    for name in (*NOT_FACTS, "alembic_version"):
        del tables[name]
    with lived.life.workspace.store.transaction() as transaction:
        connection = transaction.session.connection()
        entries = list(ledger.entries(connection))
        count, broken = ledger.verify(connection)
    assert broken is None
    assert count == len(entries)
    facts = [fact for entry in entries if (fact := json.loads(entry.payload).get("fact"))]
    about = Counter(fact["table"] for fact in facts)
    assert about == {table: rows for table, rows in tables.items() if rows}
    assert len({(fact["table"], *fact["key"]) for fact in facts}) == len(facts)
    assert {entry.actor for entry in entries} >= {"bea", "lin", "max"}


def test_a_changed_fact_shows_in_the_ledger(lived: Lived, make_database: MakeDatabase) -> None:
    other = make_database(template=lived.life.database.rpartition("/")[2])
    with Store(other).engine.begin() as connection:
        connection.exec_driver_sql("UPDATE mlops.deployment SET reason = 'as agreed'")
        _, broken = ledger.verify(connection)
    assert broken is not None
    assert "deployment" in broken.reason


def test_nothing_is_left_over_in_the_artifact_folder(lived: Lived) -> None:
    root = lived.life.include.parent / "artifacts"
    assert list((root / "incoming").iterdir()) == []
    kept = [file for file in (root / "sha256").rglob("*") if file.is_file()]
    assert all(digest_bytes(file.read_bytes()) == file.name for file in kept)
    # The rows that were trained on and those of a window, the estimator, the package, two reports.
    assert len(kept) == 6


def test_the_spec_of_a_run_does_not_change_with_its_file(lived: Lived) -> None:
    before = lived.life.workspace.spec(lived.release.intake.spec_digest)
    file = lived.life.include / "models" / "flight_delay.yml"
    text = file.read_text()
    try:
        file.write_text(text.replace("threshold: 0.4", "threshold: 0.3"))
        assert lived.life.workspace.include.spec("flight_delay").digest != before.digest
        assert lived.life.workspace.spec(before.digest) == before
    finally:
        file.write_text(text)
    assert intake(lived.life.workspace, model="flight_delay") == lived.release.intake
