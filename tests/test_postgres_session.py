"""Sessions with Postgres: the same values on every server, told time limits, and no secrets."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from mlops.digests import digest_bytes
from mlops.errors import MlopsError, StoreTimeout, WarehouseTimeout
from mlops.postgres_errors import Remedy, advise
from mlops.postgres_session import Endpoint, SessionSettings, read_options
from mlops.postgres_url import postgres_url
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.warehouse.postgres.catalog import read_query
from mlops.warehouse.postgres.describe import describe
from mlops.warehouse.postgres.outcomes import kpi_value
from mlops.warehouse.postgres.stream import stream

ROLE = "session reader"
SECRET = "mark'er pass/word @#%"
# One value of each kind that a setting changes.
VALUES = """
SELECT
    n AS id, n / 3.0::float8 AS third, (n * 0.1)::real AS small,
    'Zürich ' || n AS town, (TIMESTAMPTZ '2026-03-29 00:30:00+00' + n * interval '1 hour') AS at,
    date_trunc('day', TIMESTAMPTZ '2026-03-29 00:30:00+00' + n * interval '1 hour') AS day,
    (TIMESTAMPTZ '2026-03-29 00:30:00+00' + n * interval '1 hour')::text AS moment,
    interval '1 day 2 hours'::text AS span, '\\x00ff'::bytea::text AS bytes,
    to_char(n * 1000.5, 'L999G999D99') AS money, '01/02/2026'::date AS day_or_month,
    (0.1::float8 + 0.2::float8)::text AS digits, 'a\\b' AS backslash, (NULL = NULL) AS nothing,
    to_tsvector('the cats')::text AS words
