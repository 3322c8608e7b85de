"""What the pages are told: from rows of a real store, as the steps write them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops.errors import RecordMissing
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.tables import ReportRow
from mlops.trust import Trust
from mlops.views.history import ModelHistory, model_history
from mlops.views.inventory import ModelSummary, model_of_dag, registered_models, summaries
from mlops.views.records import find_report
from mlops.vocabulary import LAPSE, REVOKE
from tests.fixtures.approval_key import KEY, register
from tests.fixtures.stored_life import Life, moment
from tests.fixtures.story import write_story

TRUST = Trust(keys=frozenset({KEY.fingerprint}))
NOW = datetime(2013, 11, 10, tzinfo=UTC)
NAMES = ["churn_b2b", "claim_fraud", "flight_delay", "parcel_eta"]


@pytest.fixture(scope="module")
def four_lives(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the four lives, only to be read."""
    upgrade(module_database)
    register(module_database)
    write_story(module_database, Artifacts(tmp_path_factory.mktemp("artifacts")))
    return Store(module_database, trust=TRUST)


@pytest.fixture
def risk(database: str, tmp_path: Path) -> Iterator[Life]:
    """A model in a store of its own, registered and with a first documented version."""
    upgrade(database)
    register(database)
    store = Store(database, trust=TRUST)
    made = Life(store, Artifacts(tmp_path), "risk", title="Is it risky?", decision="Which?")
    made.register("2013-01-01T08:00")
    made.package(1, "2013-01-02T08:00", auc=0.8, months=("2012-11", "2012-12"))
    made.report(1, "2013-01-02T08:01")
    yield made
    store.engine.dispose()


def summary(store: Store, model: str, *, at: datetime = NOW) -> ModelSummary:
    with store.transaction() as transaction:
        (found,) = summaries(transaction, [model], at=at)
    return found


def history(store: Store, model: str, *, at_most: int = 100) -> ModelHistory:
    with store.transaction() as transaction:
        return model_history(transaction, model, at=NOW, at_most=at_most)


def states(store: Store, model: str, *, at: datetime = NOW) -> dict[str, str]:
    """The seats of the pending version, or else of the live one."""
    found = summary(store, model, at=at)
    of = found.pending or found.live
    assert of is not None
    return {seat.seat: seat.state for seat in of.seats}


def test_every_model_is_told_in_order_of_its_name(four_lives: Store) -> None:
    with four_lives.transaction() as transaction:
        assert list(registered_models(transaction)) == NAMES
        found = summaries(transaction, NAMES, at=NOW)
        assert [item.model for item in found] == NAMES
        some = summaries(transaction, ["parcel_eta", "nobody", "churn_b2b"], at=NOW)
        assert [item.model for item in some] == ["churn_b2b", "parcel_eta"]
        assert summaries(transaction, [], at=NOW) == ()


def test_a_model_in_production_with_a_version_that_waits(four_lives: Store) -> None:
    found = summary(four_lives, "flight_delay")
    assert found.title.startswith("Will this flight arrive")
    assert found.live is not None
    assert (found.live.version, found.live.since) == (2, moment("2013-09-02T08:01"))
    assert found.live.holds
    assert [seat.signed_by for seat in found.live.seats] == [("bea",), ("lin",), ("max",)]
    assert found.pending is not None
    assert (found.pending.version, found.pending.state) == (3, "waiting")
    assert [(seat.title, seat.state, seat.asked) for seat in found.pending.seats] == [
        ("Business owner", "signed", ("bea",)),
        ("Lead data scientist", "open", ("lin",)),
        ("Model risk", "open", ("max",)),
    ]
    assert found.batch is not None
    assert (found.batch.rows, found.batch.version) == (28_889, 2)
    assert found.batch.unseen == (("dest", 4),)
    assert [(item.kind, item.version, item.period) for item in found.reports] == [
        ("validation", 3, ""),
        ("validation", 2, ""),
        ("monitoring", 2, "2013-10"),
    ]


def test_the_newest_verdict_on_the_last_window_counts(four_lives: Store) -> None:
    window = summary(four_lives, "flight_delay").window
    assert window is not None
    assert (window.label, window.result.state) == ("2013-10", "warn")
    assert window.result.performance.measured == 0.752
    assert window.report is not None
    assert window.report.title == "Monitoring report 2013-10"


