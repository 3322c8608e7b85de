"""What is recorded of a version's deployment, as governed runs."""

from __future__ import annotations

import pytest
import yaml

from mlops.lineage.events import deploy
from mlops.spec.load import Spec
from tests.lineage.events.conftest import EventsOf, facet, names, read, sources, version
from tests.lineage.events.facts import (
    DEPLOYMENT,
    ORIGIN,
    OURS,
    READING,
    REPORT,
    TABLES,
    TRAINING,
    VERSION,
    batch,
    checks,
    decision,
    sha,
)
from tests.spec.conftest import POLICY

MODEL, SLOT = "models/churn/versions/4", "deployments/churn/prod"
SCORES, TABLE, VIEW = "predictions/churn/versions/4", "shop.ml.churn_predictions", "shop.ml.churn"


def test_a_report_is_made_from_the_version_and_its_sources(events_of: EventsOf, spec: Spec) -> None:
    sources = (ORIGIN.validation(TRAINING), ORIGIN.monitoring("churn", 4))
    (event,) = events_of(deploy.report_written(ORIGIN, REPORT, VERSION, spec, sources))
    assert event["job"]["name"] == "churn.v4.report_validation"
    assert names(event, "inputs") == [
        MODEL,
        "validations/churn/cccccccccccc",
        "monitoring/churn/4",
    ]
    (file,) = event["outputs"]
    assert (file["namespace"], file["name"]) == (
        "s3://models",
        "reports/churn/v4/validation-88888888.html",
    )
    assert version(event) == REPORT.sha256
    assert file["facets"]["datasetType"]["datasetType"] == "FILE"
    assert file["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "CREATE"


def test_a_report_of_any_kind_is_named_after_it(events_of: EventsOf, spec: Spec) -> None:
    row = type(REPORT)(**{**_values(REPORT), "kind": "acme_handover"})
    (event,) = events_of(deploy.report_written(ORIGIN, row, VERSION, spec, ()))
    assert event["job"]["name"] == "churn.v4.report_acme_handover"
    assert names(event, "inputs") == [MODEL]


def test_the_report_of_each_window_has_a_job_of_its_own(events_of: EventsOf, spec: Spec) -> None:
    """Marquez' graph keeps what the last run of a job wrote: of one job, the newest file alone."""
    row = type(REPORT)(**{**_values(REPORT), "kind": "monitoring", "period": "2026-01"})
    (event,) = events_of(deploy.report_written(ORIGIN, row, VERSION, spec, ()))
    assert event["job"]["name"] == "churn.v4.report_monitoring_2026-01"


def _values(row: object) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if name[0] != "_"}


def test_a_signature_binds_the_version_and_the_report(events_of: EventsOf, spec: Spec) -> None:
    (event,) = events_of(deploy.decided(ORIGIN, decision(), VERSION, spec, [REPORT]))
    assert event["job"]["name"] == "churn.v4.approve_owner"
    assert event["eventType"] == "COMPLETE"
    assert names(event, "inputs") == [MODEL, "reports/churn/v4/validation-88888888.html"]
    assert [read(event, position)["version"] for position in (0, 1)] == [sha(7), sha(8)]
    assert names(event, "outputs") == ["approvals/churn/4/owner"]
    assert version(event) == decision().id
    approval = facet(event, "mlops_approval")
    assert (approval["seat"], approval["approver_id"], approval["decision"]) == (
        "owner",
        "bea",
        "Approve",
    )
    assert (approval["evidence"], approval["snapshot"]) == (sha(8), sha(4))


def test_a_signature_that_did_not_count_is_recorded_with_its_reason(
    events_of: EventsOf, spec: Spec
) -> None:
    row = decision(counted=False, refusal="sam developed it", user_id="sam")
    (event,) = events_of(deploy.decided(ORIGIN, row, VERSION, spec, []))
    assert names(event, "inputs") == [MODEL]
    # It must not take the place of the response that counted.
    assert event["job"]["name"] == "churn.v4.approve_not_counted"
    assert names(event, "outputs") == ["approvals/churn/4/not_counted"]
    assert event["eventType"] == "FAIL"
    assert facet(event, "errorMessage")["message"] == (
        "the response of Bea did not count: sam developed it"
    )
    approval = facet(event, "mlops_approval")
    assert (approval["counted"], approval["refusal"]) == (False, "sam developed it")


def test_a_rejection_is_a_failure_with_its_reason(events_of: EventsOf, spec: Spec) -> None:
    row = decision(answer="Reject", reason="too few customers")
    (event,) = events_of(deploy.decided(ORIGIN, row, VERSION, spec, []))
    assert event["job"]["name"] == "churn.v4.approve_owner"
    assert (event["eventType"], facet(event, "errorMessage")["message"]) == (
        "FAIL",
        "owner: Reject by Bea: too few customers",
    )


def test_a_deployment_makes_the_version_live(events_of: EventsOf, spec: Spec) -> None:
    seats = ["", "owner", "risk"]
    (event,) = events_of(
        deploy.deployment_changed(ORIGIN, DEPLOYMENT, VERSION, spec, replaced=3, seats=seats)
    )
    assert event["job"]["name"] == "churn.v4.deploy"
    assert names(event, "inputs") == [
        MODEL,
        "approvals/churn/4",
        "approvals/churn/4/owner",
        "approvals/churn/4/risk",
    ]
    assert read(event)["version"] == sha(7)
    assert (names(event, "outputs"), version(event)) == ([SLOT], "4")
    change = facet(event, "mlops_deployment")
    assert (change["action"], change["replaced"], change["actor"]) == (
        "deploy",
        3,
        "task:churn_release.deploy",
    )


