"""What ``airflow providers`` and ``airflow config`` show of this distribution.

Airflow reads it through the entry point ``apache_airflow_provider``, in every process: so it is
data, and imports nothing. The plugin has its own entry point, ``airflow.plugins``.
"""

from __future__ import annotations

from typing import Any

from mlops import DISTRIBUTION, __version__


def get_provider_info() -> dict[str, Any]:
    """The record that Airflow's ``provider_info.schema.json`` describes."""
    return {
        "package-name": DISTRIBUTION,
        "name": "mlops",
        "description": "One governed life for every model: trained, validated, signed by named "
        "people, deployed, scored, monitored and reported.",
        "versions": [__version__],
        "config": {
            "mlops": {
                "description": "Options of mlops; each is read when it is first needed.",
                "options": {name: _option(*entry) for name, entry in _OPTIONS.items()},
            }
        },
    }


# Name: description, example, whether it is a secret.
_OPTIONS: dict[str, tuple[str, str, bool]] = {
    "include_folder": (
        "The folder of specs, SQL, policies and report templates. Default: include beside the "
        "DAGs folder.",
        "/opt/airflow/include",
        False,
    ),
    "artifact_root": (
        "Folder or bucket for snapshots, packages and reports, as an object storage URL. All "
        "workers must reach it. Default: artifacts beside the DAGs folder.",
        "s3://aws_default@models/mlops",
        False,
    ),
    "store_conn_id": (
        "The Postgres connection of the store. Default: mlops_store.",
        "mlops_store",
        False,
    ),
    "lineage_namespace": (
        "Namespace of the governed jobs in the lineage. Default: mlops.",
        "mlops",
        False,
    ),
    "lineage_hosts": (
        "JSON: for each host:port of a connection the canonical one. Default: none.",
        '{"pooler:6432": "db1:5432"}',
        False,
    ),
    "marquez_url": (
        "Where lineage is delivered. Default: it is kept in the store.",
        "http://marquez:5000",
        False,
    ),
    "marquez_api_key": (
        "Bearer token for a proxy in front of Marquez. Default: none.",
        "a-token",
        True,
    ),
    "task_role": (
        "The database role of the tasks. Default: mlops_tasks.",
        "mlops_tasks",
        False,
    ),
    "approval_keys": (
        "Fingerprints of the keys whose approvals count, divided by commas. Default: none.",
        "2f0c77a1b9de…",
        False,
    ),
    "approval_key_file": (
        "The key with which the API server signs approvals: a file of mode 0600 of its user. "
        "Default: none.",
        "/etc/mlops/approvals.pem",
        False,
    ),
    "api_store_url_file": (
        "A file of mode 0600 with the Postgres URL of the API server's own role in the store. "
        "Default: none, so that it uses store_conn_id.",
        "/etc/mlops/store-url",
        False,
    ),
    "extensions": (
        "Dotted names of modules that add model formats and other items, divided by commas.",
        "company.models",
        False,
    ),
}


def _option(description: str, example: str, secret: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": None,
        "sensitive": secret,
    }
