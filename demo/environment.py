"""The environment that every process of the demo's Airflow runs in: its whole configuration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.keys import derived_key
from demo.ports import LOOPBACK
from demo.postgres import EmbeddedPostgres
from demo.users import USERS

AIRFLOW_DATABASE = "airflow"
WAREHOUSE_DATABASE = "warehouse"
# Each database belongs to the role of its name.
DATABASES = (AIRFLOW_DATABASE, WAREHOUSE_DATABASE)
# Our own tables lie beside the warehouse's; the tasks may read them and add to them.
TASK_ROLE = "mlops_tasks"
# The API server writes approvals, with a role that no connection of Airflow names.
API_ROLE = "mlops_api"

# Configuration of another Airflow, or of another project, must not reach ours.
FOREIGN_PREFIXES = ("AIRFLOW", "_AIRFLOW", "OPENLINEAGE", "MLOPS_", "PG")
KEPT_PREFIX = "MLOPS_DEMO_"


@dataclass(frozen=True)
class Urls:
    """Where the demo keeps its files, and where the project keeps its own.

    :param folder: the demo's folder, ``.demo`` of the project; all below it may be removed.
    """

    folder: Path
    project: Path
    dags: Path
    plugins: Path

    @property
    def airflow_home(self) -> Path:
        """``AIRFLOW_HOME``."""
        return self.folder / "airflow"

    @property
    def logs(self) -> Path:
        """One log file for each component, and the tasks' logs below ``tasks``."""
        return self.folder / "logs"

    @property
    def lineage(self) -> Path:
        """The file of OpenLineage events, one JSON object a line."""
        return self.folder / "lineage" / "events.jsonl"

    @property
    def artifacts(self) -> Path:
        """What the models leave: snapshots, packages, reports."""
        return self.folder / "artifacts"

    @property
    def approval_key(self) -> Path:
        """The key with which the API server signs approvals."""
        return self.folder / "keys" / "approvals.pem"

    @property
    def api_store_url(self) -> Path:
        """The file with the URL of the API server's own role in the store."""
        return self.folder / "keys" / "store-url"

    @property
    def passwords(self) -> Path:
        """The passwords file of the simple auth manager."""
        return self.airflow_home / "passwords.json"


def connections(postgres: EmbeddedPostgres) -> dict[str, str]:
    """Airflow's connections: id to URI."""
    roles = {"mlops_store": TASK_ROLE, "warehouse": WAREHOUSE_DATABASE}
    return {
        connection_id: "postgres" + postgres.url(WAREHOUSE_DATABASE, user=role)[len("postgresql") :]
        for connection_id, role in roles.items()
    }


def mlops_options(places: Urls, marquez_url: str | None) -> dict[str, str]:
    """The options of section ``[mlops]``."""
    return {
        "include_folder": str(places.project / "demo" / "include"),
        "artifact_root": places.artifacts.as_uri(),
        "store_conn_id": "mlops_store",
        "task_role": TASK_ROLE,
        **({"marquez_url": marquez_url} if marquez_url else {}),
        **_approval_options(places),
    }


def _approval_options(places: Urls) -> dict[str, str]:
    """What signs approvals, and the key that is trusted; nothing before they are made."""
    found = {}
    if places.approval_key.exists():
        # Only with a key is the library needed.
        from mlops.approvals.secret_file import load_key_file  # noqa: PLC0415

        found["approval_key_file"] = str(places.approval_key)
        found["approval_keys"] = load_key_file(places.approval_key).fingerprint
    if places.api_store_url.exists():
        found["api_store_url_file"] = str(places.api_store_url)
    return found


