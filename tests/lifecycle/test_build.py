"""From specs to DAGs: each sound one has its own, and a broken one hides no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run
    from tests.lifecycle.conftest import Models, Parsed

    Parse = Callable[[Path], Parsed]

PROJECT = Path(__file__).parents[2]
BUILD = """
import json
from pathlib import Path
from mlops.errors import SpecError
from mlops.lifecycle import build_dags, report_broken_specs

def build(root):
    error = None
    try:
        report_broken_specs(root)
    except SpecError as raised:
        error = str(raised)
    return sorted(dag.dag_id for dag in build_dags(root)), error

print(json.dumps([build(Path(root)) for root in {roots!r}]))
"""
BROKEN = {
    "unknown_key": (
        "  use: >-",
        "  colour: red\n  use: >-",
        "manage.colour: unknown key; remove it or correct its spelling.",
    ),
    "no_yaml": ("develop:\n", "develop: [\n", "is not YAML: "),
    "list_as_key": ("develop:\n", "? [a]\n: b\ndevelop:\n", "is not YAML: the key "),
    "deep": ("seed: 13", "seed: " + "[" * 100_000, "is not YAML: more than 50 levels"),
    "no_bool": ("seed: 13", "seed: !!bool perhaps", "is not YAML: no tag:yaml.org,2002:bool"),
    "empty_feature": (
        "origin: {kind: categorical",
        "origin:\n    dest2: {kind: categorical",
        "develop.features.origin: a feature is numeric or categorical",
    ),
    "no_schedule": (
        "policy: standard",
        "policy: standard\n  schedule: whenever",
        "deploy.schedule: 'whenever' is not a schedule",
    ),
    "no_file": (
        "outcomes_sql: outcomes.sql",
        "outcomes_sql: lost.sql",
        "names the SQL file lost.sql; found ",
    ),
}


def of_model(dags: Iterable[str], model: str) -> set[str]:
    """The ids of the DAGs that a spec gave, with ``{}`` for the model's name."""
    made = {name for name in dags if name.startswith(f"{model}_")} - {f"{model}_rehearsal"}
    return {name.replace(model, "{}", 1) for name in made}


def test_the_project_s_dags_have_no_import_error_and_no_warning(project: Parsed) -> None:
    assert project.errors == {}
    assert project.warnings == {}
    for file in (PROJECT / "demo" / "include" / "models").glob("*.yml"):
        assert of_model(project.dags, file.stem) >= {"{}_release", "{}_score", "{}_monitor"}


def test_a_spec_that_is_added_has_dags_of_its_own_and_changes_no_other(
    parse: Parse, models: Models, project: Parsed
) -> None:
    """Airflow makes a new DAG version of anything that differs, also from process to process."""
    models.add("churn")
    parsed = parse(models.root)
    assert parsed.errors == {}
    assert of_model(parsed.dags, "churn") == of_model(project.dags, "flight_delay")
    for name, dag in parsed.dags.items():
        if name.startswith("churn_"):
            assert json.dumps(dag.content["tasks"]).count('"model": "churn"') == len(dag.tasks)
        else:
            assert dag == project.dags[name]


def test_broken_specs_hide_no_other_and_are_named_with_their_lines(
    parse: Parse, models: Models, project: Parsed
) -> None:
    for model, (old, new, _) in BROKEN.items():
        models.add(model, {old: new})
    models.file("latin").write_bytes(b"model: latin\ntitle: caf\xe9\n")
    models.add("sound")
    models.add("two_faults", {"exposure: medium": "exposure: huge", "seed: 13": "seed: lucky"})
    models.add("unsigned", {"policy: standard": "policy: unwritten"})
    parsed = parse(models.root)
    assert of_model(parsed.dags, "sound") == of_model(project.dags, "flight_delay")
    assert set(parsed.dags) == set(project.dags) | {
        name.format("sound") for name in of_model(project.dags, "flight_delay")
    }
    assert list(parsed.errors) == ["broken_specs.py"]
    error = parsed.errors["broken_specs.py"]
    for model, (_, _, sentence) in BROKEN.items():
        (line,) = [line for line in error.splitlines() if f"/{model}.yml:" in line]
        place, _, rest = line.partition(": ")
        file, _, number = place.rpartition(":")
        assert file == str(models.file(model))
        assert rest.startswith(sentence)
        assert 1 < int(number) <= len(models.file(model).read_text().splitlines())
    assert f"{models.file('latin')}:2: is not UTF-8" in error
    assert error.count("/two_faults.yml:") == 2
    assert f"{models.root}/policies/unwritten.yml: cannot be read" in error


