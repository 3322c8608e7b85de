"""What Postgres itself reports about a query: its tables, the columns that it uses, its functions.

Postgres is asked by a temporary view of the query, made in a transaction that is always rolled
back: the view's entries in ``pg_depend`` are the columns that the parsed query refers to, in
any form of SQL. Where no such view can be made, the tables are still read, by the names in the
SQL; :attr:`QueryReading.referee` then holds the reason.

What ``pg_depend`` does not hold: the tables that a function reads inside (the function is named
instead), SQL that is text until it runs, and Postgres' own tables of ``pg_catalog``.
"""

from __future__ import annotations

from typing import Any

import psycopg

from mlops.warehouse.postgres.describe import describe
from mlops.warehouse.postgres.dialect import POSTGRES
from mlops.warehouse.postgres.session import (
    Connection,
    as_ours,
    connected,
    execute_one,
    translated,
    type_names,
)
from mlops.warehouse.postgres.state import CURRENT_SNAPSHOT, LOG_POSITION, NO_LOG_POSITION
from mlops.warehouse.records import Column, QueryReading, TableColumns

_WHAT = "the tables of the query cannot be read"
_VIEW = "mlops_query_reading"

_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

# A column of number 0 means a table of which no column is named: all of them where a
# whole row is taken, none in count(*). pg_depend has no entry for a whole row of a table of which
# a column is named too; the parsed query shows both, by the row's type.
_USED = """
WITH named AS (
    SELECT d.refobjid AS oid, d.refobjsubid AS number
    FROM pg_rewrite AS r
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_class = %(view)s::oid
      AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid <> r.ev_class
), whole AS (
    SELECT t.typrelid AS oid
    FROM pg_rewrite AS r
    CROSS JOIN regexp_matches(r.ev_action::text, ':varattno 0 :vartype (\\d+)', 'g') AS m
    JOIN pg_type AS t ON t.oid = (m[1])::oid
    WHERE r.ev_class = %(view)s::oid
)
SELECT DISTINCT c.oid, n.nspname, c.relname, a.attname
FROM named
JOIN pg_class AS c ON c.oid = named.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a
    ON a.attrelid = c.oid
    AND NOT a.attisdropped
    AND (
        (a.attnum = named.number AND named.number <> 0)
        OR (a.attnum > 0 AND c.oid IN (SELECT oid FROM whole))
    )
"""

# A function in C that calls itself immutable reads no table; every other one may. Of an aggregate
# only the parts have a language.
_FUNCTIONS = """
WITH named AS (
    SELECT d.refclassid, d.refobjid
    FROM pg_rewrite AS r
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_class = %(view)s::oid
), called AS (
    SELECT refobjid AS oid FROM named WHERE refclassid = 'pg_proc'::regclass
    UNION
    SELECT o.oprcode
    FROM named JOIN pg_operator AS o ON o.oid = refobjid
    WHERE refclassid = 'pg_operator'::regclass
)
SELECT format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
FROM called
JOIN pg_proc AS p ON p.oid = called.oid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.prokind = 'a' OR p.provolatile <> 'i' OR l.lanname NOT IN ('c', 'internal')
ORDER BY 1
"""

_TABLES = """
SELECT
    n.nspname, c.relname, c.relkind::text,
    coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum > 0), '{}'),
    coalesce(
        array_agg(a.atttypid::bigint ORDER BY a.attnum) FILTER (WHERE a.attnum > 0), '{}'
    )
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.oid = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
GROUP BY n.nspname, c.relname, c.relkind
ORDER BY n.nspname, c.relname
"""

_AGGREGATES = "SELECT array_agg(DISTINCT proname::text) FROM pg_proc WHERE prokind = 'a'"
_SCHEMAS = "SELECT pg_catalog.current_schemas(true)::pg_catalog.text[]"


