"""Parameters, the static check, and what is wrapped around people's SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import QueryError, SpecError
from mlops.warehouse.postgres.dialect import POSTGRES

START = datetime(2013, 1, 1, tzinfo=UTC)
FILE = Path("demo/include/sql/flight_delay/features.sql")


def test_a_moment_becomes_a_literal_in_utc():
    east = datetime(2013, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert POSTGRES.render("SELECT :as_of", {"as_of": east}) == (
        "SELECT '2013-01-01 00:00:00.000000+00:00'::timestamptz"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a::int",
        "SELECT ':n'",
        "SELECT E'it\\'s :n'",
        "SELECT $$ :n $$, $t$ :n $t$",
        'SELECT "a:n"',
        "SELECT 1 -- :n",
        "SELECT 1 /* :n /* :n */ :n */",
        "SELECT a[1:n]",
        "SELECT a[lo:hi]",
        "SELECT a[1 : n]",
        "SELECT f(a := 1)",
        "SELECT '\u00e9:n' AS \"\u00fc:n\"",
        "",
    ],
)
def test_what_only_looks_like_a_parameter_is_left_alone(sql):
    assert POSTGRES.render(sql, {"n": 7}) == sql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :n", "SELECT (7)"),
        ("SELECT -:n", "SELECT -(7)"),
        ("SELECT :n::float8", "SELECT (7)::float8"),
        ("SELECT x>:n,:t", "SELECT x>(7),'it''s'"),
        ("SELECT ARRAY[:n, :n]", "SELECT ARRAY[(7), (7)]"),
        ("SELECT '\u00e9', :n -- \u00e9 :n\n, :t", "SELECT '\u00e9', (7) -- \u00e9 :n\n, 'it''s'"),
    ],
)
def test_parameters_are_replaced(sql, expected):
    assert POSTGRES.render(sql, {"n": 7, "t": "it's"}) == expected


def test_an_unknown_parameter_is_named_with_its_line_and_the_known_ones():
    with pytest.raises(QueryError, match=r"line 3 has the parameter :windw_end") as caught:
        POSTGRES.render(
            "SELECT *\nFROM t\nWHERE a < :windw_end", {"window_end": START, "as_of": START}
        )
    assert caught.value.expected == ":as_of, :window_end"


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(QueryError, match="without a time zone"):
        POSTGRES.render("SELECT :as_of", {"as_of": START.replace(tzinfo=None)})


def test_text_without_an_end_is_refused():
    with pytest.raises(QueryError, match="cannot be read"):
        POSTGRES.render("SELECT 'abc", {})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_literals_reach_postgres_as_they_are(text_database, text):
    assert text_database.execute(f"SELECT {POSTGRES.text_literal(text)}".encode()).fetchone() == (
        text,
    )
    rendered = POSTGRES.render("SELECT :t", {"t": text})
    assert text_database.execute(rendered.encode()).fetchone() == (text,)


@pytest.fixture(scope="module")
def text_database(module_database):
    with psycopg.connect(module_database) as connection:
        yield connection


def test_text_with_a_zero_byte_is_refused():
    with pytest.raises(QueryError, match="zero byte"):
        POSTGRES.text_literal("a\0b")


@pytest.mark.parametrize("tail", ["", ";", " ; -- the end", "\n;;\n/* end */", " -- the end"])
def test_the_statement_ends_before_semicolons_and_comments(tail):
    assert POSTGRES.statement(f"-- first\nSELECT ';' AS a{tail}") == "-- first\nSELECT ';' AS a"


@pytest.mark.parametrize("sql", ["", " ; ", "-- nothing"])
def test_no_statement_is_refused(sql):
    with pytest.raises(QueryError, match="empty"):
        POSTGRES.statement(sql)


def test_two_statements_are_refused():
    with pytest.raises(QueryError, match="second statement after line 2"):
        POSTGRES.statement("SELECT 1\n; DROP TABLE t")


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT a, b AS c, t.d, e::float8 FROM t", ("a", "c", "d", "e")),
        ('SELECT Flight_ID, x AS "Late" FROM t', ("flight_id", "Late")),
        ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", ("a",)),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", ("a",)),
        ("SELECT * FROM t", ("anything",)),
        ("SELECT t.*, 1 AS b FROM t", ("anything",)),
        ("SELECT a FROM t WHERE at >= :window_start AND at < :window_end;", ("a",)),
        ("SELECT date_trunc('day', a AT TIME ZONE 'UTC') AS a, count(*) AS n FROM t", ("a", "n")),
        ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, c", ("a", "b")),
    ],
)
def test_good_sql_passes(sql, columns):
    POSTGRES.check(sql, columns, FILE)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT a FROM t", r"does not return b; found a; expected a, b"),
        ("SELECT a, count(*) FROM t", r"does not return b; found a, \(a column without a name\)"),
        ('SELECT a, x AS "B" FROM t', r"does not return b; found a, B"),
        ("SELECT a, b, a FROM t", r"two columns of one name; found a"),
        ("SELECT a,\n  FROM WHERE", r"does not parse at line 2"),
        ("SELECT 'a", r"cannot be read"),
        ("SELECT a; SELECT b", r"second statement"),
        ("DELETE FROM t", r"not one SELECT; found DELETE"),
        ("CREATE TABLE a AS SELECT 1", r"not one SELECT; found CREATE"),
        ("TRUNCATE t", r"not one SELECT"),
        ("WITH d AS (DELETE FROM t RETURNING a, b) SELECT a, b FROM d", r"more than read"),
        ("SELECT a, b INTO u FROM t", r"more than read"),
        ("SELECT a, b FROM t FOR UPDATE", r"more than read"),
        ("SELECT a, b FROM t WHERE c < :tomorrow", r"line 1 has the parameter :tomorrow"),
        ("-- nothing", r"empty"),
        (f"SELECT {'(' * 400}a{')' * 400} AS a, b FROM t", r"nested too deep to be checked"),
    ],
)
def test_bad_sql_is_refused_with_its_file(sql, message):
    with pytest.raises(SpecError, match=message) as caught:
        POSTGRES.check(sql, ("a", "b"), FILE)
    assert str(caught.value).startswith(f"{FILE}: ")


def test_rows_in_order(text_database):
    sql = POSTGRES.ordered(
        'SELECT n % 2 AS "Odd", n FROM generate_series(1, 4) n -- all\n;', ("Odd", "n")
    )
    assert text_database.execute(sql).fetchall() == [(0, 2), (0, 4), (1, 1), (1, 3)]


def test_features_with_their_outcomes(text_database):
    sql = POSTGRES.joined(
        "SELECT n AS id, n * 10 AS x, 'f' AS note FROM generate_series(1, 3) n; -- features",
        "SELECT n AS id, n > 2 AS late, 'o' AS note FROM generate_series(2, 4) n",
        key="id",
        features=("x", "note"),
        outcomes=("late",),
    )
    found = text_database.execute(POSTGRES.ordered(sql, ("id",)))
    assert [column.name for column in found.description] == ["id", "x", "note", "late"]
    assert found.fetchall() == [(2, 20, "f", False), (3, 30, "f", True)]


def test_names_with_quotes_are_names(text_database):
    name = 'a"b'
    assert text_database.execute(f"SELECT 1 AS {POSTGRES.quoted(name)}").description[0].name == name
