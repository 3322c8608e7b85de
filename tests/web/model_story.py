"""Four lives of models that together show everything a page can show."""

from __future__ import annotations

from datetime import timedelta

from mlops.core.period import parse
from mlops.core.records import State
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from tests.web.model_life import Life


def write_story(url: str, artifacts: Artifacts) -> dict[str, str]:
    """Four models in four states, in an empty store; returns reports by ``model/kind``."""
    store = Store(url)
    return {
        **flight_delay(store, artifacts),
        **churn(store, artifacts),
        **claim_fraud(store, artifacts),
        **newcomer(store, artifacts),
    }


def flight_delay(store: Store, artifacts: Artifacts) -> dict[str, str]:
    """Two versions were live, the third waits for two of its three seats."""
    life = Life(
        store,
        artifacts,
        "flight_delay",
        title="Will this flight arrive 30 minutes late or more, or be cancelled?",
        decision="Which departures does the operations desk re-plan before they are late?",
    )
    life.register("2013-06-28T08:00")
    life.package(1, "2013-07-01T09:12", auc=0.781, months=("2013-05", "2013-06"))
    life.report(1, "2013-07-01T09:14")
    life.sign(1, "business_owner", "bea", "2013-07-01T10:02", reason="Worth having from 30 % on.")
    life.sign(1, "lead_data_scientist", "sam", "2013-07-01T10:30",
              refusal="sam developed flight_delay v1 and cannot sign it")  # fmt: skip
    life.sign(1, "lead_data_scientist", "lin", "2013-07-01T11:45")
    life.sign(1, "model_risk", "max", "2013-07-02T07:50", method="mark_success",
              reason="Limits are in the runbook.")  # fmt: skip
    life.deploy(1, "2013-07-02T07:51")
    life.package(2, "2013-09-01T09:10", auc=0.794, months=("2013-07", "2013-08"))
    life.report(2, "2013-09-01T09:12")
    seats = {"business_owner": "bea", "lead_data_scientist": "lin", "model_risk": "max"}
    for seat, user in seats.items():
        life.sign(2, seat, user, "2013-09-02T08:00", days=36_500)
    life.deploy(2, "2013-09-02T08:01")
    life.package(3, "2013-11-01T09:11", auc=0.802, months=("2013-09", "2013-10"), by="amy")
    life.report(3, "2013-11-01T09:13")
    for seat, user in seats.items():
        life.ask(3, seat, [user], "2013-11-01T09:14")
    life.sign(3, "business_owner", "bea", "2013-11-01T14:20")
    monitoring = ""
    months: list[tuple[str, int, int, float | None, float | None, State, float]] = [
        ("2013-07", 1, 29_425, 0.792, 38.2, "ok", 0.12),
        ("2013-08", 1, 29_327, 0.764, 33.9, "ok", 0.31),
        ("2013-09", 2, 27_574, 0.771, 31.4, "ok", 0.22),
        ("2013-10", 2, 28_889, 0.752, 27.0, "warn", 0.58),
    ]
    for month, number, rows, auc, kpi, state, psi in months:
        life.score(number, month, rows=rows, unseen={"dest": 4} if number == 2 else None)
        moved: list[tuple[str, float, State]] = [
            ("pressure_mb", 0.04, "ok"), ("temp_f", psi, "warn" if psi >= 0.5 else "ok"),
            ("origin_delay_3h", 0.09, "ok"), ("carrier", 0.01, "ok"),
        ]  # fmt: skip
        if month == "2013-10":
            life.monitor(number, month, rows=rows, auc=None, kpi=None, state="ok", psi=moved)
        life.monitor(
            number, month, rows=rows, auc=auc, kpi=kpi, state=state, psi=moved, look=5,
            labels=0.97 if month == "2013-10" else 1.0,
        )  # fmt: skip
        written = parse(month, "month").end + timedelta(days=5)
        monitoring = life.report(number, written.replace(tzinfo=None).isoformat(),
                                 kind="monitoring", period=month)  # fmt: skip
    return {"flight_delay/monitoring": monitoring}


def churn(store: Store, artifacts: Artifacts) -> dict[str, str]:
    """Live, in alarm, and with one signature that has expired."""
    life = Life(
        store,
        artifacts,
        "churn_b2b",
        title="Will this business customer leave within 90 days?",
        decision="Which customers does an account manager call this month?",
        kpi={
            "target": 25,
            "unit": "of 100 customers called",
            "sentence": "{value} {unit} stayed because of it in {period}; the target is {target}",
        },
    )
    life.register("2013-02-01T08:00")
    life.package(1, "2013-02-03T09:12", auc=0.812, months=("2012-12", "2013-01"))
    validation = life.report(1, "2013-02-03T09:14")
    life.sign(1, "business_owner", "bea", "2013-02-04T10:02", days=36_500)
    life.sign(1, "lead_data_scientist", "lin", "2013-02-04T11:00", days=36_500)
    life.sign(1, "model_risk", "max", "2013-02-04T12:00", days=180)
    life.deploy(1, "2013-02-04T12:01")
    life.score(1, "2013-10", rows=8_412)
    life.monitor(1, "2013-10", rows=8_412, auc=0.691, kpi=12.4, state="alarm",
                 psi=[("contract_age", 1.31, "alarm"), ("seats", 0.02, "ok")])  # fmt: skip
    life.find(1, "performance", "2013-10: AUC 0.691, expected ≥ 0.73", "2013-11-02T06:00")
    monitoring = life.report(1, "2013-11-02T06:00", kind="monitoring", period="2013-10")
    return {"churn_b2b/validation": validation, "churn_b2b/monitoring": monitoring}


def claim_fraud(store: Store, artifacts: Artifacts) -> dict[str, str]:
    """Its only version was rejected; nothing was ever deployed."""
    life = Life(
        store,
        artifacts,
        "claim_fraud",
        title="Should a person look at this claim before it is paid?",
        decision="Which claims are looked at before they are paid?",
    )
    life.register("2013-10-01T08:00")
    life.package(1, "2013-10-03T09:12", auc=0.761, months=("2013-08", "2013-09"))
    validation = life.report(1, "2013-10-03T09:14")
    life.sign(1, "model_risk", "max", "2013-10-04T10:02", answer="Reject",
              reason="Claims above 50,000 are not in the training data.")  # fmt: skip
    return {"claim_fraud/validation": validation}


def newcomer(store: Store, artifacts: Artifacts) -> dict[str, str]:
    """Registered, and nothing more."""
    title, decision = "When will this parcel arrive?", "What the customer is told at check-out."
    Life(store, artifacts, "parcel_eta", title=title, decision=decision).register(
        "2013-11-01T08:00"
    )
    return {}
