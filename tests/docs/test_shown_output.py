"""Commands whose output a page shows print that output."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.docs.blocks import blocks
from tests.fixtures.shell import mlops

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
    assert set(shown) == {printed}
