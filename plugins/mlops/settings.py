"""The options of section ``[mlops]``, one function each, read when first asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from airflow.sdk.configuration import conf

SECTION = "mlops"


@cache
def include_folder() -> Path:
    """``[mlops] include_folder``: where specs, SQL, policies and report templates lie.

    Default: ``include`` beside the DAGs folder.
    """
    named = conf.get(SECTION, "include_folder", fallback=None)
    return Path(named) if named else Path(conf.get("core", "dags_folder")).parent / "include"


@cache
def artifact_root() -> str:
    """``[mlops] artifact_root``: a folder or a bucket, as an object storage URL.

    Default: ``file://<dags folder>/../artifacts``. All workers must reach it.
    """
    named = conf.get(SECTION, "artifact_root", fallback=None)
    return named or f"file://{Path(conf.get('core', 'dags_folder')).parent / 'artifacts'}"


@cache
def store_conn_id() -> str:
    """``[mlops] store_conn_id``: the connection of our own tables. Default: ``mlops_store``."""
    return str(conf.get(SECTION, "store_conn_id", fallback="mlops_store"))


@cache
def task_role() -> str:
    """``[mlops] task_role``: the database role of the tasks. Default: ``mlops_tasks``."""
    return str(conf.get(SECTION, "task_role", fallback="mlops_tasks"))