def test_an_expired_signature_of_the_live_version_is_told(four_lives: Store) -> None:
    live = summary(four_lives, "churn_b2b").live
    assert live is not None
    assert not live.holds
    assert [seat.state for seat in live.seats] == ["signed", "signed", "invalid"]
    assert live.seats[2].reason == "the signature of max expired on 2013-08-03"
    before = summary(four_lives, "churn_b2b", at=moment("2013-08-02T00:00")).live
    assert before is not None
    assert before.holds


def test_a_rejected_version_is_told_with_the_reason(four_lives: Store) -> None:
    found = summary(four_lives, "claim_fraud")
    assert found.live is found.batch is found.window is None
    assert found.pending is not None
    assert found.pending.state == "rejected"
    assert "Claims above 50,000" in found.pending.seats[2].reason


def test_a_registered_model_without_a_version(four_lives: Store) -> None:
    found = summary(four_lives, "parcel_eta")
    assert found.live is found.pending is found.batch is found.window is None
    assert found.reports == ()
    assert history(four_lives, "parcel_eta").versions == ()


def test_versions_tell_what_became_of_them(four_lives: Store) -> None:
    found = history(four_lives, "flight_delay")
    assert [(item.number, item.state) for item in found.versions] == [
        (3, "pending"),
        (2, "live"),
        (1, "retired"),
    ]
    first = found.versions[2]
    assert (first.trained.words(), first.tested.words()) == ("May 2013", "June 2013")
    assert first.metrics["auc"] == 0.781
    assert [item.chosen for item in first.candidates] == [True, False, False]
    assert len(first.gates) == 4
    assert first.report is not None
    assert [(item.user, item.counted, item.method) for item in first.signatures] == [
        ("bea", True, "required_action"),
        ("sam", False, "required_action"),
        ("lin", True, "required_action"),
        ("max", True, "mark_success"),
    ]
    assert [(item.start, item.end) for item in first.deployments] == [
        (moment("2013-07-02T07:51"), moment("2013-09-02T08:01"))
    ]


def test_lists_are_cut_and_say_so(four_lives: Store) -> None:
    found = history(four_lives, "flight_delay", at_most=2)
    assert [item.number for item in found.versions] == [3, 2]
    assert [item.label for item in found.windows] == ["2013-10", "2013-09"]
    assert [item.period.label() for item in found.batches] == ["2013-10", "2013-09"]
    assert [item.written_at for item in found.reports] == [
        moment("2013-11-06T00:00"),
        moment("2013-11-01T09:13"),
    ]
    totals = found.totals
    assert (totals.versions, totals.windows, totals.batches, totals.reports) == (3, 4, 4, 7)


def test_findings_are_told_with_their_owner(four_lives: Store) -> None:
    (finding,) = history(four_lives, "churn_b2b").findings
    assert (finding.cause, finding.owner, finding.version) == ("performance", "sam", 1)


def test_an_unknown_model_is_an_error_that_says_what_to_do(four_lives: Store) -> None:
    with pytest.raises(RecordMissing, match=r"model 'nobody'.*trigger nobody_release"):
        history(four_lives, "nobody")


def test_a_dag_is_about_the_longest_name_that_fits(four_lives: Store, risk: Life) -> None:
    with four_lives.transaction() as transaction:
        for phase in ("release", "score", "monitor", "rehearsal"):
            assert model_of_dag(transaction, f"flight_delay_{phase}") == "flight_delay"
        assert model_of_dag(transaction, "churn_b2b") == "churn_b2b"
        assert model_of_dag(transaction, "flight_delays_release") is None
        assert model_of_dag(transaction, "flight") is None
    longer = Life(risk.store, risk.artifacts, "risk_b", title="B", decision="?")
    longer.register("2013-01-03T08:00")
    with risk.store.transaction() as transaction:
        assert model_of_dag(transaction, "risk_b_score") == "risk_b"
        assert model_of_dag(transaction, "risk_score") == "risk"


