"""From an Airflow task's context to the workspace that a step is given."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.configuration import conf

from mlops.errors import ConnectionUnusable
from mlops.postgres_url import postgres_url
from mlops.settings import (
    api_store_url_file,
    approval_key_file,
    approval_keys,
    artifact_root,
    include_folder,
    lineage_hosts,
    lineage_namespace,
)
from mlops.settings import store_conn_id as configured_store
from mlops.trust import NoSigner, Signer, Trust

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.warehouse.port import Warehouse
    from mlops.workspace.workspace import RunIdentity, Workspace

log = logging.getLogger(__name__)

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
        store=Store(database_url(store_conn_id), trust=approval_trust()),
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
        store=Store(_server_store_url(), trust=approval_trust()),
        artifacts=Artifacts(ObjectStoragePath(artifact_root())),
        include=Include(include_folder()),
        warehouse=NoWarehouse(),
        run=run,
        job_namespace=lineage_namespace(),
        canonical=lineage_hosts(),
        signer=approval_signer(),
    )


def approval_trust() -> Trust:
    """Which approvals count: by the pinned keys, and by what each policy accepts."""
    from mlops.errors import SpecError
    from mlops.spec.load import Include

    def unsigned_until(policy: str) -> date | None:
        try:
            return Include(include_folder()).policy(policy).unsigned_accepted_until
        except SpecError:  # what cannot be read accepts nothing
            return None

    return Trust(keys=approval_keys(), unsigned_until=unsigned_until)


def approval_signer() -> Signer | NoSigner:
    """The key of the API server, read for each answer, so that one that was mended is used at once.

    What is wrong with it is logged for the operator of the platform.
    """
    from mlops.approvals.secret_file import load_key_file
    from mlops.errors import KeyUnusable

    path = approval_key_file()
    if path is None:
        log.error("approvals are not signed: [mlops] approval_key_file is not set")
        return NoSigner("the API server has no key: [mlops] approval_key_file is not set")
    try:
        return load_key_file(path)
    except KeyUnusable as error:
        log.exception("approvals are not signed")
        return NoSigner(f"the API server cannot use its key: found {error.found}")


def _server_store_url() -> str:
    """The store's URL for the API server: of its own role, if it has one."""
    from mlops.approvals.secret_file import read_secret_file

    path = api_store_url_file()
    if path is None:
        return database_url(configured_store())
    return read_secret_file(path).decode().strip()


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
