"""``check``: what a person wrote, said to be sound or told line by line; no database needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.life import PROJECT
from tests.fixtures.shell import mlops


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """The project's include folder with the second model that the README adds."""
    root = tmp_path / "include"
    shutil.copytree(PROJECT / "demo" / "include", root)
    shutil.copytree(PROJECT / "docs" / "example", root, dirs_exist_ok=True)
    return root


def edit(file: Path, old: str, new: str) -> None:
    """Replace a piece of text that stands once in a file."""
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_the_project_s_model_and_the_example_are_sound(include: Path) -> None:
    answer = mlops("check", "--include", include)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "2 specs, 1 policies: all sound\n"


def test_a_model_that_nobody_could_sign_is_named(include: Path) -> None:
    edit(include / "policies/standard.yml", "users: [lin]", "users: [Sam]")
    answer = mlops("check", "--include", include)
    assert (answer.code, answer.out) == (1, "")
    assert "policy 'standard' names too few people to sign model 'flight_delay'" in answer.err
    assert "lead_data_scientist needs 1 and has none" in answer.err
    assert "without the developer sam, who cannot sign" in answer.err


def test_earlier_names_of_keys_are_read_with_one_line_a_file(include: Path) -> None:
    file = include / "policies/standard.yml"
    file.write_text(file.read_text().replace("attests:", "signs:"))
    answer = mlops("check", "--include", include)
    assert (answer.code, answer.out) == (0, "2 specs, 1 policies: all sound\n")
    (line,) = answer.err.splitlines()
    assert line.startswith(f"{file}:10: keys have new names, write 'attests' for 'signs'; ")


def test_every_error_in_every_file_is_said_at_once(include: Path) -> None:
    edit(include / "models/flight_delay.yml", "  exposure: medium ", "  exposure: huge   ")
    edit(include / "models/flight_delay.yml", "  seed: 13\n", "  sed: 13\n")
    edit(include / "sql/cancellation/features.sql", "    a.origin,\n", "")
    edit(include / "sql/cancellation/outcomes.sql", " AS cancelled", " AS canceled")
    edit(include / "policies/standard.yml", "users: [lin]", "users: []")
    answer = mlops("check", "--include", include)
    assert (answer.code, answer.out) == (1, "")
    lines = answer.err.replace(f"{include}/", "").splitlines()
    places = [line.partition(": ")[0] for line in lines]
    spec = (include / "models/flight_delay.yml").read_text().splitlines()
    number = {
        word: next(i for i, line in enumerate(spec, 1) if word in line) for word in ("huge", "sed:")
    }
    assert set(places) == {
        f"models/flight_delay.yml:{number['huge']}",
        f"models/flight_delay.yml:{number['sed:']}",
        "sql/cancellation/features.sql",
        "sql/cancellation/outcomes.sql",
        *(place for place in places if place.startswith("policies/standard.yml:")),
    }
    said = "\n".join(lines)
    assert "manage.exposure" in said and "'huge'" in said and "'medium'" in said
    assert "develop.sed: unknown key; remove it or correct its spelling" in said
    assert "the query does not return origin" in said
    assert "the query does not return cancelled; found flight_id, canceled" in said
    assert "seat 'lead_data_scientist' needs 1 different people and names 0" in said
    assert len(lines) == len(set(lines)) == 5


def test_a_folder_without_a_spec_is_not_sound(tmp_path: Path) -> None:
    answer = mlops("check", "--include", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"{tmp_path}/models: no spec found; expected at least one .yml or .yaml file\n"
    )


@pytest.mark.airflow
def test_the_folder_is_the_configured_one_unless_it_is_named(include: Path, tmp_path: Path) -> None:
    answer = mlops(
        "check", AIRFLOW__MLOPS__INCLUDE_FOLDER=str(include), AIRFLOW_HOME=str(tmp_path / "home")
    )
    assert (answer.code, answer.out) == (0, "2 specs, 1 policies: all sound\n")


def test_checking_needs_neither_airflow_nor_a_driver(include: Path) -> None:
    # A pipeline of another project's CI may run it in seconds, without an Airflow of its own.
    program = (
        "import sys; from mlops.cli.main import main; "
        f"code = main(['check', '--include', {str(include)!r}]); "
        "heavy = {'airflow', 'sklearn', 'pandas', 'adbc_driver_postgresql'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
