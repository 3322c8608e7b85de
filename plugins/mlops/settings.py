"""The options of section ``[mlops]``, one function each, read when first asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from airflow.sdk.configuration import conf

from mlops.errors import LineageError
from mlops.extensions import extensions_from

SECTION = "mlops"


@cache
def include_folder() -> Path:
    """``[mlops] include_folder``: where specs, SQL, policies and report templates are.

    Default: ``include`` beside the DAGs folder.
    """
    named = conf.get(SECTION, "include_folder", fallback=None)
    return Path(named) if named else Path(conf.get("core", "dags_folder")).parent / "include"


@cache
def artifact_root() -> str:
    """``[mlops] artifact_root``: a folder or a bucket, as ``file://``, ``s3://`` or ``gs://``.

    Default: ``artifacts`` beside the DAGs folder. All workers must reach it.
    """
    named = conf.get(SECTION, "artifact_root", fallback=None)
    return named or f"file://{Path(conf.get('core', 'dags_folder')).parent / 'artifacts'}"


@cache
def store_conn_id() -> str:
    """``[mlops] store_conn_id``: the connection of the store. Default: ``mlops_store``."""
    return str(conf.get(SECTION, "store_conn_id", fallback="mlops_store"))


@cache
def lineage_namespace() -> str:
    """``[mlops] lineage_namespace``: the namespace of the governed jobs, not Airflow's.

    Default: ``mlops``. Changed later, it makes other jobs of the same ones.
    """
    return str(conf.get(SECTION, "lineage_namespace", fallback="mlops"))


@cache
def lineage_hosts() -> Mapping[str, str]:
    """``[mlops] lineage_hosts``: JSON, for each ``host:port`` of a connection the canonical one.

    Default: ``{}``. For servers that have several addresses, as a pooler's.

    :raises LineageError: it is something else.
    """
    text = conf.get(SECTION, "lineage_hosts", fallback=None) or "{}"
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise LineageError(
            f"the option [{SECTION}] lineage_hosts",
            found=text,
            expected='JSON as {"pooler:6432": "db1:5432"}',
            action="correct it where this process runs",
        )
    return MappingProxyType({str(alias): str(name) for alias, name in found.items()})


@cache
def marquez_url() -> str | None:
    """``[mlops] marquez_url``: where lineage is delivered.

    Default: none. Without it, lineage is kept in the store and delivered when there is a URL.
    """
    return conf.get(SECTION, "marquez_url", fallback=None) or None


@cache
def marquez_api_key() -> str | None:
    """``[mlops] marquez_api_key``: sent as a bearer token, for a proxy before Marquez.

    Default: none.
    """
    return conf.get(SECTION, "marquez_api_key", fallback=None) or None


@cache
def task_role() -> str:
    """``[mlops] task_role``: the database role of ``store_conn_id``.

    Default: ``mlops_tasks``. It may read and add, nothing else.
    """
    return str(conf.get(SECTION, "task_role", fallback="mlops_tasks"))


@cache
def approval_keys() -> frozenset[str]:
    """``[mlops] approval_keys``: fingerprints of the keys whose approvals count, with commas.

    Default: none. The ledger registers keys; only those that are pinned here are trusted. Set it
    for the API server, for the tasks and for the commands.
    """
    text = conf.get(SECTION, "approval_keys", fallback=None) or ""
    return frozenset(text.replace(",", " ").split())


@cache
def approval_key_file() -> Path | None:
    """``[mlops] approval_key_file``: the key with which the API server signs approvals.

    Default: none. A file of mode 0600 of the API server's user; ``mlops keys create`` makes it.
    """
    named = conf.get(SECTION, "approval_key_file", fallback=None)
    return Path(named) if named else None


@cache
def api_store_url_file() -> Path | None:
    """``[mlops] api_store_url_file``: a file with the Postgres URL of the API server's own role.

    Default: none; the API server writes with the role of ``store_conn_id``, as the tasks do. A
    file of mode 0600 of the API server's user, and never a connection of Airflow: any task gets
    those.
    """
    named = conf.get(SECTION, "api_store_url_file", fallback=None)
    return Path(named) if named else None


@cache
def extensions() -> tuple[str, ...]:
    """``[mlops] extensions``: dotted names of modules that add something, divided by commas.

    Default: none. Each is imported once in a process, when something is needed that the library
    does not have itself; see :mod:`mlops.registry`.
    """
    names = conf.get(SECTION, "extensions", fallback=None) or ""
    return tuple(dict.fromkeys(names.replace(",", " ").split()))


extensions_from(extensions)
