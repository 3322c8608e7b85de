"""Passwords that are words: Airflow writes *** over each place where a known password occurs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from mlops.connections import database_url
from mlops.errors import MlopsError
from mlops.settings import include_folder, lineage_namespace, store_conn_id
from mlops.spec.load import Include
from mlops.store.tables import Base

# What occurs in names that this library makes on every platform.
_EVERYWHERE = (
    "postgres",
    "mlops",
    "airflow",
    "public",
    "specs/snapshots/checks/trainings/validations/models/versions/approvals/deployments",
    "plans/measurements/monitoring/predictions/reports",
    "observe.contracts.release.score.monitor.control.governance",
)


def connections_with_maskable_passwords() -> list[str]:
    """Connections whose password occurs in a name of a dataset, a model or a job.

    The name is not shown, since it would give the password away.
    """
    urls = dict(_urls())
    names = [*_EVERYWHERE, *_models(), *(table.name for table in Base.metadata.sorted_tables)]
    names += [lineage_namespace(), *(_places(urls.values()))]
    shortest = _shortest()
    return [
        conn_id
        for conn_id, url in urls.items()
        if len(password := unquote(urlsplit(url).password or "")) >= shortest
        and password.lower() != "airflow"  # Airflow spares this one
        and any(password in name for name in names)
    ]


def _urls() -> Iterator[tuple[str, str]]:
    for conn_id in sorted({store_conn_id(), *_warehouses()}):
        try:
            yield conn_id, database_url(conn_id)
        except Exception:  # noqa: BLE001, S112 (no such connection: another check reports it)
            continue


def _specs() -> Iterator[tuple[str, str]]:
    """Model and warehouse connection of each sound spec."""
    include = Include(include_folder())
    try:
        files = include.spec_files()
    except (MlopsError, OSError):
        return
    for file in files:
        try:
            spec = include.read_spec(file)
        except MlopsError:
            continue  # `check` reports it
        yield spec.model, spec.content.warehouse


def _models() -> list[str]:
    return [model for model, _ in _specs()]


def _warehouses() -> list[str]:
    return [warehouse for _, warehouse in _specs()] or ["warehouse"]


def _places(urls: Iterable[str]) -> Iterator[str]:
    for url in urls:
        parts = urlsplit(url)
        yield f"{parts.hostname}{parts.path}"


def _shortest() -> int:
    """A shorter password is masked nowhere."""
    from airflow.configuration import conf

    return max(conf.getint("logging", "min_length_masked_secret", fallback=5), 1)
