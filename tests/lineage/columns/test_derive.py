"""Column lineage of queries, with every direct edge written by hand and Postgres as referee."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlglot

from mlops.core.period import Period
from mlops.flow.queries import scoring_query
from mlops.flow.snapshot import training_query
from mlops.lineage.columns.derive import ColumnLineage, Edge, Source, column_lineage
from mlops.lineage.columns.scope import Scope
from mlops.lineage.columns.walk import Walk
from mlops.spec.load import Include
from mlops.warehouse.postgres.catalog import read_query
from mlops.warehouse.postgres.dialect import POSTGRES

PROJECT = Path(__file__).parents[3]

TABLES = """
CREATE TABLE customers (
    customer_id bigint PRIMARY KEY, name text, region text, doc jsonb, tags text[], visits int
);
CREATE TABLE orders (
    order_id bigint PRIMARY KEY, customer_id bigint, amount float8, placed_at timestamptz,
    status text, token_count int
);
CREATE TABLE items (order_id bigint, sku text, qty int, price float8);
CREATE TABLE tree (id int, parent_id int, weight float8);
CREATE TABLE "Mixed" ("Id" bigint, "Value Col" float8, "VALUE COL" float8, plain int);
CREATE SCHEMA other;
CREATE TABLE other.orders (order_id bigint, extra float8);
CREATE TYPE place AS (street text, zip text);
CREATE TABLE homes (customer_id bigint, home place);
CREATE VIEW big_orders AS SELECT order_id, amount * 2 AS doubled FROM orders WHERE amount > 10;
CREATE FUNCTION spent(bigint) RETURNS float8 LANGUAGE sql STABLE
    AS 'SELECT sum(amount) FROM orders WHERE customer_id = $1';