@pytest.mark.parametrize(
    ("fallback", "live"), [("rule", "rule of 4"), ("previous_version", "stopped")]
)
def test_what_was_stopped_is_not_shown_as_live(
    events_of: EventsOf, spec: Spec, fallback: str, live: str
) -> None:
    stop = type(DEPLOYMENT)(**{**_values(DEPLOYMENT), "action": "stop"})
    policy = {**yaml.safe_load(POLICY), "policy": "standard", "fallback": fallback}
    stopped = type(VERSION)(**{**_values(VERSION), "policy": policy})
    (event,) = events_of(
        deploy.deployment_changed(ORIGIN, stop, stopped, spec, replaced=4, seats=["owner"])
    )
    assert version(event) == live


def test_the_input_of_a_batch_is_checked(events_of: EventsOf, spec: Spec) -> None:
    name = "churn/2026-01/v4"
    (event,) = events_of(
        deploy.input_checked(ORIGIN, checks(f"{name}/input"), name, VERSION, spec, READING)
    )
    assert event["job"]["name"] == "churn.v4.check_input"
    assert names(event, "inputs") == [MODEL, "shop.public.visits", "shop.sales.plans"]
    assert names(event, "outputs") == ["checks/churn/versions/4"]
    found = facet(event, "mlops_batch")
    assert (found["batch"], found["rows"]) == (name, None)
    assert [item["status"] for item in facet(event, "test")["tests"]] == ["pass", "fail"]


def test_a_batch_comes_from_the_version_and_the_tables(events_of: EventsOf, spec: Spec) -> None:
    score, publish = events_of(deploy.batch_published(ORIGIN, batch(), VERSION, spec, READING))
    assert score["job"]["name"] == "churn.v4.score"
    assert names(score, "inputs") == [MODEL, SLOT, "shop.public.visits", "shop.sales.plans"]
    assert [read(score, position)["version"] for position in (0, 1)] == [sha(7), "4"]
    assert names(score, "outputs") == [SCORES, TABLE]
    assert [port["namespace"] for port in score["outputs"]] == [OURS, TABLES]
    assert version(score) == version(score, 1) == "churn/2026-01/v4#2"
    # A score comes from the model, and through it from the columns behind the model's features.
    assert (
        sources(score, "score")
        == sources(score, "decision", 1)
        == [
            (MODEL, "score", "DIRECT", "IDENTITY"),
            (MODEL, "age", "DIRECT", "TRANSFORMATION"),
            (MODEL, "plan", "DIRECT", "TRANSFORMATION"),
            ("shop.public.visits", "amount", "DIRECT", "TRANSFORMATION"),
            ("shop.public.visits", "plan", "DIRECT", "TRANSFORMATION"),
            ("shop.sales.plans", "plan", "INDIRECT", "JOIN"),
        ]
    )
    found = facet(score, "mlops_batch")
    assert (found["rows"], found["package_sha256"]) == (50, sha(7))
    assert found["unseen"] == [{"name": "age", "rows": 1}, {"name": "plan", "rows": 3}]
    assert score["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 50
    assert facet(score, "nominalTime")["nominalEndTime"].startswith("2026-02-01")

    assert publish["job"]["name"] == "churn.v4.publish"
    assert names(publish, "inputs") == [SCORES, TABLE]
    assert read(publish) == {"version_kind": "batch", "version": "churn/2026-01/v4#2", "rows": 50}
    assert names(publish, "outputs") == [VIEW]
    assert publish["outputs"][0]["facets"]["datasetType"]["datasetType"] == "VIEW"
    for column in ("score", "decision"):
        assert sources(publish, column) == [(TABLE, column, "DIRECT", "IDENTITY")]


def test_a_batch_of_the_rule_does_not_come_from_the_model(events_of: EventsOf, spec: Spec) -> None:
    score, _ = events_of(
        deploy.batch_published(ORIGIN, batch(by_rule=True), VERSION, spec, READING)
    )
    assert score["job"]["name"] == "churn.v4.rule"
    assert names(score, "inputs") == [SLOT, "shop.public.visits", "shop.sales.plans"]
    assert sources(score, "score") == [("shop.sales.plans", "plan", "INDIRECT", "JOIN")]
    assert "package_sha256" not in facet(score, "mlops_batch")


@pytest.mark.parametrize("by_rule", [False, True])
def test_a_shard_has_the_ends_of_its_batch(events_of: EventsOf, spec: Spec, by_rule: bool) -> None:
    """The batch is the fact; a shard's task has the same datasets."""
    row = batch(by_rule=by_rule)
    (shard,) = events_of(
        deploy.shard_scored(ORIGIN, VERSION, spec, READING, by_rule=by_rule, at=row.published_at)
    )
    whole, publish = events_of(deploy.batch_published(ORIGIN, row, VERSION, spec, READING))
    assert shard["job"] == whole["job"]
    for side in ("inputs", "outputs"):
        assert names(shard, side) == names(whole, side)
    assert events_of(deploy.batch_shown(ORIGIN, row, VERSION, spec)) == [publish]
