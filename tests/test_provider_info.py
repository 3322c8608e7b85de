"""What Airflow reads of the distribution agrees with its schema and with the settings."""

from __future__ import annotations

import ast
import json
from importlib.metadata import version
from pathlib import Path

import airflow
import jsonschema
from packaging.requirements import Requirement
from packaging.version import Version

import mlops
from mlops.provider_info import get_provider_info

PROJECT = Path(__file__).parents[1]


def test_it_fits_airflow_s_schema() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)
    options = get_provider_info()["config"]["mlops"]["options"]
    for name, option in options.items():
        jsonschema.validate(option, schema["definitions"]["option"]), name


def test_its_options_are_the_settings() -> None:
    tree = ast.parse((PROJECT / "plugins" / "mlops" / "settings.py").read_text())
    settings = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    options = get_provider_info()["config"]["mlops"]["options"]
    assert sorted(options) == sorted(name for name in settings if not name.startswith("_"))
    assert [name for name, option in options.items() if option["sensitive"]] == ["marquez_api_key"]


def test_it_imports_nothing_but_the_package_s_name_and_version() -> None:
    tree = ast.parse((PROJECT / "plugins" / "mlops" / "provider_info.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "typing", "mlops"}


def test_the_pinned_versions_satisfy_what_the_distribution_asks_for() -> None:
    """requirements.txt is what the tests run with; pyproject.toml is what users are asked for."""
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(text) for text in project["dependencies"]]
    for extra, texts in project["optional-dependencies"].items():
        if extra != "all":
            asked += [Requirement(text) for text in texts]
    pins = dict(
        line.partition("==")[::2]
        for line in (PROJECT / "requirements.txt").read_text().splitlines()
        if "==" in line and not line.startswith(("#", " "))
    )
    pins = {name.partition("[")[0].lower().replace("_", "-"): pin for name, pin in pins.items()}
    assert len(asked) > 20
    for requirement in asked:
        name = requirement.name.lower()
        assert requirement.specifier.contains(pins[name]), requirement
        assert Version(version(name)) == Version(pins[name]), requirement
        assert all(part.operator == ">=" for part in requirement.specifier), requirement


def test_the_version_has_one_place() -> None:
    assert get_provider_info()["versions"] == [mlops.__version__]
    text = (PROJECT / "pyproject.toml").read_text()
    assert 'version = { attr = "mlops.__version__" }' in text
    assert f'"{mlops.__version__}"' not in text
