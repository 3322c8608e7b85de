"""The options of section ``[mlops]``, and what holds where one is not set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

CODE = """
import json
from mlops import settings
names = ("include_folder", "artifact_root", "store_conn_id", "task_role")
print(json.dumps({name: str(getattr(settings, name)()) for name in names}))
"""
SET = {
    "include_folder": "/etc/models",
    "artifact_root": "s3://bucket/artifacts",
    "store_conn_id": "our_store",
    "task_role": "our_tasks",
}


def test_what_holds_where_nothing_is_set(run_airflow: Run) -> None:
    assert run_airflow(CODE, AIRFLOW__CORE__DAGS_FOLDER="/opt/airflow/dags") == {
        "include_folder": "/opt/airflow/include",
        "artifact_root": "file:///opt/airflow/artifacts",
        "store_conn_id": "mlops_store",
        "task_role": "mlops_tasks",
    }


def test_each_option_is_read_from_its_own_name(run_airflow: Run) -> None:
    variables = {f"AIRFLOW__MLOPS__{name.upper()}": value for name, value in SET.items()}
    assert run_airflow(CODE, **variables) == SET


@pytest.mark.parametrize("hosts", ["{", "[1]", "pooler=db1"])
def test_hosts_that_are_no_json_are_named(run_airflow: Run, hosts: str) -> None:
    code = (
        "import json\nfrom mlops import settings\nfrom mlops.errors import LineageError\n"
        "try:\n    settings.lineage_hosts()\n"
        "except LineageError as error:\n    print(json.dumps(str(error)))"
    )
    assert run_airflow(code, AIRFLOW__MLOPS__LINEAGE_HOSTS=hosts).startswith(
        f"the option [mlops] lineage_hosts; found {hosts}; expected JSON as "
    )


def test_no_option_is_read_when_the_module_is_imported(run_airflow: Run) -> None:
    code = (
        "import json\n"
        "from airflow.sdk.configuration import conf\n"
        "def refuse(section, *rest, **options):\n"
        "    assert section != 'mlops', rest\n"
        "    return read(section, *rest, **options)\n"
        "read, conf.get = conf.get, refuse\n"
        "import mlops.settings, mlops.lifecycle, mlops.plugin, mlops.cli.main\n"
        "print(json.dumps('imported'))"
    )
    assert run_airflow(code) == "imported"
