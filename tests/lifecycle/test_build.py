"""From specs to DAGs: each sound one has its own, and a broken one hides no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lifecycle.conftest import Models, Parsed, Run

    Parse = Callable[[Path], Parsed]

PROJECT = Path(__file__).parents[2]
BUILD = """
import json
from pathlib import Path
from mlops.errors import SpecError
from mlops.lifecycle import build_dags, report_broken_specs

root = Path({root!r})
error = None
try:
    report_broken_specs(root)
except SpecError as raised:
    error = str(raised)
print(json.dumps([sorted(dag.dag_id for dag in build_dags(root)), error]))
"""


def ids(*models: str) -> list[str]:
    """The ids of the DAGs of models, and of the one that is written by hand."""
    phases = ("monitor", "release", "score")
    return sorted(["flight_delay_rehearsal", *(f"{m}_{p}" for m in models for p in phases)])


def of_project(models: Models) -> list[str]:
    """The models that the project itself describes."""
    return [file.stem for file in (PROJECT / "include" / "models").glob("*.yml")]


def test_the_project_s_dags_have_no_import_error_and_no_warning(
    project: Parsed, models: Models
) -> None:
    assert project.errors == {}
    assert project.warnings == {}
    assert sorted(project.dags) == ids(*of_project(models))


def test_a_spec_that_is_added_has_dags_of_its_own(parse: Parse, models: Models) -> None:
    models.add("churn")
    parsed = parse(models.root)
    assert parsed.errors == {}
    assert sorted(parsed.dags) == ids("churn", *of_project(models))
    for phase in ("release", "score", "monitor"):
        one = json.dumps(parsed.dags[f"churn_{phase}"].content)
        other = json.dumps(parsed.dags[f"flight_delay_{phase}"].content)
        assert "churn" not in other
        assert one.count("churn") >= 5


def test_parsed_again_a_dag_is_the_same(parse: Parse, project: Parsed) -> None:
    """Airflow makes a new DAG version of anything that differs."""
    assert parse(PROJECT / "include") == project


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(
            "  use: >-",
            "  colour: red\n  use: >-",
            "manage.colour: unknown key; remove it or correct its spelling",
            id="unknown key",
        ),
        pytest.param("model: churn", "model: [churn", "is not YAML: ", id="not YAML"),
        pytest.param("model: churn", "? [a]\n: b", "is not YAML: the key ", id="a list as a key"),
        pytest.param(
            "origin: {kind: categorical",
            "origin:\n    dest2: {kind: categorical",
            "develop.features.origin: a feature is numeric or categorical",
            id="a feature that is nothing",
        ),
        pytest.param(
            "policy: standard",
            "policy: standard\n  schedule: whenever",
            "deploy.schedule: 'whenever' is no schedule",
            id="a schedule in words",
        ),
    ],
)
def test_a_broken_spec_hides_no_other_and_is_named_with_its_line(
    parse: Parse, models: Models, old: str, new: str, sentence: str
) -> None:
    file = models.add("churn")
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    parsed = parse(models.root)
    assert sorted(parsed.dags) == ids(*of_project(models))
    assert list(parsed.errors) == ["broken_specs.py"]
    error = parsed.errors["broken_specs.py"]
    assert "SpecError: " in error
    named = [line for line in error.splitlines() if line.startswith(f"{file}:")]
    assert len(named) == 1
    place, _, rest = named[0].partition(": ")
    assert int(place.rpartition(":")[2]) >= 1
    assert rest.startswith(sentence)


def test_bytes_and_sql_that_cannot_be_read_hide_no_other(parse: Parse, models: Models) -> None:
    models.file("latin").write_bytes(b"model: latin\ntitle: caf\xe9\n")
    models.add("churn")
    (models.root / "sql" / "churn" / "kpi.sql").write_bytes(b"SELECT '\xe9' AS value")
    (models.root / "sql" / "churn" / "outcomes.sql").unlink()
    parsed = parse(models.root)
    assert sorted(parsed.dags) == ids(*of_project(models))
    error = parsed.errors["broken_specs.py"]
    assert f"{models.file('latin')}:2: is not UTF-8" in error
    assert f"{models.root}/sql/churn/kpi.sql:1: is not UTF-8" in error
    assert "names the SQL file outcomes.sql; found " in error


def test_all_broken_specs_are_in_one_error(run_airflow: Run, models: Models) -> None:
    models.add("churn", {"exposure: medium": "exposure: huge", "seed: 13": "seed: lucky"})
    models.add("fraud", {"policy: standard": "policy: unwritten"})
    found, error = run_airflow(BUILD.format(root=str(models.root)))
    assert found == [name for name in ids(*of_project(models)) if "rehearsal" not in name]
    exposure, seed, policy = error.strip().splitlines()
    assert exposure.startswith(f"{models.file('churn')}:")
    assert "manage.exposure: input should be 'low', 'medium' or 'high'; found 'huge'" in exposure
    assert "develop.seed: input should be a valid integer" in seed
    assert f"{models.root}/policies/unwritten.yml: cannot be read" in policy


def test_sound_specs_give_no_error(run_airflow: Run, models: Models) -> None:
    found, error = run_airflow(BUILD.format(root=str(models.root)))
    assert error is None
    assert len(found) == 3 * len(of_project(models))


def test_a_policy_that_lets_nobody_sign_gives_no_dag(run_airflow: Run, models: Models) -> None:
    """Never an open gate: without a tier, or with a seat that nobody holds, there is no release."""
    policy = models.root / "policies" / "standard.yml"
    sound = policy.read_text()
    policy.write_text(sound.replace("users: [bea]", "users: []"))
    found, error = run_airflow(BUILD.format(root=str(models.root)))
    assert found == []
    assert "seat 'business_owner' needs 1 different people and names 0" in error
    policy.write_text(sound.partition("  - name: medium")[0])
    found, error = run_airflow(BUILD.format(root=str(models.root)))
    assert found == []
    assert "policy 'standard' has no tier for model 'flight_delay'" in error


def test_without_a_setting_the_include_folder_lies_beside_the_dags(
    run_airflow: Run, models: Models
) -> None:
    code = (
        "import json; from mlops.lifecycle import build_dags; print(json.dumps(len(build_dags())))"
    )
    dags = models.root.parent / "dags"
    assert run_airflow(code, AIRFLOW__CORE__DAGS_FOLDER=str(dags)) == 3 * len(of_project(models))


def test_an_include_folder_without_specs_gives_no_dags(parse: Parse, tmp_path: Path) -> None:
    parsed = parse(tmp_path / "nothing")
    assert list(parsed.dags) == ["flight_delay_rehearsal"]
    assert parsed.errors == {}
