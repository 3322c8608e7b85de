"""From an Airflow task's context to the workspace that a step is given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.configuration import conf

from mlops.settings import artifact_root, include_folder, lineage_hosts, lineage_namespace
from mlops.settings import store_conn_id as configured_store

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.warehouse.port import Warehouse
    from mlops.workspace.workspace import RunIdentity, Workspace


def open_workspace(context: Context, *, warehouse_conn_id: str, store_conn_id: str) -> Workspace:
    """Look up the connections and say who asks. Nothing is connected to yet."""
    from mlops.spec.load import Include
    from mlops.store.artifacts import Artifacts
    from mlops.store.connect import Store
    from mlops.workspace.workspace import Workspace

    return Workspace(
        store=Store(database_url(store_conn_id)),
        artifacts=Artifacts(ObjectStoragePath(artifact_root())),
        include=Include(include_folder()),
        warehouse=open_warehouse(warehouse_conn_id),
        run=run_identity(context),
        job_namespace=lineage_namespace(),
        canonical=lineage_hosts(),
    )


def server_workspace(run: RunIdentity) -> Workspace:
    """A workspace for what happens in the API server, where there is no task."""
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
    details = ConnectionDetails(
        id=conn_id,
        type=found.conn_type or "",
        host=found.host,
        port=found.port,
        login=found.login,
        password=found.password,
        schema=found.schema,
        extra=found.extra_dejson,
        url=found.get_uri(),
    )
    return WAREHOUSES.get(details.type).open(details)


def database_url(conn_id: str) -> str:
    """The URL of a Postgres connection, as libpq spells it."""
    url: str = BaseHook.get_connection(conn_id).get_uri()
    return url.replace("postgres://", "postgresql://", 1)


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
    """The moment that a run stands for: its logical date, or when it was started."""
    dag_run = context["dag_run"]
    moment: datetime = dag_run.logical_date or dag_run.run_after
    return moment.astimezone(UTC)
