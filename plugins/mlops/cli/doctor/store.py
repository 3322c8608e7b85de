"""Our own tables: they are there, and the tasks can add to them and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import text

from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed, of_error
from mlops.connections import database_url
from mlops.errors import StoreError
from mlops.settings import store_conn_id
from mlops.store.connect import Store
from mlops.store.tables import SCHEMA
from mlops.store.transaction import Transaction

# Of Airflow's own tables; three of them together stand in its metadata database only.
_AIRFLOW_TABLES = ("dag_run", "task_instance", "serialized_dag")
# TRIGGER, since a trigger can change what is inserted.
_TOO_MUCH = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")

_ROLE = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_OWNED = """
    SELECT 'schema ' || nspname FROM pg_namespace
    WHERE nspname = :schema AND pg_has_role(nspowner, 'MEMBER')
    UNION ALL
    SELECT relname FROM pg_class
    WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'p')
      AND pg_has_role(relowner, 'MEMBER')
    ORDER BY 1
"""
_ALLOWED = """
    SELECT relname, privilege FROM pg_class, unnest(CAST(:privileges AS text[])) AS privilege
    WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'p')
      AND (has_table_privilege(pg_class.oid, privilege)
           OR (privilege = 'UPDATE' AND has_any_column_privilege(pg_class.oid, 'UPDATE')))
    ORDER BY 1, 2
"""
_AIRFLOW_S = """
    SELECT count(DISTINCT relname) FROM pg_class
    WHERE relkind IN ('r', 'p') AND relname = ANY (CAST(:tables AS text[]))
"""


def open_store() -> Store:
    """The store of the connection ``[mlops] store_conn_id``.

    :raises StoreError: this connection does not exist.
    """
    try:
        return Store(database_url(store_conn_id()))
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"the connection '{store_conn_id()}' of our own tables",
            found=type(error).__name__,
            expected="a Postgres connection of the tasks' role",
            action="make it, or correct [mlops] store_conn_id",
        ) from error


def store() -> Iterator[CheckResult]:
    """The store answers, has our tables, and its connection's role can only read and add."""
    try:
        with open_store().transaction() as transaction:
            yield Passed("the store answers, and its tables are of this version")
            yield from list(_role(transaction))
            yield from list(_apart(transaction))
    except StoreError as error:
        yield of_error(
            error,
            severity="unsafe",
            check="store",
            action=f"correct the connection '{store_conn_id()}'; until then no task can run",
        )


def _role(transaction: Transaction) -> Iterator[CheckResult]:
    session = transaction.session
    schema = {"schema": SCHEMA}
    too_much = ""
    if session.scalar(text(_ROLE)):
        too_much = "a superuser"
    elif owned := session.scalars(text(_OWNED), schema).all():
        too_much = f"an owner, or a member of the owner, of {_few(owned)}"
    elif allowed := session.execute(
        text(_ALLOWED), {**schema, "privileges": list(_TOO_MUCH)}
    ).all():
        too_much = f"a role that may {_few([f'{what} {table}' for table, what in allowed])}"
    if not too_much:
        yield Passed(f"the connection '{store_conn_id()}' can read and add, and nothing else")
        return
    yield Finding(
        severity="unsafe",
        check="store_role",
        what=f"the role of the connection '{store_conn_id()}'",
        found=too_much,
        expected="one with SELECT and INSERT only: who can edit the ledger can rewrite the past",
        action="run python -m mlops db upgrade --url <the owner's> --task-role <a role of its own>,"
        " and let the connection use that role",
    )


def _apart(transaction: Transaction) -> Iterator[CheckResult]:
    found = transaction.session.scalar(text(_AIRFLOW_S), {"tables": list(_AIRFLOW_TABLES)})
    if found == len(_AIRFLOW_TABLES):
        yield Finding(
            severity="advice",
            check="store_apart",
            what="our own tables lie in Airflow's metadata database",
            found="one database for both",
            expected="a database of their own, or the warehouse's",
            action="move schema mlops: who cleans, resets or restores Airflow must not touch it",
        )
    else:
        yield Passed("our own tables lie apart from Airflow's metadata")


def _few(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


CHECKS: tuple[Check, ...] = (store,)
