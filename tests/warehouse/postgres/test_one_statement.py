"""The verdict "one statement that only reads" against a real Postgres, on generated texts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import ExecStatus, TransactionStatus

from mlops.errors import MlopsError, QueryError
from mlops.warehouse.postgres.describe import prepare_reading
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.session import Connection, connected

# A thorough run takes 50,000.
EXAMPLES = int(os.environ.get("MLOPS_FUZZ_EXAMPLES", "1000"))
WHOLE = [
    "SELECT 1 AS a", "SELECT a FROM t", "COMMIT", "INSERT INTO t VALUES (2) RETURNING a",
    "DELETE FROM t", "CREATE TABLE made (a int)", "SELECT a INTO made FROM t", "VALUES (1)",
    "WITH w AS (DELETE FROM t RETURNING a) SELECT a FROM w", "SHOW search_path", "TABLE t",
    "SET search_path = x", "SELECT a FROM t FOR UPDATE", "EXPLAIN ANALYZE DELETE FROM t",
]  # fmt: skip
PARTS = [
    *WHOLE, ";", ";", "--", "/*", "*/", "'", "''", '"', "$$", "$a$", "E'", "U&'", "\\", "\\'", "\n",
    "+", "-", "<", ">", "*", "/", "@", "#", "|", "~", "!", "?", "(", ")", ",", ":", "::int", "1",
    "SELECT", "FROM", "t", "a", "AS", "UNION", " ", "e", "x", "\r", "\t", "é", "{", "}", "@-@",
    "->", "||/", "<->", "AT LOCAL", "0xff",
]  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map("".join),
    st.tuples(
        st.sampled_from(WHOLE),
        st.lists(st.sampled_from(PARTS), max_size=5).map("".join),
        st.sampled_from(WHOLE),
        st.lists(st.sampled_from(PARTS), max_size=2).map("".join),
    ).map("".join),
)


@pytest.fixture(scope="module")
def connection(module_database: str) -> Iterator[Connection]:
    """A connection to a database with one table of one row."""
    with psycopg.connect(module_database, autocommit=True) as admin:
        admin.execute("CREATE TABLE t AS SELECT 1 AS a")
    with connected(module_database) as found:
        yield found


def passes_postgres(connection: Connection, text: str) -> bool:
    """The verdict that each text gets before it runs."""
    try:
        with connection.transaction(force_rollback=True):
            prepare_reading(connection, text)
    except (MlopsError, psycopg.Error):
        return False
    return True


def passes_check(text: str) -> bool:
    """The verdict without a database."""
    try:
        POSTGRES.check(text, (), Path("file.sql"))
    except MlopsError:
        return False
    return True


def run_whole(connection: Connection, text: str) -> tuple[list[int], bool]:
    """Run a text as one message that may hold several statements; what came, and what was left.

    :return: the status of each result, and whether the transaction went on without writing.
    """
    with connection.transaction(force_rollback=True):
        with connection.sql_file_names():
            connection.pgconn.send_query(text.encode())
            statuses = []
            while (result := connection.pgconn.get_result()) is not None:
                statuses.append(result.status)
        goes_on = connection.pgconn.transaction_status == TransactionStatus.INTRANS
        assert goes_on, "an accepted text ended or broke its transaction"
        row = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NULL").fetchone()
        return statuses, bool(row and row[0])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(text=TEXTS)
def test_a_text_that_passes_is_one_statement_that_only_reads(
    connection: Connection, text: str
) -> None:
    if "FOR UPDATE" in text or not passes_postgres(connection, text):
        return
    assert run_whole(connection, text) == ([ExecStatus.TUPLES_OK], True)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=TEXTS)
def test_what_passes_without_a_database_is_never_two_statements(
    connection: Connection, text: str
) -> None:
    """Postgres may refuse it; it never runs as more than one statement."""
    if not passes_check(text):
        return
    with connection.transaction(force_rollback=True):
        found = connection.pgconn.prepare(b"", POSTGRES.statement(text).encode())
        message = found.error_message.decode()
    assert "multiple commands" not in message


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("SELECT a FROM t -- x", True),
        ("WITH w AS (SELECT a FROM t) TABLE w", True),
        ("SELECT now() AT LOCAL AS a", None),
        ("COMMIT", False),
        ("(\n", False),
        ("SELECT 1; SELECT 2", False),
        ("SELECT 1) AS a; COMMIT; SELECT 2 FROM (SELECT 1", False),
        ("DELETE FROM t RETURNING a", False),
        ("WITH w AS (DELETE FROM t RETURNING a) SELECT a FROM w", False),
        ("SELECT a INTO made FROM t", False),
        ("SHOW search_path", False),
        ("EXPLAIN ANALYZE DELETE FROM t", False),
    ],
)
def test_what_passes(connection: Connection, text: str, passes: bool | None) -> None:
    expected = passes
    if passes is None:  # new in Postgres 17
        expected = connection.info.server_version >= 170000
    assert passes_postgres(connection, text) == expected


@pytest.mark.parametrize("operator", ["+", "*", "@-", "||/", "<-", "->", "/", "#>>"])
@pytest.mark.parametrize("comment", ["--", "/*"])
def test_a_comment_right_behind_an_operator_is_refused(operator: str, comment: str) -> None:
    text = f"SELECT 1 {operator}{comment} x\n; COMMIT; SELECT 2 */"
    with pytest.raises(QueryError):
        POSTGRES.statement(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 ---- a line\n",
        "SELECT 1 /** a block **/ + 2",
        "SELECT '+--' AS \"*/*\"",
        "-- a line\nSELECT $$ +/* $$ AS a",
    ],
)
def test_other_comments_stay(text: str) -> None:
    assert POSTGRES.statement(text).split() == text.split("----", maxsplit=1)[0].split()
