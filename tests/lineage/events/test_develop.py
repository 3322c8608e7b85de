"""What is recorded of a model's development, as governed runs."""

from __future__ import annotations

from mlops.lineage.events import develop
from mlops.spec.load import Spec
from tests.lineage.events.conftest import EventsOf, facet, names, read, sources, version
from tests.lineage.events.facts import (
    ORIGIN,
    READING,
    SNAPSHOT,
    SPEC,
    TRAINING,
    VALIDATION,
    VERSION,
    checks,
    sha,
)

SHORT = "b" * 12


def test_a_spec_that_was_registered(events_of: EventsOf) -> None:
    (event,) = events_of(develop.spec_registered(ORIGIN, SPEC, file="/include/models/churn.yml"))
    assert (event["job"]["namespace"], event["job"]["name"]) == ("mlops-test", "churn.register")
    # No run of ours wrote the file, and Marquez cannot walk over what no run wrote.
    assert event["inputs"] == []
    location = event["job"]["facets"]["sourceCodeLocation"]
    assert (location["type"], location["url"]) == ("file", "file:///include/models/churn.yml")
    assert names(event, "outputs") == ["specs/churn/aaaaaaaaaaaa"]
    assert version(event) == SPEC.digest
    assert "acceptance criteria" in event["job"]["facets"]["documentation"]["description"]


def test_a_snapshot_comes_from_the_tables_column_by_column(events_of: EventsOf) -> None:
    (event,) = events_of(develop.snapshot_taken(ORIGIN, SNAPSHOT, READING))
    assert event["job"]["name"] == f"churn.s{SHORT}.snapshot"
    assert names(event, "inputs") == ["shop.public.visits", "shop.sales.plans"]
    assert names(event, "outputs") == [f"snapshots/churn/{SHORT}"]
    assert version(event) == SNAPSHOT.sha256
    assert read(event) == {
        "version_kind": "pg_snapshot",
        "version": "10:12:",
        "columns": ["amount", "plan"],
        "lsn": "0/1A",
        "as_of": "2026-03-14T01:59:26.000000+00:00",
    }
    # The columns that decide which rows there are stand with every column that comes from one.
    join = ("shop.sales.plans", "plan", "INDIRECT", "JOIN")
    assert sources(event, "age") == [
        ("shop.public.visits", "amount", "DIRECT", "AGGREGATION"),
        join,
    ]
    assert sources(event, "plan") == [("shop.public.visits", "plan", "DIRECT", "IDENTITY"), join]
    assert sources(event, "gone") == [join]
    (output,) = event["outputs"]
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == [
        "age",
        "plan",
        "gone",
    ]
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (100, 2_048)
    assert event["job"]["facets"]["sql"]["query"] == "SELECT 1"
    nominal = facet(event, "nominalTime")
    assert nominal["nominalStartTime"].startswith("2026-01-01")
    assert nominal["nominalEndTime"].startswith("2026-03-01")


def test_the_checks_of_a_snapshot_are_tests_and_assertions(events_of: EventsOf) -> None:
    (event,) = events_of(develop.snapshot_checked(ORIGIN, checks("s"), SNAPSHOT))
    assert event["job"]["name"] == f"churn.s{SHORT}.check_data"
    assert names(event, "outputs") == [f"checks/churn/{SHORT}"]
    assert read(event)["version"] == SNAPSHOT.sha256
    asserted = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert asserted == [
        {"assertion": "enough rows", "success": True},
        {"assertion": "in range", "success": False, "column": "age"},
    ]
    assert [(item["name"], item["status"]) for item in facet(event, "test")["tests"]] == [
        ("enough rows", "pass"),
        ("in range: age", "fail"),
    ]