def environment(
    places: Urls, postgres: EmbeddedPostgres, port: int, *, marquez_url: str | None = None
) -> dict[str, str]:
    """All variables for a process of the demo's Airflow, or for a command that works with it.

    :param port: of the API server.
    :param marquez_url: where our own lineage goes; Airflow's own goes to a file.
    :raises DemoError: when the database does not run.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(KEPT_PREFIX) or not name.startswith(FOREIGN_PREFIXES)
    }
    options = _airflow_options(places, postgres, port)
    options["openlineage"] = _openlineage_options(places)
    options["mlops"] = mlops_options(places, marquez_url)
    for section, values in options.items():
        for option, value in values.items():
            variables[f"AIRFLOW__{section.upper()}__{option.upper()}"] = value
    for connection_id, uri in connections(postgres).items():
        variables[f"AIRFLOW_CONN_{connection_id.upper()}"] = uri
    return {
        **variables,
        "AIRFLOW_HOME": str(places.airflow_home),
        # Tasks that call `airflow` or `python` get those that we run with.
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        ),
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        # Spinning threads of one task beside another make both several times slower.
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # Nothing is reported to anybody.
        "DO_NOT_TRACK": "1",
        "SCARF_ANALYTICS": "false",
        **_without_proxy(),
    }


def _without_proxy() -> dict[str, str]:
    """Loopback addresses never go through a proxy that the environment names."""
    names = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy", ""), LOOPBACK, "localhost"]
    value = ",".join(name for name in names if name)
    return {"NO_PROXY": value, "no_proxy": value}


def _airflow_options(
    places: Urls, postgres: EmbeddedPostgres, port: int
) -> dict[str, Mapping[str, str] | dict[str, str]]:
    base_url = f"http://{LOOPBACK}:{port}"
    secret = postgres.password
    database = postgres.url(AIRFLOW_DATABASE, user=AIRFLOW_DATABASE)
    return {
        "core": {
            "dags_folder": str(places.dags),
            "plugins_folder": str(places.plugins),
            "load_examples": "False",
            # The LocalExecutor, with what the tasks import loaded once, before they are forked.
            "executor": "mlops.preload.local.PreloadedLocalExecutor",
            # Two cores: more tasks at once only wait for one another.
            "parallelism": "3",
            "fernet_key": derived_key(secret, "fernet"),
            "execution_api_server_url": f"{base_url}/execution/",
            "simple_auth_manager_users": ",".join(f"{user.name}:{user.role}" for user in USERS),
            "simple_auth_manager_passwords_file": str(places.passwords),
            # The machine's full name may take a slow look-up.
            "hostname_callable": "socket.gethostname",
            "dagbag_import_timeout": "120",
        },
        "database": {
            "sql_alchemy_conn": "postgresql+psycopg2" + database[len("postgresql") :],
        },
        "api": {
            "host": LOOPBACK,
            "port": str(port),
            "base_url": base_url,
            "workers": "1",
            "secret_key": derived_key(secret, "api"),
            "instance_name": "mlops demo",
        },
        "api_auth": {"jwt_secret": derived_key(secret, "jwt")},
        "workers": {"execution_api_timeout": "30"},
        "scheduler": {
            "scheduler_idle_sleep_time": "0.3",
            # What a killed demo left running is found when it starts again.
            "task_instance_heartbeat_timeout": "60",
            "orphaned_tasks_check_interval": "60",
        },
        "dag_processor": {
            "refresh_interval": "5",
            "bundle_refresh_check_interval": "1",
            "min_file_process_interval": "15",
            "dag_file_processor_timeout": "180",
            "parsing_processes": "1",
        },
        "logging": {
            "base_log_folder": str(places.logs / "tasks"),
            "dag_processor_child_process_log_directory": str(places.logs / "dag_files"),
            "colored_console_log": "False",
        },
    }


def _openlineage_options(places: Urls) -> dict[str, str]:
    """Of Airflow's own events: a Marquez that hangs would hold each task, a file never does."""
    transport = {"type": "file", "log_file_path": str(places.lineage), "append": True}
    return {
        "namespace": "mlops-demo",
        "transport": json.dumps(transport),
        "execution_timeout": "15",
    }