FROM generate_series(1, 5) AS n ORDER BY n"""
DEFAULTS = {
    "TimeZone": ["Asia/Kolkata", "America/New_York", "UTC"],
    "DateStyle": ["German, DMY", "SQL, DMY", "ISO, YMD"],
    "IntervalStyle": ["iso_8601", "sql_standard", "postgres_verbose"],
    "extra_float_digits": ["-15", "0", "3"],
    "bytea_output": ["escape", "hex"],
    "client_encoding": ["LATIN1", "UTF8"],
    "standard_conforming_strings": ["off", "on"],
    "transform_null_equals": ["on", "off"],
    "default_transaction_isolation": ["serializable", "read committed"],
    "default_transaction_read_only": ["on", "off"],
    "default_transaction_deferrable": ["on", "off"],
    "default_text_search_config": ["pg_catalog.german", "pg_catalog.english"],
    "statement_timeout": ["300", "0"],
    "lock_timeout": ["300", "0"],
    "idle_in_transaction_session_timeout": ["900", "0"],
    "row_security": ["off", "on"],
}


@pytest.fixture(scope="module")
def reader(module_database: str) -> Iterator[str]:
    """The URL of a role that may do all that a customer's role may, and no more."""
    upgrade(module_database)
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(ROLE), sql.Literal(SECRET)
            )
        )
    upgrade(module_database, task_role=ROLE)
    parts = conninfo_to_dict(module_database)
    yield postgres_url({**parts, "user": ROLE, "password": SECRET})
    with psycopg.connect(module_database, autocommit=True) as connection:
        role = sql.Identifier(ROLE)
        connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def execute(url: str, statement: str, **values: Any) -> None:
    """Run a statement as an administrator; names and texts are filled in."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL(statement).format(role=sql.Identifier(ROLE), **values)  # type: ignore[arg-type]
        )


def read_bytes(url: str) -> bytes:
    """All values of a query, as they arrive."""
    with stream(url, VALUES) as rows:
        return b"".join(batch.serialize().to_pybytes() for batch in rows)


@given(
    st.dictionaries(
        st.sampled_from(["statement_timeout", "search_path", "work_mem", "application_name"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    )
)
def test_options_are_read_as_the_server_reads_them(settings: dict[str, str]) -> None:
    def escaped(value: str) -> str:
        return "".join(f"\\{c}" if c == "\\" or c.isspace() else c for c in value)

    for form in ("-c {}={}", "-c{}={}", "--{}={}"):
        words = " ".join(form.format(name, escaped(value)) for name, value in settings.items())
        assert read_options(words) == (settings, "")


def test_what_is_not_a_setting_is_left_to_the_server() -> None:
    assert read_options("-e -c a-b=1  -P") == ({"a_b": "1"}, "-e -P")


@pytest.mark.parametrize("turn", range(3))
def test_other_defaults_of_server_and_role_give_the_same_bytes(
    module_database: str, reader: str, turn: int
) -> None:
    """Each default takes each of its values in some turn; short time limits among them."""
    expected = digest_bytes(read_bytes(module_database))
    with Store(module_database).transaction() as transaction:
        moment = transaction.session.execute(text("SELECT now()::text || 0.1::float8")).scalar_one()
        assert moment.endswith("+000.1")
    for name, values in DEFAULTS.items():
        value = values[turn % len(values)]
        execute(
            module_database,
            f"ALTER ROLE {{role}} SET {name} = {{value}}",
            value=sql.Literal(value),
        )
    try:
        assert digest_bytes(read_bytes(reader)) == expected
        assert kpi_value(reader, "SELECT extract(hour FROM '2026-01-01'::timestamptz) AS value",
                         name="hour") == 0.0  # fmt: skip
        with Store(reader).transaction() as transaction:
            shown = {
                name: transaction.session.execute(text(f"SHOW {name}")).scalar_one()
                for name in ("TimeZone", "transaction_isolation", "transaction_read_only")
            }
            transaction.session.execute(text("SELECT pg_sleep(0.4)"))
        assert shown == {
            "TimeZone": "UTC",
            "transaction_isolation": "read committed",
            "transaction_read_only": "off",
        }
    finally:
        execute(module_database, "ALTER ROLE {role} RESET ALL")


def test_a_latin1_database_gives_the_same_bytes(module_database: str) -> None:
    execute(
        module_database,
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    )
    try:
        latin = postgres_url({**conninfo_to_dict(module_database), "dbname": "latin"})
        assert read_bytes(latin) == read_bytes(module_database)
        with psycopg.connect(latin, autocommit=True) as connection:
            connection.execute("SET client_encoding = 'UTF8'")
            connection.execute('CREATE TABLE "größe" (id bigint, "straße" text)')
        assert [c.name for c in describe(latin, 'SELECT * FROM "größe"')] == ["id", "straße"]
        assert ("public", "größe", "straße") in read_query(
            latin, 'SELECT "straße" FROM "größe"'
        ).used
    finally:
        execute(module_database, "DROP DATABASE latin WITH (FORCE)")


def test_a_server_that_does_not_show_its_log_is_read(module_database: str, reader: str) -> None:
    """As on a managed Postgres, where these functions end in an error."""
    functions = ("pg_current_wal_lsn()", "pg_last_wal_replay_lsn()")
    for function in functions:
        execute(module_database, f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    try:
        found = read_query(reader, "SELECT 1 AS a")
        assert (found.lsn, found.snapshot.count(":"), found.referee) == ("", 2, "")
        with stream(reader, "SELECT 1 AS a") as rows:
            assert (rows.state.lsn, rows.state.snapshot.count(":")) == ("", 2)
            assert sum(batch.num_rows for batch in rows) == 1
    finally:
        for function in functions:
            execute(module_database, f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")


def test_a_time_limit_is_named_and_worth_a_retry(reader: str) -> None:
    limited = f"{reader}?options={quote('-c statement_timeout=50')}"
    slow = "SELECT pg_sleep(5)::text AS value"

    def read() -> None:
        with stream(limited, slow) as rows:
            list(rows)

    readers: list[Callable[[], object]] = [read, lambda: kpi_value(limited, slow, name="slow")]
    for reads in readers:
        with pytest.raises(WarehouseTimeout, match="statement_timeout, which is 50") as raised:
            reads()
        assert raised.value.retryable
        assert "correct the SQL" not in str(raised.value)
        assert 'options": "-c statement_timeout=' in str(raised.value)
    with (
        pytest.raises(StoreTimeout, match="statement_timeout, which is 50") as stored,
        Store(limited).transaction() as transaction,
    ):
        transaction.session.execute(text("SELECT pg_sleep(5)"))
    assert stored.value.retryable


@pytest.mark.parametrize(
    ("sqlstate", "remedy"),
    [
        (None, Remedy.RETRY),
        ("08006", Remedy.RETRY),
        ("40P01", Remedy.RETRY),
        ("53300", Remedy.RETRY),
        ("55P03", Remedy.RETRY),
        ("57014", Remedy.RETRY),
        ("57P01", Remedy.RETRY),
        ("25P03", Remedy.RETRY),
        ("42601", Remedy.CORRECT_SQL),
        ("22012", Remedy.CORRECT_SQL),
        ("54011", Remedy.CORRECT_SQL),
        ("25006", Remedy.ASK_ADMINISTRATOR),
        ("42501", Remedy.ASK_ADMINISTRATOR),
        ("28P01", Remedy.ASK_ADMINISTRATOR),
        ("XX001", Remedy.ASK_ADMINISTRATOR),
    ],
)
def test_an_error_is_classified_by_its_remedy(sqlstate: str | None, remedy: Remedy) -> None:
    assert advise(sqlstate, SessionSettings()).remedy is remedy


def test_no_function_of_another_schema_runs_in_a_session_of_the_store(
    module_database: str, reader: str
) -> None:
    """It would run as the role of the tasks, or as the administrator who upgrades the store."""
    execute(module_database, "CREATE SCHEMA trap")
    execute(module_database, "CREATE TABLE trap.sprung (by text)")
    execute(module_database, "GRANT ALL ON SCHEMA trap TO PUBLIC")
    execute(module_database, "GRANT ALL ON trap.sprung TO PUBLIC")
    for signature in ("to_regclass(character varying)", "now()", "clock_timestamp()"):
        execute(
            module_database,
            f"CREATE FUNCTION trap.{signature} RETURNS text LANGUAGE sql AS "
            "$$ INSERT INTO trap.sprung VALUES (session_user); SELECT 'x'::text $$",
        )
    name = conninfo_to_dict(module_database)["dbname"]
    database = sql.Identifier(str(name))
    execute(
        module_database, "ALTER DATABASE {name} SET search_path = trap, pg_catalog", name=database
    )
    try:
        upgrade(module_database, task_role=ROLE)
        with Store(reader).transaction() as transaction:
            assert transaction.clock().tzinfo is not None
            path = transaction.session.execute(text("SHOW search_path")).scalar_one()
        assert path == "pg_catalog, pg_temp"
        read_query(reader, "SELECT 1 AS a")
        with psycopg.connect(module_database) as connection:
            assert connection.execute("SELECT count(*) FROM trap.sprung").fetchone() == (0,)
    finally:
        execute(module_database, "ALTER DATABASE {name} RESET search_path", name=database)
        execute(module_database, "DROP SCHEMA trap CASCADE")


def test_the_search_path_of_a_sql_file(module_database: str, reader: str) -> None:
    """The role's own, unless the connection chooses one; temporary tables come last in both."""
    execute(module_database, "CREATE SCHEMA sales")
    execute(module_database, "CREATE TABLE sales.orders (id bigint)")
    execute(module_database, "GRANT USAGE ON SCHEMA sales TO {role}")
    execute(module_database, "GRANT SELECT ON sales.orders TO {role}")
    chosen = f"{reader}?options={quote('-c search_path=sales')}"
    try:
        assert [c.name for c in describe(chosen, "SELECT id FROM orders")] == ["id"]
        with pytest.raises(MlopsError, match="orders"):
            describe(reader, "SELECT id FROM orders")
        execute(module_database, "ALTER ROLE {role} SET search_path = sales")
        assert [c.name for c in describe(reader, "SELECT id FROM orders")] == ["id"]
        shown = "SELECT current_setting('search_path') = 'sales, pg_temp' AS a"
        for url in (reader, chosen):
            with stream(url, shown) as rows:
                assert [batch.to_pylist() for batch in rows] == [[{"a": True}]]
    finally:
        execute(module_database, "ALTER ROLE {role} RESET ALL")
        execute(module_database, "DROP SCHEMA sales CASCADE")