CREATE FUNCTION plus_one(float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION orders_of(bigint) RETURNS TABLE (o_id bigint, o_amount float8) LANGUAGE sql STABLE
    AS 'SELECT order_id, amount FROM orders WHERE customer_id = $1';
CREATE AGGREGATE product (float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');
"""


@dataclass(frozen=True)
class Case:
    """A query with all that its columns come from.

    :ivar direct: for each output ``subtype table.column``, the schema only where it is not public.
    :ivar alone: the indirect edges of single outputs.
    :ivar rows: the indirect edges of the whole query.
    """

    sql: str
    direct: dict[str, str]
    rows: str = ""
    alone: dict[str, str] = field(default_factory=dict)


CASES = {
    "join and aggregate": Case(
        """
        SELECT c.region, sum(i.qty * i.price) AS revenue, count(*) AS n,
               avg(o.amount)::numeric AS mean, max(o.placed_at) - min(o.placed_at) AS span
        FROM customers c
        JOIN orders o ON o.customer_id = c.customer_id AND o.status <> 'void'
        LEFT JOIN items i ON i.order_id = o.order_id
        WHERE c.visits > 3
        GROUP BY c.region
        HAVING sum(o.token_count) > 5
        ORDER BY 2 DESC
        """,
        {
            "region": "IDENTITY customers.region",
            "revenue": "AGGREGATION items.qty, AGGREGATION items.price",
            "n": "",
            "mean": "AGGREGATION orders.amount",
            "span": "AGGREGATION orders.placed_at",
        },
        rows="JOIN orders.customer_id, JOIN customers.customer_id, JOIN orders.status, "
        "JOIN items.order_id, JOIN orders.order_id, FILTER customers.visits, "
        "GROUP_BY customers.region, FILTER orders.token_count, SORT items.qty, SORT items.price",
    ),
    "nested and shadowing ctes": Case(
        """
        WITH orders AS (SELECT order_id, amount * 2 AS amount, customer_id FROM orders),
        deep AS (
            WITH orders AS (SELECT customer_id, amount AS a FROM orders WHERE amount > 1),
                 renamed (k, v) AS (SELECT customer_id, a + 1 FROM orders)
            SELECT * FROM renamed
        )
        SELECT deep.k, deep.v, orders.order_id FROM deep JOIN orders ON orders.customer_id = deep.k
        """,
        {
            "k": "IDENTITY orders.customer_id",
            "v": "TRANSFORMATION orders.amount",
            "order_id": "IDENTITY orders.order_id",
        },
        rows="FILTER orders.amount, JOIN orders.customer_id",
    ),
    "recursive cte": Case(
        """
        WITH RECURSIVE down (id, path, total) AS (
            SELECT id, id::text, weight FROM tree WHERE parent_id IS NULL
            UNION ALL
            SELECT t.id, d.path || '/' || t.id::text, d.total + t.weight
            FROM tree t JOIN down d ON t.parent_id = d.id
        )
        SELECT id, path, total FROM down
        """,
        {
            "id": "IDENTITY tree.id",
            "path": "TRANSFORMATION tree.id",
            "total": "IDENTITY tree.weight, TRANSFORMATION tree.weight",
        },
        rows="FILTER tree.parent_id, JOIN tree.parent_id, JOIN tree.id",
    ),
    "recursive cte read before it is written": Case(
        """
        WITH RECURSIVE first AS (SELECT x FROM second), second AS (SELECT amount AS x FROM orders)
        SELECT x FROM first
        """,
        {"x": "IDENTITY orders.amount"},
    ),
    "windows": Case(
        """
        SELECT order_id,
               lag(amount) OVER by_customer AS before,
               sum(amount) FILTER (WHERE status = 'paid') OVER recent AS week,
               row_number() OVER (PARTITION BY customer_id ORDER BY placed_at) AS n,
               ntile(4) OVER (ORDER BY amount) AS quarter,
               rank() OVER (by_customer RANGE UNBOUNDED PRECEDING) AS place
        FROM orders
        WINDOW by_customer AS (PARTITION BY customer_id ORDER BY placed_at),
               recent AS (PARTITION BY customer_id ORDER BY placed_at RANGE INTERVAL '7 days'
                          PRECEDING)
        """,
        {
            "order_id": "IDENTITY orders.order_id",
            "before": "TRANSFORMATION orders.amount",
            "week": "AGGREGATION orders.amount",
            "n": "",
            "quarter": "",
            "place": "",
        },
        alone={
            "before": "WINDOW orders.customer_id, WINDOW orders.placed_at",
            "week": "WINDOW orders.customer_id, WINDOW orders.placed_at, FILTER orders.status",
            "n": "WINDOW orders.customer_id, WINDOW orders.placed_at",
            "quarter": "WINDOW orders.amount",
            "place": "WINDOW orders.customer_id, WINDOW orders.placed_at",
        },
    ),
    "lateral": Case(
        """
        SELECT c.name, last.amount AS last_amount, top.most
        FROM customers c
        LEFT JOIN LATERAL (
            SELECT o.amount FROM orders o WHERE o.customer_id = c.customer_id
            ORDER BY o.placed_at DESC LIMIT 1
        ) last ON true
        CROSS JOIN LATERAL (
            SELECT max(i.qty) + c.visits AS most FROM items i WHERE i.price > last.amount
        ) AS top
        """,
        {
            "name": "IDENTITY customers.name",
            "last_amount": "IDENTITY orders.amount",
            "most": "AGGREGATION items.qty, TRANSFORMATION customers.visits",
        },
        rows="FILTER orders.customer_id, FILTER customers.customer_id, SORT orders.placed_at, "
        "FILTER items.price, FILTER orders.amount",
    ),
    "set operations": Case(
        """
        SELECT order_id AS id, amount AS v, 'a' AS k FROM orders
        UNION ALL
        (SELECT order_id, price * qty, sku FROM items ORDER BY qty LIMIT 10)
        UNION
        SELECT customer_id, visits, NULL FROM customers
        EXCEPT
        SELECT id, weight, 'x' FROM tree
        ORDER BY k
        """,
        {
            "id": "IDENTITY orders.order_id, IDENTITY items.order_id, "
            "IDENTITY customers.customer_id",
            "v": "IDENTITY orders.amount, TRANSFORMATION items.price, TRANSFORMATION items.qty, "
            "IDENTITY customers.visits",
            "k": "IDENTITY items.sku",
        },
        rows="SORT items.qty, "
        "GROUP_BY orders.order_id, GROUP_BY items.order_id, GROUP_BY customers.customer_id, "
        "GROUP_BY orders.amount, GROUP_BY items.price, GROUP_BY items.qty, "
        "GROUP_BY customers.visits, GROUP_BY items.sku, "
        "FILTER orders.order_id, FILTER items.order_id, FILTER customers.customer_id, "
        "FILTER orders.amount, FILTER items.price, FILTER items.qty, FILTER customers.visits, "
        "FILTER items.sku, FILTER tree.id, FILTER tree.weight, SORT items.sku",
    ),
    "intersect before union": Case(
        """
        SELECT order_id FROM orders
        UNION ALL SELECT order_id FROM items INTERSECT SELECT customer_id FROM customers
        """,
        {
            "order_id": "IDENTITY orders.order_id, IDENTITY items.order_id, "
            "IDENTITY customers.customer_id",
        },
        rows="FILTER items.order_id, FILTER customers.customer_id",
    ),
    "stars": Case(
        """
        SELECT i.*, s.*, t.id FROM items i
        JOIN (SELECT *, amount > 5 AS big FROM other.orders JOIN public.orders USING (order_id)) s
            ON s.order_id = i.order_id,
        tree t
        """,
        {
            # items.order_id and s.order_id are two columns of one name.
            "order_id": "IDENTITY items.order_id, IDENTITY orders.order_id, "
            "IDENTITY other.orders.order_id",
            "sku": "IDENTITY items.sku",
            "qty": "IDENTITY items.qty",
            "price": "IDENTITY items.price",
            "extra": "IDENTITY other.orders.extra",
            "customer_id": "IDENTITY orders.customer_id",
            "amount": "IDENTITY orders.amount",
            "placed_at": "IDENTITY orders.placed_at",
            "status": "IDENTITY orders.status",
            "token_count": "IDENTITY orders.token_count",
            "big": "TRANSFORMATION orders.amount",
            "id": "IDENTITY tree.id",
        },
        rows="JOIN items.order_id, JOIN orders.order_id, JOIN other.orders.order_id",
    ),
    "using and natural joins": Case(
        """
        SELECT n.order_id AS id, customer_id, n.extra, f.order_id AS full_id,
               l.order_id AS left_id, r.order_id AS right_id
        FROM orders NATURAL JOIN customers
        JOIN other.orders n USING (order_id)
        CROSS JOIN (SELECT order_id FROM items FULL JOIN other.orders USING (order_id)) f
        CROSS JOIN (SELECT order_id FROM items LEFT JOIN other.orders USING (order_id)) l
        CROSS JOIN (SELECT order_id FROM items RIGHT JOIN other.orders USING (order_id)) r
        """,
        {
            "id": "IDENTITY other.orders.order_id",
            "customer_id": "IDENTITY orders.customer_id, IDENTITY customers.customer_id",
            "extra": "IDENTITY other.orders.extra",
            "full_id": "TRANSFORMATION items.order_id, TRANSFORMATION other.orders.order_id",
            "left_id": "IDENTITY items.order_id",
            "right_id": "IDENTITY other.orders.order_id",
        },
        rows="JOIN orders.customer_id, JOIN customers.customer_id, JOIN orders.order_id, "
        "JOIN other.orders.order_id, JOIN items.order_id",
    ),
    "a join under one name": Case(
        """
        SELECT j.order_id, j.amount, (j).sku AS sku, k.b
        FROM (orders JOIN items USING (order_id)) AS j
        JOIN tree AS k (a, b, c) ON k.a = j.qty
        """,
        {
            "order_id": "IDENTITY orders.order_id, IDENTITY items.order_id",
            "amount": "IDENTITY orders.amount",
            "sku": "IDENTITY items.sku",
            "b": "IDENTITY tree.parent_id",
        },
        rows="JOIN orders.order_id, JOIN items.order_id, JOIN tree.id, JOIN items.qty",
    ),
    "whole rows": Case(
        """
        SELECT row_to_json(t) AS whole, (t).weight, count(h) AS homes, to_jsonb(i.*) AS item
        FROM tree t, homes h, (SELECT sku, qty + 1 AS more FROM items) i
        GROUP BY t, (t).weight, i
        """,
        {
            "whole": "TRANSFORMATION tree.id, TRANSFORMATION tree.parent_id, "
            "TRANSFORMATION tree.weight",
            "weight": "IDENTITY tree.weight",
            "homes": "AGGREGATION homes.customer_id, AGGREGATION homes.home",
            "item": "TRANSFORMATION items.sku, TRANSFORMATION items.qty",
        },
        rows="GROUP_BY tree.id, GROUP_BY tree.parent_id, GROUP_BY tree.weight, "
        "GROUP_BY items.sku, GROUP_BY items.qty",
    ),
    "fields of a row": Case(
        "SELECT (h.home).zip, (home).street AS s, (h).customer_id FROM homes h",
        {
            "zip": "TRANSFORMATION homes.home",
            "s": "TRANSFORMATION homes.home",
            "customer_id": "IDENTITY homes.customer_id",
        },
    ),
    "a view": Case(
        "SELECT b.doubled + o.amount AS x FROM big_orders b JOIN orders o USING (order_id)",
        {"x": "TRANSFORMATION big_orders.doubled, TRANSFORMATION orders.amount"},
        rows="JOIN big_orders.order_id, JOIN orders.order_id",
    ),
    "subqueries": Case(
        """
        SELECT c.name,
               (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.customer_id) AS most,
               EXISTS (SELECT o.amount FROM orders o WHERE o.status = c.region) AS has,
               c.visits IN (SELECT i.qty FROM items i WHERE i.sku = 'x') AS known,
               ARRAY(SELECT t.weight FROM tree t ORDER BY t.id) AS weights,
               (SELECT name) AS same
        FROM customers c
        WHERE c.region NOT IN (SELECT i.sku FROM items i WHERE i.price > c.visits)
        """,
        {
            "name": "IDENTITY customers.name",
            "most": "AGGREGATION orders.amount",
            "has": "",
            "known": "TRANSFORMATION customers.visits, TRANSFORMATION items.qty",
            "weights": "TRANSFORMATION tree.weight",
            "same": "IDENTITY customers.name",
        },
        alone={
            "most": "FILTER orders.customer_id, FILTER customers.customer_id",
            "has": "FILTER orders.status, FILTER customers.region",
            "known": "FILTER items.sku",
            "weights": "SORT tree.id",
        },
        rows="FILTER customers.region, FILTER items.sku, FILTER items.price, "
        "FILTER customers.visits",
    ),
    "case": Case(
        """
        SELECT CASE WHEN status = 'paid' THEN amount WHEN placed_at IS NULL THEN 0
                    ELSE token_count END AS a,
               CASE status WHEN 'x' THEN customer_id END AS b,
               coalesce(nullif(amount, token_count), 0) AS c,
               sum(CASE WHEN status = 'paid' THEN amount END) OVER () AS d
        FROM orders
        """,
        {
            "a": "TRANSFORMATION orders.amount, TRANSFORMATION orders.token_count",
            "b": "TRANSFORMATION orders.customer_id",
            "c": "TRANSFORMATION orders.amount, TRANSFORMATION orders.token_count",
            "d": "AGGREGATION orders.amount",
        },
        alone={
            "a": "CONDITIONAL orders.status, CONDITIONAL orders.placed_at",
            "b": "CONDITIONAL orders.status",
            "d": "CONDITIONAL orders.status",
        },
    ),
    "jsonb": Case(
        """
        SELECT doc ->> 'age' AS a, (doc -> 'a' ->> 'b')::int AS b, doc #>> '{x,y}' AS c,
               doc @> '{"k": 1}' AS d, coalesce(doc -> name, doc -> region) AS e,
               c.doc ? c.name AS f, jsonb_path_query_first(doc, '$.z') AS g,
               tags[visits] AS h, tags[1:visits] AS i
        FROM customers c WHERE coalesce(doc -> 'live', 'false'::jsonb) = 'true'::jsonb
        """,
        {
            "a": "TRANSFORMATION customers.doc",
            "b": "TRANSFORMATION customers.doc",
            "c": "TRANSFORMATION customers.doc",
            "d": "TRANSFORMATION customers.doc",
            "e": "TRANSFORMATION customers.doc, TRANSFORMATION customers.name, "
            "TRANSFORMATION customers.region",
            "f": "TRANSFORMATION customers.doc, TRANSFORMATION customers.name",
            "g": "TRANSFORMATION customers.doc",
            "h": "TRANSFORMATION customers.tags, TRANSFORMATION customers.visits",
            "i": "TRANSFORMATION customers.tags, TRANSFORMATION customers.visits",
        },
        rows="FILTER customers.doc",
    ),
    "distinct on": Case(
        """
        SELECT DISTINCT ON (c, placed_at) customer_id AS c, amount, placed_at AS at
        FROM orders ORDER BY c, placed_at, token_count DESC
        """,
        {
            "c": "IDENTITY orders.customer_id",
            "amount": "IDENTITY orders.amount",
            "at": "IDENTITY orders.placed_at",
        },
        rows="GROUP_BY orders.customer_id, GROUP_BY orders.placed_at, SORT orders.customer_id, "
        "SORT orders.placed_at, SORT orders.token_count",
    ),
    "names in group by and order by": Case(
        # GROUP BY takes the table's amount, ORDER BY the output of that name.
        """
        SELECT -token_count AS amount, amount + 1 AS more, count(*) AS n
        FROM orders GROUP BY amount, token_count, more ORDER BY amount, (count(*))
        """,
        {
            "amount": "TRANSFORMATION orders.token_count",
            "more": "TRANSFORMATION orders.amount",
            "n": "",
        },
        rows="GROUP_BY orders.amount, GROUP_BY orders.token_count, SORT orders.token_count",
    ),
    "functions that return rows": Case(
        """
        SELECT c.name, u.tag, u.n, g, e.key AS k, e.value AS v, r.a, r.b, x.one, x.two,
               y.element, z.value AS w, generate_series(1, c.visits) AS s
        FROM customers c
        CROSS JOIN unnest(c.tags) WITH ORDINALITY AS u (tag, n)
        CROSS JOIN LATERAL generate_series(1, c.visits) AS g
        CROSS JOIN jsonb_each(c.doc) AS e
        LEFT JOIN LATERAL jsonb_to_recordset(c.doc) AS r (a int, b text) ON true,
        ROWS FROM (generate_series(1, c.visits), unnest(c.tags)) AS x (one, two),
        unnest(ARRAY[c.region]) AS y (element),
        jsonb_array_elements(c.doc -> 'list') AS z
        """,
        {
            "name": "IDENTITY customers.name",
            "tag": "TRANSFORMATION customers.tags",
            "n": "",
            "g": "TRANSFORMATION customers.visits",
            "k": "TRANSFORMATION customers.doc",
            "v": "TRANSFORMATION customers.doc",
            "a": "TRANSFORMATION customers.doc",
            "b": "TRANSFORMATION customers.doc",
            "one": "TRANSFORMATION customers.visits",
            "two": "TRANSFORMATION customers.tags",
            "element": "TRANSFORMATION customers.region",
            "w": "TRANSFORMATION customers.doc",
            "s": "TRANSFORMATION customers.visits",
        },
        rows="JOIN customers.tags, JOIN customers.visits, JOIN customers.doc, "
        "JOIN customers.region",
    ),
    "a star over a function": Case(
        # Only Postgres' own writing of the query names the columns.
        "SELECT o.*, c.name FROM customers c CROSS JOIN orders_of(c.customer_id) AS o",
        {
            "o_id": "TRANSFORMATION customers.customer_id",
            "o_amount": "TRANSFORMATION customers.customer_id",
            "name": "IDENTITY customers.name",
        },
        rows="JOIN customers.customer_id",
    ),
    "values": Case(
        """
        SELECT v.a, column2 AS b, l.x
        FROM orders o
        JOIN (VALUES (1, 'p'), (2, 'q')) AS v (a) ON v.a = o.token_count
        CROSS JOIN LATERAL (VALUES (o.amount), (o.order_id)) AS l (x)
        """,
        {"a": "", "b": "", "x": "IDENTITY orders.amount, IDENTITY orders.order_id"},
        rows="JOIN orders.token_count",
    ),
    "quoted names": Case(
        """
        SELECT m."Value Col" AS "An Output", "VALUE COL" + PLAIN AS Other, M."Id"
        FROM "Mixed" AS m WHERE m."Id" > 0
        """,
        {
            "An Output": "IDENTITY Mixed.Value Col",
            "other": "TRANSFORMATION Mixed.VALUE COL, TRANSFORMATION Mixed.plain",
            "Id": "IDENTITY Mixed.Id",
        },
        rows="FILTER Mixed.Id",
    ),
    "schemas": Case(
        """
        SELECT orders.amount, o.extra, public.orders.status
        FROM orders JOIN other.orders o ON o.order_id = public.orders.order_id
        """,
        {
            "amount": "IDENTITY orders.amount",
            "extra": "IDENTITY other.orders.extra",
            "status": "IDENTITY orders.status",
        },
        rows="JOIN orders.order_id, JOIN other.orders.order_id",
    ),
    "aggregates with an order": Case(
        """
        SELECT array_agg(amount ORDER BY placed_at) AS a, string_agg(status, ',' ORDER BY order_id)
                   AS b, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS c,
               count(DISTINCT customer_id) FILTER (WHERE status = 'x') AS d,
               mode() WITHIN GROUP (ORDER BY status) AS e, product(amount) AS f,
               jsonb_agg(token_count) AS g, public.product(amount) FILTER (WHERE amount > 0) AS h
        FROM orders GROUP BY ROLLUP (customer_id), CUBE (status, token_count), ()
        """,
        {
            "a": "AGGREGATION orders.amount",
            "b": "AGGREGATION orders.status",
            "c": "AGGREGATION orders.amount",
            "d": "AGGREGATION orders.customer_id",
            "e": "AGGREGATION orders.status",
            "f": "AGGREGATION orders.amount",
            "g": "AGGREGATION orders.token_count",
            "h": "AGGREGATION orders.amount",
        },
        alone={
            "a": "SORT orders.placed_at",
            "b": "SORT orders.order_id",
            "d": "FILTER orders.status",
            "h": "FILTER orders.amount",
        },
        rows="GROUP_BY orders.customer_id, GROUP_BY orders.status, GROUP_BY orders.token_count",
    ),
    "through several queries": Case(
        """
        SELECT rate, round(rate::numeric, 2) AS rounded, sum(rate) OVER () AS total
        FROM (SELECT sum(amount) / nullif(count(token_count), 0) AS rate FROM orders) s
        """,
        {
            "rate": "AGGREGATION orders.amount, AGGREGATION orders.token_count",
            "rounded": "AGGREGATION orders.amount, AGGREGATION orders.token_count",
            "total": "AGGREGATION orders.amount, AGGREGATION orders.token_count",
        },
    ),
    "selected and never taken": Case(
        "SELECT s.amount FROM (SELECT * FROM items CROSS JOIN (SELECT amount FROM orders) o) s",
        {"amount": "IDENTITY orders.amount"},
        rows="OTHER items.order_id, OTHER items.sku, OTHER items.qty, OTHER items.price",
    ),
    "outputs without a name": Case(
        """
        SELECT s.count, s.sum, s.max + 1, s.status
        FROM (SELECT count(*), sum(amount), max(token_count), status::text FROM orders
              GROUP BY orders.status) s
        """,
        {
            "count": "",
            "sum": "AGGREGATION orders.amount",
            "?column?": "AGGREGATION orders.token_count",
            "status": "TRANSFORMATION orders.status",
        },
        rows="GROUP_BY orders.status",
    ),
    "nested joins": Case(
        """
        SELECT c.name, o.amount, i.sku
        FROM customers c
        LEFT JOIN (orders o JOIN items i ON i.order_id = o.order_id)
            ON o.customer_id = c.customer_id,
        ((SELECT * FROM tree) AS tree CROSS JOIN (SELECT 1) AS once)
        WHERE tree.id = 1 AND (tree.weight > 1 OR tree.parent_id IS NULL)
        """,
        {
            "name": "IDENTITY customers.name",
            "amount": "IDENTITY orders.amount",
            "sku": "IDENTITY items.sku",
        },
        rows="JOIN items.order_id, JOIN orders.order_id, JOIN orders.customer_id, "
        "JOIN customers.customer_id, FILTER tree.id, FILTER tree.weight, FILTER tree.parent_id",
    ),
}


# sqlglot does not parse LATERAL ROWS FROM, which Postgres writes; and what a function of one's own
# returns stands in no SQL.
UNREADABLE_AS_POSTGRES_WRITES_IT = {"functions that return rows"}
UNREADABLE_AS_WRITTEN = {"a star over a function"}


@pytest.fixture(scope="module")
def tables_url(module_database: str) -> str:
    with psycopg.connect(module_database) as connection:
        connection.execute(TABLES)
    return module_database


def short(source: Source) -> str:
    schema = "" if source.schema == "public" else f"{source.schema}."
    return f"{schema}{source.table}.{source.column}"


def said(edges: tuple[Edge, ...], kind: str) -> set[str]:
    return {f"{edge.subtype} {short(edge.source)}" for edge in edges if edge.kind == kind}


def listed(text: str) -> set[str]:
    return set(filter(None, re.split(r",\s+", text)))


def sources(lineage: ColumnLineage) -> set[tuple[str, str, str]]:
    edges = [e for found in (lineage.dataset, *lineage.columns.values()) for e in found]
    return {(e.source.schema, e.source.table, e.source.column) for e in edges}


@pytest.mark.parametrize("name", CASES)
def test_every_edge_and_no_other(tables_url, name):
    case = CASES[name]
    catalog = read_query(tables_url, case.sql)
    assert catalog.referee == ""
    found = column_lineage(case.sql, catalog)
    direct = {column: said(edges, "DIRECT") for column, edges in found.columns.items()}
    assert direct == {column: listed(text) for column, text in case.direct.items()}
    alone = {c: said(edges, "INDIRECT") for c, edges in found.columns.items()}
    assert {c: edges for c, edges in alone.items() if edges} == {
        column: listed(text) for column, text in case.alone.items()
    }
    assert said(found.dataset, "INDIRECT") == listed(case.rows)
    assert said(found.dataset, "DIRECT") == set()
    # What Postgres says is used is what is found: nothing is refused, nothing is lost.
    assert sources(found) == catalog.used
    assert [s for s in found.unknown if "columns are called" not in s and "function" not in s] == []


@pytest.mark.parametrize("name", CASES)
def test_the_walk_alone_finds_nothing_that_postgres_does_not_name(tables_url, name):
    catalog = read_query(tables_url, CASES[name].sql)
    texts = [] if name in UNREADABLE_AS_WRITTEN else [CASES[name].sql]
    texts += [] if name in UNREADABLE_AS_POSTGRES_WRITES_IT else [catalog.definition]
    for sql in texts:
        relation = Walk(catalog).query(sqlglot.parse_one(sql, read="postgres"), Scope())
        values = [relation.rows, *(column.value for column in relation.columns)]
        walked = {e.source for value in values for e in value.edges()}
        assert walked <= {Source(*column) for column in catalog.used}


@pytest.mark.parametrize("name", sorted(CASES.keys() - UNREADABLE_AS_POSTGRES_WRITES_IT))
def test_postgres_own_writing_of_the_query_gives_the_same(tables_url, name):
    case = CASES[name]
    catalog = read_query(tables_url, case.sql)
    as_written = column_lineage(case.sql, catalog)
    by_postgres = column_lineage(catalog.definition, catalog)
    for column, edges in as_written.columns.items():
        mine = {short(edge.source) for edge in edges if edge.kind == "DIRECT"}
        its = {short(e.source) for e in by_postgres.columns[column] if e.kind == "DIRECT"}
        # Of the two equal columns of an inner join Postgres writes the left one.
        assert its <= mine
        if "USING" not in case.sql and "NATURAL" not in case.sql:
            assert its == mine


FLIGHT_DELAY = {
    "flight_id": "IDENTITY flights.flight_id",
    "scheduled_departure": "IDENTITY flights.scheduled_departure",
    "carrier": "IDENTITY flights.carrier",
    "origin": "IDENTITY flights.origin",
    "dest": "IDENTITY flights.dest",
    "distance": "IDENTITY flights.distance",
    "departure_hour": "TRANSFORMATION flights.scheduled_departure",
    "weekday": "TRANSFORMATION flights.scheduled_departure",
    "flights_same_hour": "",
    "origin_delay_3h": "AGGREGATION flights.dep_delay",
    "origin_late_share_3h": "AGGREGATION flights.dep_delay",
    "carrier_delay_3h": "AGGREGATION flights.dep_delay",
    "origin_waiting": "",
    "aircraft_delay": "TRANSFORMATION flights.arr_delay, TRANSFORMATION flights.dep_delay",
    "temp_f": "IDENTITY weather.temp_f",
    "wind_speed_mph": "TRANSFORMATION weather.wind_speed_mph",
    "precip_in": "IDENTITY weather.precip_in",
    "visib_miles": "IDENTITY weather.visib_miles",
    "humid": "IDENTITY weather.humid",
    "pressure_mb": "IDENTITY weather.pressure_mb",
    "plane_age": "AGGREGATION flights.actual_departure, AGGREGATION planes.year",
    "seats": "AGGREGATION planes.seats",
}
AT = "WINDOW flights.actual_departure, WINDOW flights.scheduled_departure"
OF_ORIGIN = f"{AT}, WINDOW flights.origin"
OF_ROUTE = f"{OF_ORIGIN}, WINDOW flights.carrier, WINDOW flights.dest"
FLIGHT_DELAY_ALONE = {
    "origin_delay_3h": OF_ORIGIN,
    "origin_late_share_3h": OF_ORIGIN,
    "carrier_delay_3h": f"{AT}, WINDOW flights.carrier",
    "origin_waiting": OF_ORIGIN,
    "aircraft_delay": "CONDITIONAL flights.actual_arrival, CONDITIONAL flights.scheduled_departure",
    "wind_speed_mph": "CONDITIONAL weather.wind_speed_mph",
    "plane_age": OF_ROUTE,
    "seats": OF_ROUTE,
}
LATE = "TRANSFORMATION flights.actual_arrival, TRANSFORMATION flights.scheduled_arrival"

NOT_GONE = "FILTER flights.actual_departure, FILTER flights.scheduled_departure"
CANCELLATION = {
    "flight_id": "IDENTITY flights.flight_id",
    "scheduled_departure": "IDENTITY flights.scheduled_departure",
    "carrier": "IDENTITY flights.carrier",
    "origin": "IDENTITY flights.origin",
    "dest": "IDENTITY flights.dest",
    "distance": "IDENTITY flights.distance",
    "departure_hour": "TRANSFORMATION flights.scheduled_departure",
    "weekday": "TRANSFORMATION flights.scheduled_departure",
    # Counts of rows: what is counted is decided by columns, and no column's value goes in.
    "airport_not_left": "",
    "airline_not_left": "",
    "route_not_left": "",
    "temp_f": "IDENTITY weather.temp_f",
    "wind_gust_mph": "IDENTITY weather.wind_gust_mph",
    "precip_in": "IDENTITY weather.precip_in",
    "visib_miles": "IDENTITY weather.visib_miles",
}
CANCELLATION_ALONE = {
    "airport_not_left": NOT_GONE,
    "airline_not_left": f"{NOT_GONE}, FILTER flights.carrier",
    "route_not_left": f"{NOT_GONE}, FILTER flights.dest",
}
CANCELLED = "TRANSFORMATION flights.actual_departure, TRANSFORMATION flights.scheduled_departure"

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def empty_flights(module_database: str) -> str:
    """A database with the demo's tables, and no rows."""
    script = (PROJECT / "demo/sql/flights_tables.sql").read_text()
    with psycopg.connect(module_database) as connection:
        for table in re.findall(r"CREATE TABLE public\.\w+ \(.*?\n\);", script, re.DOTALL):
            connection.execute(table)
    return module_database


def test_the_demo_trains_on(empty_flights):
    spec = Include(PROJECT / "demo" / "include").spec("flight_delay")
    query = training_query(POSTGRES, spec, start=START, end=END, as_of=END)
    catalog = read_query(empty_flights, query)
    found = column_lineage(query, catalog)
    direct = {column: said(edges, "DIRECT") for column, edges in found.columns.items()}
    assert direct == {c: listed(t) for c, t in {**FLIGHT_DELAY, "late": LATE}.items()}
    alone = {c: said(edges, "INDIRECT") for c, edges in found.columns.items()}
    assert {c: edges for c, edges in alone.items() if edges} == {
        column: listed(text) for column, text in FLIGHT_DELAY_ALONE.items()
    }
    assert found.unknown == ()
    assert sources(found) == catalog.used
    rows = said(found.dataset, "INDIRECT")
    assert {
        "JOIN planes.tailnum",
        "FILTER weather.observed_at",
        "SORT weather.observed_at",
        "GROUP_BY flights.origin",
        "FILTER flights.actual_arrival",
        "SORT flights.flight_id",
    } <= rows
    # Only SELECT * takes them, and nothing reads them behind it.
    assert {edge for edge in rows if edge.startswith("OTHER")} == {
        "OTHER flights.air_time",
        "OTHER flights.flight",
    }


def test_the_demo_scores(empty_flights):
    spec = Include(PROJECT / "demo" / "include").spec("flight_delay")
    query = scoring_query(POSTGRES, spec, Period(START, END))
    catalog = read_query(empty_flights, query)
    found = column_lineage(query, catalog)
    direct = {column: said(edges, "DIRECT") for column, edges in found.columns.items()}
    assert direct == {column: listed(text) for column, text in FLIGHT_DELAY.items()}
    assert sources(found) == catalog.used
    (edge,) = (e for e in found.columns["origin_delay_3h"] if e.kind == "DIRECT")
    assert edge.description == "sum(dep_delay) OVER origin_3h"


def test_the_example_trains_on(empty_flights):
    spec = Include(PROJECT / "docs/example").spec("cancellation")
    query = training_query(POSTGRES, spec, start=START, end=END, as_of=END)
    catalog = read_query(empty_flights, query)
    found = column_lineage(query, catalog)
    direct = {column: said(edges, "DIRECT") for column, edges in found.columns.items()}
    assert direct == {c: listed(t) for c, t in {**CANCELLATION, "cancelled": CANCELLED}.items()}
    alone = {c: said(edges, "INDIRECT") for c, edges in found.columns.items()}
    assert {c: edges for c, edges in alone.items() if edges} == {
        column: listed(text) for column, text in CANCELLATION_ALONE.items()
    }
    assert sources(found) == catalog.used


def test_an_edge_that_postgres_does_not_vouch_for_is_left_out_and_said(tables_url):
    sql = "SELECT amount + token_count AS x, order_id FROM orders WHERE status = 'a'"
    catalog = read_query(tables_url, sql)
    less = catalog.used - {("public", "orders", "token_count"), ("public", "orders", "status")}
    found = column_lineage(sql, replace(catalog, used=frozenset(less)))
    assert said(found.columns["x"], "DIRECT") == {"TRANSFORMATION orders.amount"}
    assert said(found.columns["order_id"], "DIRECT") == {"IDENTITY orders.order_id"}
    assert found.dataset == ()
    assert "column x seemed to depend on public.orders.token_count" in found.unknown[0]
    assert "rows seemed to depend on public.orders.status" in found.unknown[1]


def test_a_column_that_no_output_claims_concerns_the_whole_query(tables_url):
    sql = "SELECT order_id FROM orders"
    catalog = read_query(tables_url, sql)
    more = catalog.used | {("public", "orders", "amount")}
    found = column_lineage(sql, replace(catalog, used=more))
    assert said(found.dataset, "INDIRECT") == {"OTHER orders.amount"}


def test_sql_that_cannot_be_parsed_gives_every_used_column_to_every_output(tables_url):
    sql = "SELECT o.amount, i.sku FROM orders o JOIN items i USING (order_id) AS j WHERE qty > 1"
    catalog = read_query(tables_url, sql)
    found = column_lineage(sql, catalog)
    used = "OTHER orders.amount, OTHER items.sku, OTHER orders.order_id, OTHER items.order_id, "
    for column in ("amount", "sku"):
        assert said(found.columns[column], "INDIRECT") == listed(used + "OTHER items.qty")
        assert said(found.columns[column], "DIRECT") == set()
    (sentence,) = found.unknown
    assert "does not parse at line 1" in sentence
    assert "\x1b" not in sentence


def test_without_a_referee_the_walk_stands_alone_and_it_is_said(tables_url):
    sql = CASES["join and aggregate"].sql
    with_referee = read_query(tables_url, sql)
    catalog = replace(
        with_referee, referee="permission denied", used=frozenset(), definition="", functions=()
    )
    found = column_lineage(sql, catalog)
    assert found.columns == column_lineage(sql, with_referee).columns
    (sentence,) = found.unknown
    assert "permission denied" in sentence
    unread = column_lineage("SELECT FROM WHERE", catalog)
    every = {Source(t.schema, t.table, c.name) for t in catalog.tables for c in t.columns}
    assert {e.source for e in unread.columns["revenue"]} == every
    assert "any column of its tables" in unread.unknown[0]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "SELEC 1",
        "DELETE FROM orders",
        "SELECT 1; SELECT 2",
        "SELECT amount, order_id FROM orders",
        "SELECT nothing FROM orders",
        "SELECT amount FROM nowhere",
        "SELECT x.amount FROM orders",
        "SELECT amount FROM orders GROUP BY 7",
        "SELECT sum(amount) OVER nowhere FROM orders",
        "WITH c AS (SELECT * FROM c) SELECT amount FROM c",
        "SELECT amount FROM orders PIVOT (sum(amount) FOR status IN ('a'))",
        "SELECT " + "(" * 3000 + "amount" + ")" * 3000 + " FROM orders",
    ],
)
def test_nothing_is_raised_and_nothing_guessed(tables_url, sql):
    catalog = replace(read_query(tables_url, "SELECT amount FROM orders"), definition="")
    found = column_lineage(sql, catalog)
    assert said(found.columns["amount"], "DIRECT") == set()
    assert said(found.columns["amount"], "INDIRECT") == {"OTHER orders.amount"}
    assert "cannot be followed" in found.unknown[0]


