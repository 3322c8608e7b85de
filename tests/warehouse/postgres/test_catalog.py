"""What Postgres says of a query: its tables, the columns that it uses, its functions."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import sql

from mlops.errors import QueryError, WarehouseUnreachable
from mlops.warehouse.postgres.catalog import read_query
from mlops.warehouse.records import Column, TableColumns

TABLES = """
CREATE TABLE orders (
    order_id bigint PRIMARY KEY, gone int, amount numeric(10, 2), status varchar(8),
    placed_at timestamptz, token_count int
);
ALTER TABLE orders DROP COLUMN gone;
CREATE TABLE items (order_id bigint, sku text, qty int);
CREATE TABLE "Mixed" ("Id" int, "a ""b"" c" text);
CREATE SCHEMA other;
CREATE TABLE other.orders (order_id bigint, extra float8);
CREATE VIEW big AS SELECT order_id, amount FROM orders WHERE amount > 10;
CREATE MATERIALIZED VIEW held AS SELECT sku FROM items;
CREATE TABLE parts (day date, x int) PARTITION BY RANGE (day);
CREATE FUNCTION spent(bigint) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT sum(amount) FROM orders WHERE order_id = $1';
CREATE FUNCTION same(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
CREATE AGGREGATE product (float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');
CREATE FUNCTION root(float8) RETURNS float8 LANGUAGE internal IMMUTABLE AS 'dsqrt';
"""
ROLE, PASSWORD = "catalog_reader", "a reader's word"
ORDERS = TableColumns(
    schema="public",
    table="orders",
    kind="table",
    columns=(
        Column("order_id", "bigint"),
        Column("amount", "numeric"),
        Column("status", "character varying"),
        Column("placed_at", "timestamp with time zone"),
        Column("token_count", "integer"),
    ),
)
ALL_OF_ORDERS = {("public", "orders", column.name) for column in ORDERS.columns}


@pytest.fixture(scope="module")
def catalog_url(module_database: str) -> str:
    with psycopg.connect(module_database) as connection:
        connection.execute(TABLES)
    return module_database


@pytest.fixture(autouse=True)
def _no_relation_stays(catalog_url):
    def relations() -> list[tuple[str]]:
        with psycopg.connect(catalog_url) as connection:
            return connection.execute("SELECT relname FROM pg_class ORDER BY oid").fetchall()

    before = relations()
    yield
    assert relations() == before


@pytest.fixture
def reader(catalog_url: str) -> Iterator[str]:
    """The URL of a role that may read every table and make none, not even a temporary one."""
    database = sql.Identifier(urlsplit(catalog_url).path.lstrip("/"))
    role = sql.Identifier(ROLE)
    with psycopg.connect(catalog_url, autocommit=True) as connection:

        def run(text: str) -> None:
            connection.execute(
                sql.SQL(text).format(database=database, role=role, password=sql.Literal(PASSWORD))
            )

        run("CREATE ROLE {role} LOGIN PASSWORD {password}")
        run("GRANT USAGE ON SCHEMA public, other TO {role}")
        run("GRANT SELECT ON ALL TABLES IN SCHEMA public, other TO {role}")
        run("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
        try:
            parts = urlsplit(catalog_url)
            at = f"{parts.hostname}:{parts.port}{parts.path}"
            yield f"postgresql://{ROLE}:{quote(PASSWORD)}@{at}"
        finally:
            run("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC")
            run("DROP OWNED BY {role}")
            run("DROP ROLE {role}")


def used(url: str, query: str) -> set[str]:
    found = read_query(url, query)
    assert found.referee == ""
    return {f"{schema}.{table}.{column}" for schema, table, column in found.used}


def test_a_query_of_two_tables(catalog_url):
    found = read_query(
        catalog_url,
        "SELECT o.amount, max(i.qty) AS most -- of each\n"
        "FROM orders o JOIN items i USING (order_id)\nWHERE status = 'a' GROUP BY 1 ORDER BY 2;",
    )
    assert found.outputs == (Column("amount", "numeric"), Column("most", "integer"))
    assert found.tables == (
        TableColumns(
            schema="public",
            table="items",
            kind="table",
            columns=(Column("order_id", "bigint"), Column("sku", "text"), Column("qty", "integer")),
        ),
        ORDERS,
    )
    assert found.used == {
        ("public", "items", "order_id"),
        ("public", "items", "qty"),
        ("public", "orders", "order_id"),
        ("public", "orders", "amount"),
        ("public", "orders", "status"),
    }
    assert found.functions == ()
    assert found.referee == ""
    assert found.search_path[-1] == "public"
    assert {"sum", "product", "percentile_cont"} <= found.aggregates
    assert "public.orders o" in found.definition


def test_the_state_that_was_read_moves_on(catalog_url):
    before = read_query(catalog_url, "SELECT 1 AS one")
    assert before.tables == ()
    assert before.used == frozenset()
    with psycopg.connect(catalog_url) as connection:
        connection.execute("CREATE TABLE passing (x int)")
    with psycopg.connect(catalog_url) as connection:
        connection.execute("DROP TABLE passing")
    after = read_query(catalog_url, "SELECT 1 AS one")
    low, high, _ = before.snapshot.split(":")
    assert int(low) <= int(high) < int(after.snapshot.split(":")[1])
    with psycopg.connect(catalog_url) as connection:
        (written,) = connection.execute(
            "SELECT %s::pg_lsn - %s::pg_lsn", [after.lsn, before.lsn]
        ).fetchone()
    assert written > 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT count(*) FROM orders", set()),
        ("SELECT EXISTS (SELECT 1 FROM orders WHERE ctid IS NULL) AS x", {"ctid"}),
        ("SELECT x.token_count AS y FROM (SELECT token_count FROM orders) x", {"token_count"}),
        ("SELECT row_to_json(o) AS x FROM orders o", {c[2] for c in ALL_OF_ORDERS}),
        # A whole row beside a named column: the catalog holds the column alone.
        ("SELECT o::text AS x, o.order_id FROM orders o", {c[2] for c in ALL_OF_ORDERS}),
        ("SELECT (o).amount FROM orders o", {"amount"}),
    ],
)
def test_used_columns(catalog_url, query, expected):
    assert used(catalog_url, query) == {f"public.orders.{column}" for column in expected}


def test_a_table_without_a_used_column_is_read_all_the_same(catalog_url):
    assert read_query(catalog_url, "SELECT count(*) FROM orders").tables == (ORDERS,)


def test_tables_of_one_name_in_two_schemas(catalog_url):
    query = "SELECT a.amount, b.extra FROM orders a, other.orders b"
    assert used(catalog_url, query) == {"public.orders.amount", "other.orders.extra"}
    names = [(table.schema, table.table) for table in read_query(catalog_url, query).tables]
    assert names == [("other", "orders"), ("public", "orders")]


def test_a_query_may_return_two_columns_of_one_name_and_some_without(catalog_url):
    found = read_query(catalog_url, 'SELECT amount AS x, status AS x, 1, "Id" FROM orders, "Mixed"')
    assert [column.name for column in found.outputs] == ["x", "x", "?column?", "Id"]
    assert found.referee == ""


def test_quoted_names(catalog_url):
    assert used(catalog_url, 'SELECT m."a ""b"" c" AS x FROM "Mixed" m') == {'public.Mixed.a "b" c'}


def test_a_view_is_not_followed(catalog_url):
    found = read_query(catalog_url, "SELECT b.amount, h.sku, p.x FROM big b, held h, parts p")
    assert [(table.table, table.kind) for table in found.tables] == [
        ("big", "view"),
        ("held", "materialized view"),
        ("parts", "partitioned table"),
    ]
    assert ("public", "big", "amount") in found.used
    assert not any(table == "orders" for _, table, _ in found.used)


def test_functions_that_may_read_tables(catalog_url):
    found = read_query(
        catalog_url,
        "SELECT spent(order_id) AS s, qty === 1 AS e, upper(sku) AS u, root(qty) AS r,"
        " product(qty) OVER () AS p FROM items",
    )
    # root is in C and immutable, and upper is Postgres' own.
    assert found.functions == (
        "public.product(double precision)",
        "public.same(integer, integer)",
        "public.spent(bigint)",
    )


def test_a_role_without_the_right_to_temporary_tables(catalog_url, reader):
    query = (
        "WITH items AS (SELECT * FROM other.orders) "
        'SELECT a.amount, b.extra, m."Id" FROM ORDERS a, items b, "Mixed" m'
    )
    found = read_query(reader, query)
    assert "permission denied to create temporary tables" in found.referee
    assert found.used == frozenset()
    assert found.definition == ""
    names = [(table.schema, table.table) for table in found.tables]
    # items is the query's own, though there is a table of this name.
    assert names == [("other", "orders"), ("public", "Mixed"), ("public", "orders")]
    assert found.tables[2] == ORDERS
    assert [column.type for column in found.outputs] == [
        "numeric",
        "double precision",
        "integer",
    ]
    assert found.snapshot
    assert found.lsn


def test_a_role_that_reads_only_by_default(catalog_url, reader):
    with psycopg.connect(catalog_url, autocommit=True) as connection:
        role = sql.Identifier(ROLE)
        database = sql.Identifier(urlsplit(catalog_url).path.lstrip("/"))
        for text in (
            "ALTER ROLE {role} SET default_transaction_read_only = on",
            "ALTER ROLE {role} SET search_path = other, public",
            "GRANT TEMPORARY ON DATABASE {database} TO {role}",
        ):
            connection.execute(sql.SQL(text).format(role=role, database=database))
    assert used(reader, "SELECT extra FROM orders") == {"other.orders.extra"}
    path = read_query(reader, "SELECT extra FROM orders").search_path
    assert path.index("other") < path.index("public")


def test_a_query_that_no_view_can_hold(catalog_url):
    found = read_query(catalog_url, "SELECT ROW(o.amount, 1) AS r FROM orders o")
    assert "pseudo-type record" in found.referee
    assert found.tables == (ORDERS,)


def test_sql_that_does_not_run(catalog_url):
    with pytest.raises(QueryError, match="line 2: FROM nowhere"):
        read_query(catalog_url, "SELECT 1\nFROM nowhere")


def test_no_connection(catalog_url):
    with pytest.raises(WarehouseUnreachable):
        read_query("postgresql://nobody:word@127.0.0.1:9/none", "SELECT 1 AS one")
