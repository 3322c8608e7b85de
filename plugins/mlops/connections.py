"""From an Airflow task's context to the workspace that a step is given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.configuration import conf

from mlops.errors import ConnectionUnusable
from mlops.postgres_url import postgres_url
from mlops.settings import artifact_root, include_folder, lineage_hosts, lineage_namespace
from mlops.settings import store_conn_id as configured_store

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.warehouse.port import Warehouse
    from mlops.workspace.workspace import RunIdentity, Workspace

_POSTGRES_TYPES = ("postgres", "postgresql")
# What the hook hands to a driver's connect() and libpq does not know.
_ONLY_FOR_PSYCOPG = ("autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory")


def open_workspace(context: Context, *, warehouse_conn_id: str, store_conn_id: str) -> Workspace:
    """Look up the connections and say who asks. Nothing is connected to yet."""
    from mlops.spec.load import Include
    from mlops.store.artifacts import Artifacts
    from mlops.store.connect import Store
    from mlops.workspace.workspace import Workspace, now

    configure_tables()
    return Workspace(
        store=Store(database_url(store_conn_id)),
        artifacts=Artifacts(ObjectStoragePath(artifact_root())),
        include=Include(include_folder()),
        warehouse=open_warehouse(warehouse_conn_id),
        run=run_identity(context),
        job_namespace=lineage_namespace(),
        canonical=lineage_hosts(),
        started=now(),
    )


def configure_tables() -> None:
    """Have SQLAlchemy work out the mappings of our tables, and of ours alone.

    Before the first mapping of a process, Airflow has SQLAlchemy import the models of its whole
    metadata database, also for mappings that are not its own. That costs a task 0.3 s and 8 MB,
    and no task may reach that database. So Airflow's listener is away for as long as our mappings
    are worked out, and hears of the next ones.
    """
    from airflow import models
    from sqlalchemy import event
    from sqlalchemy.orm import Mapper

    from mlops.store.tables import Base

    listener: Any = getattr(models, "import_all_models", None)
    moment = "before_configured"
    listens = listener is not None and event.contains(Mapper, moment, listener)
    if listens:
        event.remove(Mapper, moment, listener)
    try:
        Base.registry.configure()
    finally:
        if listens:
            event.listen(Mapper, moment, listener, once=True)


def server_workspace(run: RunIdentity) -> Workspace:
    """A workspace for what happens in the API server, outside of any task."""
    from mlops.spec.load import Include
    from mlops.store.artifacts import Artifacts
    from mlops.store.connect import Store
    from mlops.warehouse.base import NoWarehouse
    from mlops.workspace.workspace import Workspace

    return Workspace(
        store=Store(database_url(configured_store())),
        artifacts=Artifacts(ObjectStoragePath(artifact_root())),
        include=Include(include_folder()),
        warehouse=NoWarehouse(),
        run=run,
        job_namespace=lineage_namespace(),
        canonical=lineage_hosts(),
    )


def open_warehouse(conn_id: str) -> Warehouse:
    """The warehouse of a connection, whose type chooses the implementation.

    :raises ExtensionError: no implementation has this type.
    """
    from mlops.warehouse.registry import WAREHOUSES, ConnectionDetails

    found = BaseHook.get_connection(conn_id)
    is_postgres = found.conn_type in _POSTGRES_TYPES
    details = ConnectionDetails(
        id=conn_id,
        type=found.conn_type or "",
        host=found.host,
        port=found.port,
        login=found.login,
        password=found.password,
        schema=found.schema,
        extra=found.extra_dejson,
        url=database_url(conn_id) if is_postgres else found.get_uri(),
    )
    return WAREHOUSES.get(details.type).open(details)


def database_url(conn_id: str) -> str:
    """The URL of a Postgres connection, as the provider's hook would connect.

    Airflow looks the connection up where it always does: environment, secrets backends, metadata
    database. The hook adds what its extras ask for, as a token of IAM or Azure; every other extra
    is a keyword of libpq, as ``sslmode`` or ``options``.

    :raises ConnectionUnusable: the connection is of another type, or has an extra that libpq does
        not know.
    """
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from psycopg.pq import Conninfo

    class Parameters(PostgresHook):
        """The hook up to the point where it would connect."""

        def _create_connection(self, conn_args: dict[str, Any]) -> Any:
            return conn_args

    hook = Parameters(postgres_conn_id=conn_id)
    if hook.connection.conn_type not in _POSTGRES_TYPES:
        raise ConnectionUnusable(
            f"Airflow's connection '{conn_id}'",
            found=f"the type {hook.connection.conn_type}",
            expected="the type postgres",
            action="define it as a Postgres connection",
        )
    parameters: Any = hook.get_conn()
    parameters = {
        name: value for name, value in parameters.items() if name not in _ONLY_FOR_PSYCOPG
    }
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ConnectionUnusable(
            f"Airflow's connection '{conn_id}'",
            found=f"the extra {', '.join(unknown)}",
            expected="extras of the Postgres provider and keywords of libpq",
            action="remove it from the connection's extras",
        )
    return postgres_url(parameters)


def run_identity(context: Any) -> RunIdentity:
    """Which task asks, and who started its run."""
    from mlops.workspace.workspace import RunIdentity

    task_instance, dag_run = context["ti"], context["dag_run"]
    return RunIdentity(
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        try_number=task_instance.try_number,
        map_index=-1 if task_instance.map_index is None else task_instance.map_index,
        triggered_by=getattr(dag_run, "triggering_user_name", None) or "",
    )


def pages_address() -> str:
    """Where our pages are, below the path that ``[api] base_url`` gives Airflow."""
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{base}/mlops"


def clock(context: Any) -> datetime:
    """The moment that a run is for: its logical date, or when it was started."""
    dag_run = context["dag_run"]
    moment: datetime = dag_run.logical_date or dag_run.run_after
    return moment.astimezone(UTC)
