"""A connection of Airflow becomes one URL that psycopg, ADBC and SQLAlchemy read alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from adbc_driver_postgresql import dbapi
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from mlops.connections import database_url
from mlops.errors import ConnectionUnusable, StoreError
from mlops.postgres_url import libpq_parameters, postgres_url
from mlops.store.connect import Store
from mlops.store.migrate import upgrade

if TYPE_CHECKING:
    from tests.fixtures.airflow import Run

PROJECT = Path(__file__).parents[1]
# Each character that a URL, a connection string or a query string gives a meaning to.
AWKWARD = """ a+b%20c:d/e?f#g[h]i@j&k=l'm"n\\o,pé;q """
ROLE = "o'neil @ desk+1"


@pytest.fixture
def awkward(database: str) -> Iterator[dict[str, Any]]:
    """A role and a database of awkward names, as the fields of an Airflow connection."""
    parts = conninfo_to_dict(database)
    name = "ware house+100%/a?b"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
                sql.Identifier(ROLE), sql.Literal(AWKWARD)
            )
        )
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield {
            "conn_type": "postgres",
            "host": parts["host"],
            "port": int(str(parts["port"])),
            "login": ROLE,
            "password": AWKWARD,
            "schema": name,
        }
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


def define(patch: pytest.MonkeyPatch, fields: dict[str, Any], **extra: Any) -> None:
    """Define the connection ``odd`` in Airflow's environment."""
    patch.setenv("AIRFLOW_CONN_ODD", json.dumps({**fields, "extra": extra}))


def test_every_driver_connects_with_awkward_names_and_extras(
    awkward: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    define(
        monkeypatch,
        awkward,
        sslmode="prefer",
        application_name=AWKWARD.strip().replace("é", "e"),
        options='-c statement_timeout=54321 -c search_path="a\\ b",public',
        keepalives=True,
        cursor="dictcursor",
    )
    url = database_url("odd")
    query = (
        "SELECT current_user, current_database(), current_setting('application_name'),"
        " current_setting('statement_timeout')"
    )
    expected = (ROLE, awkward["schema"], AWKWARD.strip().replace("é", "e"), "54321ms")
    with psycopg.connect(url) as connection:
        assert connection.execute(query).fetchone() == expected
        assert connection.execute("SHOW search_path").fetchone() == ('"a b",public',)
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchone() == expected
    with Store(url).engine.connect() as connection:
        assert tuple(connection.execute(text(query)).one()) == expected
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"
    upgrade(url)
    with Store(url).transaction() as transaction:
        assert transaction.session.execute(text("SELECT 1")).scalar() == 1
    with psycopg.connect(Store(url).libpq_url) as connection:
        # Settings are set in each transaction, and not when the connection starts.
        assert connection.execute(query).fetchone() == (*expected[:3], "0")


def test_every_keyword_of_libpq_arrives_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()} - {
        "user",
        "password",
        "host",
        "port",
        "dbname",
    }
    assert {"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"} <= known
    extra = {name: f"{name} {AWKWARD}" for name in known}
    define(monkeypatch, {"conn_type": "postgres", "host": "h", "schema": "d"}, **extra)
    url = database_url("odd")
    assert conninfo_to_dict(url) == {"host": "h", "dbname": "d", **extra}
    assert "+" not in url


@pytest.mark.parametrize(
    "host", ["db.example.com", "10.0.0.1", "::1", "/var/run/postgresql", "db1,db2,db3"]
)
def test_every_kind_of_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, {"conn_type": "postgres", "host": host, "port": 6432, "schema": "d"})
    found = conninfo_to_dict(database_url("odd"))
    assert (found["host"], found["port"], found["dbname"]) == (host, "6432", "d")


def test_a_service_needs_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, {"conn_type": "postgres"}, service="warehouse")
    assert database_url("odd") == "postgresql:///?service=warehouse"


def test_booleans_of_json_are_libpq_s_digits() -> None:
    url = postgres_url({"host": "h", "keepalives": True, "gssdelegation": False, "port": None})
    assert url == "postgresql://h/?gssdelegation=0&keepalives=1"
    assert libpq_parameters(url) == {"host": "h", "gssdelegation": "0", "keepalives": "1"}


@pytest.mark.parametrize(
    ("fields", "extra", "found"),
    [
        ({"conn_type": "mysql", "host": "h"}, {}, "found the type mysql"),
        ({"conn_type": "postgres", "host": "h"}, {"ssl_mode": "x"}, "found the extra ssl_mode"),
    ],
)
def test_what_is_not_a_postgres_connection_is_refused_with_its_name(
    fields: dict[str, Any], extra: dict[str, Any], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(monkeypatch, {**fields, "password": "topsecret"}, **extra)
    with pytest.raises(ConnectionUnusable, match=found) as raised:
        database_url("odd")
    assert str(raised.value).startswith("Airflow's connection 'odd'; ")
    assert "topsecret" not in str(raised.value)


def test_an_unreadable_url_of_the_store_is_not_repeated() -> None:
    with pytest.raises(StoreError) as raised:
        Store("host=h password='topsecret")
    assert "topsecret" not in str(raised.value)


SECRETS = "airflow.secrets.local_filesystem.LocalFilesystemBackend"


@pytest.mark.parametrize("place", ["environment", "secrets backend", "metadata database"])
def test_a_command_finds_the_connection_where_airflow_does(
    place: str, database: str, tmp_path: Path
) -> None:
    """Without PYTHONPATH, and without a task or a server around it."""
    upgrade(database)
    connection = "postgres" + database.removeprefix("postgresql")
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    if place == "environment":
        variables["AIRFLOW_CONN_MLOPS_STORE"] = connection
    elif place == "secrets backend":
        file = tmp_path / "connections.json"
        file.write_text(json.dumps({"mlops_store": connection}))
        variables["AIRFLOW__SECRETS__BACKEND"] = SECRETS
        variables["AIRFLOW__SECRETS__BACKEND_KWARGS"] = json.dumps(
            {"connections_file_path": str(file)}
        )
    else:
        for command in (
            ["db", "migrate"],
            ["connections", "add", "mlops_store", "--conn-uri", connection],
        ):
            subprocess.run(
                [Path(sys.executable).parent / "airflow", *command],
                env=variables,
                check=True,
                capture_output=True,
            )
    done = subprocess.run(
        [sys.executable, "-m", "mlops", "ledger", "verify"],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 entries" in done.stdout


def test_our_tables_are_mapped_without_airflow_s_models(run_airflow: Run) -> None:
    """They are 0.3 s of each task; mapped later in the same process, Airflow's are complete."""
    found = run_airflow(
        "import json, sys\n"
        "from airflow.sdk import BaseOperator\n"
        "from mlops.connections import configure_tables\n"
        "configure_tables()\n"
        "configure_tables()\n"
        "from sqlalchemy import select\n"
        "from sqlalchemy.orm import configure_mappers\n"
        "from mlops.store.tables import Base, SpecRow\n"
        "str(select(SpecRow).filter_by(model='churn'))\n"
        "SpecRow(digest='d')\n"
        "loaded = 'airflow.models.taskinstance' in sys.modules\n"
        "configure_mappers()\n"
        "found = [all(mapper.configured for mapper in Base.registry.mappers), loaded,\n"
        "         'airflow.models.taskinstance' in sys.modules]\n"
        "print(json.dumps(found))"
    )
    assert found == [True, False, True]