@pytest.mark.parametrize("broken", ["host", "password", "port", "sslmode", "dbname", "user"])
@pytest.mark.parametrize("secret", [SECRET, "p w"])
def test_no_error_shows_a_password(
    module_database: str, broken: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A password in each place where a mistake puts it, through each way to a driver."""
    parts = {**conninfo_to_dict(module_database), "password": secret}
    wrong = {"host": f"{secret}@h", "port": "1", "sslmode": secret, "dbname": f"d{secret}"}
    url = postgres_url({**parts, broken: wrong.get(broken, f"other {secret}"), "password": secret})
    texts = []

    def record(act: Callable[[], object]) -> None:
        try:
            act()
        except MlopsError as error:
            texts.append("".join(traceback.format_exception(error)))

    def read() -> None:
        with stream(url, "SELECT 1 AS a") as rows:
            list(rows)

    def store() -> None:
        with Store(url).transaction():
            pass

    with caplog.at_level(logging.DEBUG):
        for act in (read, store, lambda: describe(url, "SELECT 1 AS a"), lambda: upgrade(url)):
            record(act)
    assert len(texts) == 4
    for shown in [*texts, caplog.text, repr(Endpoint.of(url)), Store(url).place]:
        assert secret not in shown
        assert quote(secret) not in shown