def test_a_report_of_a_kind_that_was_taken_out_is_still_found(risk: Life) -> None:
    earlier = risk.report(1, "2013-01-03T08:00", kind="hand_over")
    with risk.store.transaction() as transaction:
        known = transaction.find(ReportRow, kind="validation")[0].sha256
        found = find_report(transaction, known)
        assert found is not None
        assert (found.model, found.title) == ("risk", "Validation report")
        assert found.short_title == "Validation of v1"
        of_earlier_kind = find_report(transaction, earlier)
        assert of_earlier_kind is not None
        assert of_earlier_kind.title == "Hand over report"
        assert find_report(transaction, "0" * 64) is None


def test_a_version_that_was_rolled_back_is_not_pending(risk: Life) -> None:
    risk.deploy(1, "2013-01-05T08:00")
    risk.package(2, "2013-02-02T08:00", auc=0.81, months=("2012-12", "2013-01"))
    risk.package(3, "2013-03-02T08:00", auc=0.82, months=("2013-01", "2013-02"))
    risk.deploy(3, "2013-03-05T08:00")
    risk.deploy(1, "2013-03-06T08:00", action="rollback")
    found = summary(risk.store, "risk")
    assert found.pending is None
    assert found.live is not None
    assert (found.live.version, found.live.action) == (1, "rollback")
    told = history(risk.store, "risk")
    assert [(item.number, item.state) for item in told.versions] == [
        (3, "retired"),
        (2, "superseded"),
        (1, "live"),
    ]
    assert [(item.version, item.end is None) for item in told.deployments] == [
        (1, True),
        (3, False),
        (1, False),
    ]


def test_a_version_without_its_report_waits_for_it(risk: Life) -> None:
    risk.package(2, "2013-02-02T08:00", auc=0.81, months=("2012-12", "2013-01"))
    found = summary(risk.store, "risk").pending
    assert found is not None
    assert found.state == "waiting"
    assert {seat.reason for seat in found.seats} == {"the validation report is not written yet"}


def test_what_seats_go_through(risk: Life) -> None:
    seats = {"business_owner": "bea", "lead_data_scientist": "lin", "model_risk": "max"}
    assert set(states(risk.store, "risk").values()) == {"open"}
    for seat, user in seats.items():
        risk.sign(1, seat, user, "2013-01-03T08:00")
    signed = summary(risk.store, "risk").pending
    assert signed is not None
    assert signed.state == "signed"
    risk.sign(1, "model_risk", "max", "2013-01-04T08:00", answer=REVOKE, reason="New facts.")
    assert states(risk.store, "risk")["model_risk"] == "revoked"
    assert states(risk.store, "risk", at=moment("2013-01-03T12:00"))["model_risk"] == "signed"
    risk.sign(1, "business_owner", "bea", "2013-01-05T08:00", answer=LAPSE, method="timeout")
    assert states(risk.store, "risk")["business_owner"] == "lapsed"
    late = summary(risk.store, "risk").pending
    assert late is not None
    assert late.state == "lapsed"
    risk.sign(1, "business_owner", "bea", "2013-01-06T08:00")
    risk.sign(1, "model_risk", "max", "2013-01-06T08:00")
    assert set(states(risk.store, "risk").values()) == {"signed"}


def test_a_signature_of_other_bytes_is_void(risk: Life) -> None:
    risk.sign(1, "model_risk", "max", "2013-01-03T08:00", package="f" * 64)
    assert states(risk.store, "risk")["model_risk"] == "invalid"


def test_a_window_that_is_judged_again_is_told_once(risk: Life) -> None:
    risk.deploy(1, "2013-01-05T08:00")
    risk.score(1, "2013-01", rows=1_000)
    for look, auc in ((1, None), (2, 0.78)):
        risk.monitor(1, "2013-01", rows=1_000, auc=auc, kpi=40.0, state="ok", psi=[], look=look)
        risk.report(1, f"2013-02-0{look}T08:00", kind="monitoring", period="2013-01", note=look)
    found = history(risk.store, "risk")
    assert [item.result.performance.measured for item in found.windows] == [0.78]
    assert found.totals.windows == 1
    assert found.windows[0].judged_at == datetime(2013, 2, 1, tzinfo=UTC) + timedelta(days=2)
    assert found.windows[0].report is not None
    assert found.windows[0].report.written_at == moment("2013-02-02T08:00")


def test_the_api_server_loads_no_model_library_for_it() -> None:
    code = (
        "import sys, mlops.views.history\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'skops', 'airflow'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