def test_functions_that_may_read_tables_are_said(tables_url):
    sql = "SELECT spent(customer_id) AS s, plus_one(amount) AS p, upper(status) AS u FROM orders"
    found = column_lineage(sql, read_query(tables_url, sql))
    assert said(found.columns["s"], "DIRECT") == {"TRANSFORMATION orders.customer_id"}
    # plus_one calls itself immutable, and nobody holds a function in SQL to that.
    named = [re.search(r"The function (\S+)\(", sentence)[1] for sentence in found.unknown]
    assert named == ["public.plus_one", "public.spent"]
    sql = "SELECT query_to_xml('SELECT * FROM orders', true, true, '')::text AS x"
    (sentence,) = column_lineage(sql, read_query(tables_url, sql)).unknown
    assert "query_to_xml runs SQL from a text" in sentence


def test_two_columns_of_one_name_are_said(tables_url):
    sql = "SELECT amount AS x, order_id AS x FROM orders"
    found = column_lineage(sql, read_query(tables_url, sql))
    assert said(found.columns["x"], "DIRECT") == listed(
        "IDENTITY orders.amount, IDENTITY orders.order_id"
    )
    assert "Two columns are called x" in found.unknown[0]


def test_every_aggregate_of_the_server_is_known_as_one(tables_url):
    with psycopg.connect(tables_url) as connection:
        found = connection.execute(
            "SELECT proname, pronargs FROM pg_proc JOIN pg_aggregate ON aggfnoid = pg_proc.oid "
            "WHERE aggkind = 'n' AND pronargs > 0 AND provariadic = 0 ORDER BY 1, 2"
        ).fetchall()
    assert len(found) > 50
    catalog = read_query(tables_url, "SELECT amount FROM orders")
    for name, count in found:
        call = f"{name}({', '.join(['amount'] * count)})"
        lineage = column_lineage(f"SELECT {call} FROM orders", catalog)
        assert said(lineage.columns["amount"], "DIRECT") == {"AGGREGATION orders.amount"}, call


def test_a_description_is_the_sql_on_one_line_and_short(tables_url):
    long = " + ".join(["amount"] * 100)
    sql = f"SELECT sum(amount\n  * 2) OVER () AS s, -- said\n {long} AS l FROM orders"
    found = column_lineage(sql, read_query(tables_url, sql))
    assert found.columns["s"][0].description == "sum(amount * 2) OVER ()"
    assert len(found.columns["l"][0].description) == 200


def test_the_same_question_has_the_same_answer(tables_url):
    sql = CASES["set operations"].sql
    first, second = (column_lineage(sql, read_query(tables_url, sql)) for _ in range(2))
    assert first == second
    assert list(first.columns) == ["id", "v", "k"]
