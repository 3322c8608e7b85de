"""What a contributor and the workflows run is what ``make`` runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))


def test_pre_commit_runs_the_checks_of_make_lint_and_make_types() -> None:
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    recipes = re.findall(r"^(?:lint|types):.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    made = [line.strip() for recipe in recipes for line in recipe.splitlines()]
    wanted = [line.replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in made]
    assert len(wanted) == 4
    ours = [entry.replace(" --force-exclude", "") for entry in entries]
    assert sorted(ours) == sorted(
        line.replace("format --check", "format --check") for line in wanted
    )


def test_pre_commit_accepts_its_configuration() -> None:
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"],
        cwd=PROJECT,
        check=True,
    )


def test_workflows_and_guides_name_targets_that_are_there() -> None:
    files = [
        *PROJECT.glob(".github/**/*.yml"),
        *PROJECT.glob("*.md"),
        *PROJECT.glob(".github/*.md"),
    ]
    assert len(files) > 8
    for file in files:
        shown = re.findall(r"(?:`|run: |^)make ([a-z]+)", file.read_text(), re.M)
        assert set(shown) <= TARGETS, file.name


def test_workflows_are_yaml_and_ask_for_no_more_than_they_need() -> None:
    files = list(PROJECT.glob(".github/workflows/*.yml"))
    assert {file.stem for file in files} == {"test", "release"}
    for file in files:
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {"contents": "read"}


def test_the_matrix_is_what_the_distribution_promises() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "test.yml").read_text())
    tested = workflow["jobs"]["quick"]["strategy"]["matrix"]["python"]
    promised = re.findall(r"Python :: (3\.\d+)", (PROJECT / "pyproject.toml").read_text())
    assert tested == promised