def test_a_model_is_trained_on_a_snapshot_by_a_spec(events_of: EventsOf, spec: Spec) -> None:
    (event,) = events_of(develop.model_trained(ORIGIN, TRAINING, SNAPSHOT, spec))
    assert event["job"]["name"] == "churn.tcccccccccccc.train"
    assert names(event, "inputs") == [f"snapshots/churn/{SHORT}", "specs/churn/aaaaaaaaaaaa"]
    assert names(event, "outputs") == ["trainings/churn/cccccccccccc"]
    assert version(event) == TRAINING.model_sha256
    assert event["outputs"][0]["facets"]["datasetType"]["datasetType"] == "MODEL"
    snapshot = f"snapshots/churn/{SHORT}"
    assert sources(event, "age") == [(snapshot, "age", "DIRECT", "IDENTITY")]
    assert [field for _, field, *_ in sources(event, "score")] == ["age", "plan", "gone"]
    assert (read(event)["rows"], read(event)["columns"]) == (100, ["age", "plan", "gone"])
    model = facet(event, "mlops_model")
    assert (model["chosen"], model["candidates"]) == ("line", ["line", "tree"])
    # A metric that could not be measured is left out; so is what is no number.
    assert model["metrics"] == [{"name": "auc", "value": 0.8}, {"name": "rows", "value": 30}]
    assert model["code"] == [{"name": "git", "value": "none"}, {"name": "python", "value": "3.11"}]
    parameters = {
        item["key"]: item["value"] for item in facet(event, "executionParameters")["parameters"]
    }
    assert parameters == {"seed": str(spec.content.develop.seed), "C": "0.1"}


def test_a_validation_that_failed_is_recorded_gate_by_gate(events_of: EventsOf, spec: Spec) -> None:
    (event,) = events_of(develop.model_validated(ORIGIN, VALIDATION, TRAINING, SNAPSHOT, spec))
    assert event["job"]["name"] == "churn.tcccccccccccc.validate"
    assert names(event, "inputs") == ["trainings/churn/cccccccccccc", f"snapshots/churn/{SHORT}"]
    assert names(event, "outputs") == ["validations/churn/cccccccccccc"]
    assert version(event) == "champion-3"
    passed, failed = facet(event, "test")["tests"]
    assert (passed["status"], passed["expected"], passed["actual"]) == ("pass", "≥ 0.7", "0.812346")
    assert "description" not in passed
    assert (failed["status"], failed["actual"], failed["description"]) == (
        "fail",
        "none",
        "too few",
    )
    evaluation = facet(event, "mlops_evaluation")
    assert (evaluation["passed"], evaluation["champion"]) == (False, 3)
    # JSON has no word for NaN, and Marquez would refuse the event.
    assert evaluation["metrics"] == [
        {"name": "auc", "value": 0.81},
        {"name": "brier", "value": None},
    ]


def test_a_version_is_packaged_from_its_training_and_its_verdict(
    events_of: EventsOf, spec: Spec
) -> None:
    (event,) = events_of(develop.version_packaged(ORIGIN, VERSION, TRAINING, SNAPSHOT, spec))
    assert event["job"]["name"] == "churn.v4.package"
    assert names(event, "inputs") == [
        "trainings/churn/cccccccccccc",
        "validations/churn/cccccccccccc",
    ]
    assert names(event, "outputs") == ["models/churn/versions/4"]
    assert version(event) == VERSION.package_digest
    assert read(event)["version"] == TRAINING.model_sha256
    for column in ("age", "plan", "score"):
        assert sources(event, column) == [
            ("trainings/churn/cccccccccccc", column, "DIRECT", "IDENTITY")
        ]
    model = facet(event, "mlops_model")
    assert (model["version"], model["package_sha256"]) == (4, sha(7))
    assert (model["snapshot_sha256"], model["tier"]) == (sha(4), "low")
    owners = {item["type"]: item["name"] for item in event["job"]["facets"]["ownership"]["owners"]}
    assert owners == {"developer": "sam", "business_owner": "bea"}


def test_each_run_says_which_task_made_it(events_of: EventsOf) -> None:
    (event,) = events_of(develop.spec_registered(ORIGIN, SPEC, file="/x.yml"))
    assert facet(event, "mlops_airflow") == {
        "dag_id": "churn_release",
        "run_id": "manual-1",
        "task_id": "step",
        "try_number": 2,
        "map_index": -1,
        "triggered_by": "dora",
    }
