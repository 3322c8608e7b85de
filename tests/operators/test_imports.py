"""Where DAGs that people write by hand import operators from."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from mlops import operators
from mlops.operators import earlier_imports
from mlops.operators.earlier_imports import EARLIER_MODULES, DeprecatedImport
from mlops.operators.governance import GovernanceOperator, ReviewOperator
from mlops.operators.registry import OPERATORS

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run


@pytest.fixture(autouse=True)
def _each_file_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_imports, "_WARNED", set())


def test_every_operator_of_the_registry_is_imported_from_one_place() -> None:
    of_the_library = {name: OPERATORS.get(name) for name in OPERATORS.built_in_names()}
    expected = {
        name: item for name, item in of_the_library.items() if "sensors" not in item.__module__
    }
    assert "TrainOperator" in expected
    assert {name: getattr(operators, name) for name in operators.__all__} == expected
    assert set(operators.__all__) <= set(dir(operators))


def test_a_name_that_is_unknown_is_refused_as_any_other() -> None:
    with pytest.raises(AttributeError, match=r"module 'mlops\.operators' has no attribute 'Trai'"):
        operators.Trai  # noqa: B018
    with pytest.raises(ImportError, match=r"cannot import name 'Trai' from 'mlops\.operators'"):
        exec("from mlops.operators import Trai")
    with pytest.raises(ImportError, match="cannot import name 'Trai'"):
        exec("from mlops.operators.train import Trai")


def test_a_dag_loads_only_the_operators_that_it_names(run_airflow: Run) -> None:
    found = run_airflow(
        "import json, sys\n"
        "import mlops.operators\n"
        "mine = lambda: sorted(n for n in sys.modules if n.startswith('mlops.operators.')\n"
        "    and getattr(sys.modules[n], '__file__', None))\n"
        "first = [mine(), 'airflow' in sys.modules]\n"
        "from mlops.operators import ScoreOperator\n"
        "print(json.dumps([*first, 'mlops.operators.release' in mine(),\n"
        "    'mlops.operators.scoring' in mine()]))"
    )
    light = ["mlops.operators.earlier_imports", "mlops.operators.registry"]
    assert found == [light, False, False, True]


@pytest.mark.parametrize(
    ("module", "name", "current"),
    [
        ("intake", "IntakeOperator", "mlops.operators.release"),
        ("score", "ScoreOperator", "mlops.operators.scoring"),
        ("alarm", "AlarmOperator", "mlops.operators.monitoring"),
        ("workspace", "open_workspace", "mlops.connections"),
        ("moments", "window", "mlops.operators.run_params"),
    ],
)
def test_a_path_of_0_1_0_gives_what_is_elsewhere_now(module: str, name: str, current: str) -> None:
    imported: dict[str, object] = {}
    with pytest.warns(DeprecatedImport, match=rf"write 'from \S+ import {name}'"):
        exec(f"from mlops.operators.{module} import {name}", imported)
    assert imported[name] is getattr(import_module(current), name)
    assert getattr(operators, module) is sys.modules[f"mlops.operators.{module}"]


def test_no_module_of_today_has_the_name_of_an_earlier_one() -> None:
    for name in EARLIER_MODULES:
        assert not hasattr(sys.modules[f"mlops.operators.{name}"], "__file__"), name


def test_a_file_is_warned_of_once() -> None:
    text = (
        "from mlops.operators.train import TrainOperator\n"
        "from mlops.operators.intake import IntakeOperator\n"
    )
    with pytest.warns(DeprecatedImport) as seen:
        exec(compile(text, "/dags/one.py", "exec"))
        exec(compile(text, "/dags/two.py", "exec"))
    assert [(item.filename, str(item.message).partition(":")[0]) for item in seen] == [
        ("/dags/one.py", "/dags/one.py"),
        ("/dags/two.py", "/dags/two.py"),
    ]


def test_a_step_of_all_models_is_an_operator_of_its_own() -> None:
    with pytest.warns(DeprecatedImport, match="import ReviewOperator"):
        task = GovernanceOperator(step="review", task_id="reviews")
    assert isinstance(task, ReviewOperator)
    with pytest.raises(ValueError, match="step 'audit': expected one of verify_ledger, review"):
        GovernanceOperator(step="audit", task_id="audit")