def read_query(url: str, query: str) -> QueryReading:
    """Ask Postgres what a query reads; the query is parsed and not run.

    :param query: one SELECT, without parameters.
    :raises WarehouseUnreachable: no connection, or one that broke.
    :raises QueryError: SQL that Postgres refuses.
    """
    outputs = describe(url, query)
    text = POSTGRES.statement(query)
    with connected(url) as connection, translated(_WHAT, connection.settings):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reason = ""
        with connection.transaction(force_rollback=True):
            try:
                with connection.transaction():
                    view = _view(connection, text, columns=len(outputs))
            except psycopg.Error as error:
                refusal = as_ours(_WHAT, error, connection.settings)
                if refusal.retryable:
                    raise refusal from error
                reason = str(refusal.found)
            else:
                return _refereed(connection, outputs, view)
        connection.read_only = True
        with connection.transaction():
            return _without_referee(connection, outputs, text, reason=reason)


def _view(connection: Connection, text: str, *, columns: int) -> int:
    """The number of a temporary view of the query; it goes with the transaction.

    Its columns get names of their own, since a query may return two of one name and a view not.
    """
    names = ", ".join(f"c{number}" for number in range(1, columns + 1))
    with connection.sql_file_names():
        execute_one(connection, f"CREATE TEMPORARY VIEW {_VIEW} ({names}) AS\n{text}")
    return int(_row(connection, f"SELECT 'pg_temp.{_VIEW}'::regclass::oid::bigint")[0])


def _refereed(connection: Connection, outputs: tuple[Column, ...], view: int) -> QueryReading:
    used = connection.execute(_USED, {"view": view}).fetchall()
    functions = connection.execute(_FUNCTIONS, {"view": view}).fetchall()
    tables = _tables(connection, {oid for oid, *_ in used})
    snapshot, lsn, search_path, aggregates = _state(connection)
    # With no schema to search, Postgres writes each table with its own.
    connection.execute("SELECT set_config('search_path', '', true)")
    definition = _row(connection, f"SELECT pg_get_viewdef({view}::oid)")[0]
    return QueryReading(
        outputs=outputs,
        tables=tables,
        used=frozenset((schema, table, name) for _, schema, table, name in used if name),
        functions=tuple(name for (name,) in functions),
        snapshot=snapshot,
        lsn=lsn,
        search_path=tuple(search_path),
        aggregates=frozenset(aggregates),
        definition=definition,
    )


def _without_referee(
    connection: Connection, outputs: tuple[Column, ...], text: str, *, reason: str
) -> QueryReading:
    names = [".".join(map(POSTGRES.quoted, parts)) for parts in POSTGRES.tables(text)]
    with connection.sql_file_names():
        found = connection.execute(
            "SELECT pg_catalog.to_regclass(name)::pg_catalog.oid::pg_catalog.int8 "
            "FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS name",
            [names],
        ).fetchall()
    snapshot, lsn, search_path, aggregates = _state(connection)
    return QueryReading(
        outputs=outputs,
        tables=_tables(connection, {oid for (oid,) in found if oid is not None}),
        used=frozenset(),
        functions=(),
        snapshot=snapshot,
        lsn=lsn,
        search_path=tuple(search_path),
        aggregates=frozenset(aggregates),
        referee=reason,
    )


def _tables(connection: Connection, oids: set[int]) -> tuple[TableColumns, ...]:
    rows = connection.execute(_TABLES, [sorted(oids)]).fetchall()
    return tuple(
        TableColumns(
            schema=schema,
            table=table,
            kind=_KINDS[kind],
            columns=tuple(
                Column(name, pg_type)
                for name, pg_type in zip(names, type_names(connection, types), strict=True)
            ),
        )
        for schema, table, kind, names, types in rows
    )


def _state(connection: Connection) -> tuple[str, str, list[str], list[str]]:
    """Snapshot, position of the log, schemas that are searched for names, aggregates."""
    lsn: str | None = None
    try:
        with connection.transaction():
            (lsn,) = _row(connection, LOG_POSITION)
    except psycopg.Error as error:
        if error.sqlstate not in NO_LOG_POSITION:
            raise
    with connection.sql_file_names():
        (schemas,) = _row(connection, _SCHEMAS)
    searched = [name for name in schemas if not name.startswith("pg_temp")]
    (snapshot,) = _row(connection, CURRENT_SNAPSHOT)
    return snapshot, lsn or "", searched, _row(connection, _AGGREGATES)[0]


def _row(connection: Connection, query: str) -> tuple[Any, ...]:
    """The one row of a query that always returns one."""
    (row,) = connection.execute(query.encode()).fetchall()
    return row
