"""The stored words have one home, and the page on the ledger explains each action."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mlops import vocabulary
from mlops.store.tables import Base
from mlops.vocabulary import LedgerAction

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "plugins" / "mlops"
SOURCES = [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "vocabulary.py"]
PAGE = (PROJECT / "docs" / "ledger.md").read_text()


def table(title: str) -> list[list[str]]:
    """The rows of a table of the page, without its head."""
    (text,) = [part for part in PAGE.split("\n## ") if part.startswith(title)]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines][1:]


def test_the_page_explains_each_action_and_none_else() -> None:
    rows = table("Actions")
    assert [row[0] for row in rows] == [f"`{action}`" for action in LedgerAction]
    tables = {table.name for table in Base.metadata.sorted_tables}
    for action, fact, meaning in rows:
        assert not fact or fact.strip("`") in tables, action
        assert len(meaning) > 30, action


def test_each_action_is_written_somewhere_and_none_is_typed_by_hand() -> None:
    used = set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "LedgerAction":
                used.add(node.attr)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in set(LedgerAction), f"{file}:{node.lineno}: {node.value}"
    assert used == set(LedgerAction.__members__)


def test_no_subject_is_put_together_elsewhere() -> None:
    by_hand = re.compile(r"""f["'][^"']*\}/(?:v|spec/|snapshot/|training/)\{""")
    allowed = 'f"reports/'  # a folder for people, and not a subject
    found = [
        f"{file.name}: {line.strip()}"
        for file in SOURCES
        for line in file.read_text().splitlines()
        if by_hand.search(line) and allowed not in line
    ]
    assert found == []


def test_subjects_are_written_as_they_always_were() -> None:
    digest = "0123456789abcdef" * 4
    assert vocabulary.version_subject("churn", 3) == "churn/v3"
    assert vocabulary.spec_subject("churn", digest) == "churn/spec/0123456789ab"
    assert vocabulary.snapshot_subject("churn", digest) == "churn/snapshot/0123456789ab"
    assert vocabulary.training_subject("churn", digest) == "churn/training/0123456789ab"
    assert vocabulary.batch_subject("churn", "2013-07", 3, by_rule=False) == "churn/2013-07/v3"
    assert vocabulary.batch_subject("churn", "2013-07", 3, by_rule=True) == "churn/2013-07/v3/rule"
    assert vocabulary.case_subject("churn", 3, "drift") == "churn/v3/drift"
    assert vocabulary.run_subject("churn_control", "r1") == "churn_control/r1"
    assert vocabulary.task_subject("churn_release", "r1", "deploy") == "churn_release/r1/deploy"
    assert vocabulary.reassignment_subject("bea", "zoe") == "bea to zoe"
