"""Where the pages read: our store in a transaction that cannot write, and the kept reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowNotFoundException

from mlops.connections import approval_trust, database_url
from mlops.errors import StoreUnreachable
from mlops.settings import artifact_root, store_conn_id
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.store.transaction import Transaction


@contextmanager
def read_only_transaction() -> Iterator[Transaction]:
    """One view of the store: all queries of a page see the same state, none can change it.

    The connection is looked up for each page, so that one that was mended is used at once.

    :raises StoreUnreachable: no such connection in Airflow, or no answer from it.
    :raises StoreNotMigrated: the schema is missing or of another revision.
    """
    with _store(_url()).transaction() as transaction:
        transaction.session.connection(
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        yield transaction


def report_bytes(sha256: str) -> bytes:
    """A kept report, its digest checked.

    :raises ArtifactMissing, ArtifactChanged: as :meth:`mlops.store.artifacts.Artifacts.read`.
    """
    return Artifacts(ObjectStoragePath(artifact_root())).read(sha256)


@lru_cache(maxsize=2)
def _store(url: str) -> Store:
    """Kept between pages for its compiled SQL, which takes longer than the queries."""
    return Store(url, trust=approval_trust())


def _url() -> str:
    conn_id = store_conn_id()
    try:
        return database_url(conn_id)
    except AirflowNotFoundException as error:
        raise StoreUnreachable(
            f"Airflow's connection '{conn_id}'",
            found="no such connection",
            expected="a Postgres connection with the role that the tasks use",
            action=f"define it in Airflow under Admin, Connections, or as AIRFLOW_CONN_"
            f"{conn_id.upper()} for the API server and the workers",
        ) from error