def test_all_that_is_broken_is_one_error_of_ours(run_airflow: Run, models: Models) -> None:
    models.add("churn", {"exposure: medium": "exposure: huge", "seed: 13": "seed: lucky"})
    roots = [PROJECT / "demo" / "include", models.root / "nothing", models.root]
    (sound, no_error), nothing, (found, error) = run_airflow(
        BUILD.format(roots=list(map(str, roots)))
    )
    assert sound
    assert no_error is None
    assert nothing == [[], None]
    assert found == sound
    exposure, seed = error.strip().splitlines()
    assert exposure.startswith(f"{models.file('churn')}:")
    assert "manage.exposure: input should be 'low', 'medium' or 'high'; found 'huge'" in exposure
    assert "develop.seed: input should be a valid integer" in seed


def test_a_policy_that_lets_nobody_sign_gives_no_dag(run_airflow: Run, models: Models) -> None:
    """Never an open gate: with a seat that nobody holds, or without a tier, there is no release."""
    other = shutil.copytree(models.root, models.root.parent / "other")
    text = (models.root / "policies" / "standard.yml").read_text()
    (models.root / "policies" / "standard.yml").write_text(
        text.replace("users: [bea]", "users: []")
    )
    (other / "policies" / "standard.yml").write_text(text.partition("  - name: medium")[0])
    empty, none = run_airflow(BUILD.format(roots=[str(models.root), str(other)]))
    assert empty[0] == none[0] == []
    assert "seat 'business_owner' needs 1 different people and names 0" in empty[1]
    assert "policy 'standard' has no tier for model 'flight_delay'" in none[1]


def test_without_a_setting_the_include_folder_lies_beside_the_dags(
    run_airflow: Run, models: Models, project: Parsed
) -> None:
    code = (
        "import json; from mlops.lifecycle import build_dags\n"
        "print(json.dumps([dag.dag_id for dag in build_dags()]))"
    )
    dags = models.root.parent / "dags"
    found = run_airflow(code, AIRFLOW__CORE__DAGS_FOLDER=str(dags))
    assert of_model(found, "flight_delay") == of_model(project.dags, "flight_delay")


ONE = """
import json, sys
from pathlib import Path
from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager
from mlops.lifecycle import build_dags
from mlops.spec.load import Include

read = []
read_spec = Include.read_spec
Include.read_spec = lambda self, file: (read.append(file.stem), read_spec(self, file))[1]

def build(dag_id):
    read.clear()
    with _airflow_parsing_context_manager(dag_id=dag_id, task_id="any"):
        dags = build_dags(Path({root!r}))
    return [dag.dag_id for dag in dags], list(read)

print(json.dumps({{dag_id: build(dag_id) for dag_id in {dag_ids!r}}}))
"""


def test_a_task_builds_its_own_dag_only_and_reads_one_spec(
    models: Models, run_airflow: Run
) -> None:
    """With a thousand models, each task would otherwise read a thousand specs at its start."""
    models.add("churn")
    models.add("churn_release", {"  use: >-": "  colour: red\n  use: >-"})
    own = ["churn_release", "churn_score", "churn_monitor", "churn_control"]
    others = ["churn_release_score", "lost_score", "mlops_governance", "churn", ""]
    found = run_airflow(ONE.format(root=str(models.root), dag_ids=own + others))
    for dag_id in own:
        assert found[dag_id] == [[dag_id], ["churn"]]
    # The spec of this one is broken, and nothing else is read in its place.
    assert found["churn_release_score"] == [[], ["churn_release"]]
    for dag_id in ("lost_score", "mlops_governance", "churn"):
        assert found[dag_id] == [[], []]


def test_the_dag_that_a_task_builds_is_the_one_that_airflow_knows(
    models: Models, parse: Parse, run_airflow: Run
) -> None:
    models.add("churn")
    known = parse(models.root)
    code = (
        "import json\n"
        "from airflow.sdk.definitions._internal.dag_parsing_context import (\n"
        "    _airflow_parsing_context_manager as context)\n"
        "from airflow.serialization.serialized_objects import DagSerialization\n"
        "from pathlib import Path\n"
        "from mlops.lifecycle import build_dags\n"
        "with context(dag_id='churn_score', task_id='score'):\n"
        f"    (dag,) = build_dags(Path({str(models.root)!r}))\n"
        "tasks = DagSerialization.to_dict(dag)['dag']['tasks']\n"
        "print(json.dumps([task['__var']['task_id'] for task in tasks]))\n"
    )
    assert sorted(run_airflow(code)) == sorted(known.dags["churn_score"].tasks)
