"""Each keyword of libpq, with any characters, in each form in which Airflow takes a connection."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from mlops.connections import database_url

# A connection has fields of its own for these.
FIELDS = {"user", "password", "host", "port", "dbname"}
KEYWORDS = sorted(
    {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()} - FIELDS
)
VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    extra=st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4),
    login=VALUES,
    password=VALUES,
    database=VALUES,
    form=st.sampled_from(["json", "uri", "uri with extra"]),
)
def test_every_keyword_arrives_in_every_form(
    extra: dict[str, str],
    login: str,
    password: str,
    database: str,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields: dict[str, Any] = {"login": login, "password": password, "schema": database}
    if form == "json":
        text = json.dumps({"conn_type": "postgres", "host": "h", **fields, "extra": extra})
    else:
        query = urlencode({"__extra__": json.dumps(extra)} if "extra" in form else extra)
        name, secret, path = (quote(value, safe="") for value in fields.values())
        text = f"postgres://{name}:{secret}@h/{path}?{query}"
    monkeypatch.setenv("AIRFLOW_CONN_FORM", text)
    assert conninfo_to_dict(database_url("form")) == {
        "host": "h",
        "user": login,
        "password": password,
        "dbname": database,
        **extra,
    }


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"keepalives_idle": 30}, {"keepalives_idle": "30"}),
        ({"iam": False}, {}),
        ({"cursor": "dictcursor"}, {}),
        ("{}", {}),
        ({}, {}),
    ],
)
def test_extras_that_the_hook_reads(
    extra: Any, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"conn_type": "postgres", "host": "h", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FORM", json.dumps(fields))
    assert conninfo_to_dict(database_url("form")) == {"host": "h", **expected}
