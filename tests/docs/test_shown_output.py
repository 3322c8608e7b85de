"""Commands whose output a page shows print that output."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.docs.blocks import Block, blocks
from tests.fixtures.life import Lived
from tests.fixtures.shell import mlops

DEMO = "$ .venv/bin/python -m demo mlops "
ASKED = [block for block in blocks("console") if block.text.startswith(DEMO)]

pytestmark = pytest.mark.airflow


def test_airflow_s_own_commands_are_understood_by_airflow() -> None:
    from airflow.cli.cli_parser import get_parser

    shown = [
        line.removeprefix("$ ")
        for block in blocks("sh", "console")
        for line in block.text.splitlines()
        if re.match(r"(\$ )?airflow ", line)
    ]
    assert shown
    for line in shown:
        get_parser().parse_args(line.split()[1:])


def test_the_upgrade_of_the_store_prints_what_the_pages_show(database: str) -> None:
    with psycopg.connect(database) as connection:
        role = "docs_tasks"
        connection.execute(f"CREATE ROLE {role}".encode())
    try:
        answer = mlops("db", "upgrade", "--url", database, "--task-role", role)
    finally:
        with psycopg.connect(database) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert answer.code == 0, answer.err
    printed = answer.out.strip().replace(role, "mlops_tasks")
    shown = [
        line
        for block in blocks("console")
        for line in block.text.splitlines()
        if line.startswith("schema mlops is at revision")
    ]
    assert shown
    for line in shown:
        assert re.fullmatch(re.escape(line).replace("…", r"\d{4}"), printed), printed


@pytest.mark.parametrize("block", ASKED, ids=str)
def test_what_the_store_answers_is_what_the_page_shows(block: Block, lived: Lived) -> None:
    """Of the life of flight_delay; numbers differ, since the tests score weeks, and not months."""
    first, _, shown = block.text.partition("\n")
    words = first.removeprefix(DEMO).replace("2013-07/", "2013-W27/").split()
    answer = mlops(*words, "--url", lived.life.workspace.store.libpq_url)
    assert answer.code == 0, answer.err
    assert shown
    assert re.fullmatch(_pattern(shown), _without_numbers(answer.out)), answer.out


def _without_numbers(text: str) -> str:
    """Any number, any digest and any week or month as ``0``."""
    return re.sub(r"[0-9a-f]{12,}|\d{4}-W\d\d|\d[\d,]*(?:-\d+)*", "0", text)


def _pattern(shown: str) -> str:
    """What the page shows, as an expression: an ellipsis is any text, or any lines."""
    lines = []
    for line in _without_numbers(shown).splitlines():
        text = re.escape(line).replace("…", ".*")
        lines.append(r"(?:.*\n)*" if line == "…" else f"{text}\n")
    return "".join(lines)
