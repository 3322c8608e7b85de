"""``init`` writes what a company begins with, and overwrites nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import psycopg
import pytest
import yaml

from mlops.spec.load import Include
from mlops.spec.schema import json_schema
from mlops.warehouse.postgres.stream import stream
from tests.fixtures.shell import Answer, mlops

TABLE = """
CREATE TABLE loans (
    loan_id bigint PRIMARY KEY, opened_at timestamptz NOT NULL, defaulted boolean,
    amount numeric(12, 2), term integer, region text, note jsonb
)
"""
OTHER_TYPES = """
CREATE TABLE cases (
    id bigint, opened date, noted timestamp, refused integer,
    amount numeric, branch uuid, grade character(1), share real, is_new boolean
);
INSERT INTO cases
SELECT n, date '2025-01-01' + n, timestamp '2025-01-01 23:30' + n * interval '1 day', n % 2, n,
    gen_random_uuid(), 'a', n, true
FROM generate_series(1, 9) AS n
"""
NAMES = ("--model", "credit", "--table", "public.loans", "--key", "loan_id")


def first_spec(folder: Path, database: str, *more: str) -> Answer:
    """The command with a table of loans."""
    with psycopg.connect(database) as connection:
        connection.execute(TABLE)
    return mlops("init", folder, *NAMES, *more, AIRFLOW_CONN_WAREHOUSE="postgres" + database[10:])


def check(folder: Path) -> Answer:
    """The command over what was written."""
    return mlops("check", "--include", folder / "include")


def fill_in(folder: Path) -> None:
    """What a person writes in the place of the placeholders."""
    for file in folder.glob("include/*/*.yml"):
        text = re.sub(r"replace-me-(\d)", r"user-\1", file.read_text())
        file.write_text(re.sub(r"Replace this by", "What is", text))


@pytest.mark.airflow
def test_a_new_folder_is_sound_at_once(tmp_path: Path) -> None:
    answer = mlops("init", tmp_path)
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in (tmp_path / "dags").iterdir()) == [
        "mlops_broken_specs.py",
        "mlops_governance.py",
        "mlops_models.py",
    ]
    policy = Include(tmp_path / "include").policy("standard")
    assert set(policy.seats) == {"business_owner", "lead_data_scientist", "model_risk"}
    assert "--model" in answer.out.splitlines()[-1]


def test_the_first_spec_comes_from_the_columns_of_a_table(tmp_path: Path, database: str) -> None:
    answer = first_spec(tmp_path, database, "--time", "opened_at", "--label", "defaulted")
    assert answer.code == 0, answer.err
    file = tmp_path / "include" / "models" / "credit.yml"
    spec = yaml.safe_load(file.read_text())
    assert list(spec["develop"]["features"]) == ["amount", "term", "region"]
    assert spec["develop"]["features"]["region"]["kind"] == "categorical"
    assert "found the placeholder 'replace-me-4'" in check(tmp_path).err
    fill_in(tmp_path)
    checked = check(tmp_path)
    assert checked.code == 0, checked.out + checked.err
    schema = tmp_path / "include" / "schema" / "model.json"
    first_line = file.read_text().splitlines()[0]
    assert first_line == "# yaml-language-server: $schema=../schema/model.json"
    jsonschema.validate(spec, json.loads(schema.read_text()))
    with psycopg.connect(database) as connection:
        for name in ("features.sql", "outcomes.sql"):
            sql = (tmp_path / "include" / "sql" / "credit" / name).read_text()
            for parameter in ("window_start", "window_end", "as_of"):
                sql = sql.replace(f":{parameter}", "now()")
            connection.execute(sql)


@pytest.mark.parametrize(
    ("time", "zone"),
    [("opened", "Asia/Tokyo"), ("noted", "America/New_York")],
    ids=["date", "timestamp without time zone"],
)
def test_the_first_queries_give_types_that_models_read(
    time: str, zone: str, tmp_path: Path, database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(OTHER_TYPES)
    answer = mlops(
        "init", tmp_path, "--model", "case", "--table", "cases", "--key", "id", "--time", time,
        "--label", "refused", AIRFLOW_CONN_WAREHOUSE="postgres" + database[10:],
    )  # fmt: skip
    assert answer.code == 0, answer.err
    sql = (tmp_path / "include" / "sql" / "case" / "features.sql").read_text()
    for name, day in {"window_start": "2025-01-03", "window_end": "2025-01-07"}.items():
        sql = sql.replace(f":{name}", f"timestamptz '{day} UTC'")
    with stream(f"{database}?options=-c%20timezone%3D{zone}", sql) as read:
        kinds = {field.name: str(field.type) for field in read.schema}
        ids = [key for batch in read for key in batch.column("id").to_pylist()]
    assert sorted(ids) == [2, 3, 4, 5], "the database's own time zone changes nothing"
    assert kinds == {
        "id": "int64",
        time: "timestamp[us, tz=UTC]",
        "amount": "double",
        "branch": "string",
        "grade": "string",
        "share": "float",
        "is_new": "bool",
    }


@pytest.mark.airflow
def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    policy = tmp_path / "include" / "policies" / "standard.yml"
    policy.parent.mkdir(parents=True)
    policy.write_text("ours")
    answer = mlops("init", tmp_path)
    assert f"kept   {policy}" in answer.out
    assert policy.read_text() == "ours"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--time", "opened_at"), "the first spec of a model; found no --label"),
        (
            ("--time", "opened", "--label", "defaulted"),
            "the table public.loans; found no column opened",
        ),
    ],
)
def test_what_is_missing_is_named(
    more: tuple[str, ...], message: str, tmp_path: Path, database: str
) -> None:
    answer = first_spec(tmp_path, database, *more)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["model", "policy"])
def test_the_command_prints_the_published_schema(kind: str) -> None:
    published = Path(__file__).parents[2] / "docs" / "schema" / f"{kind}.json"
    what_to_do = "run `make reference` and commit it"
    assert mlops("schema", kind).out == published.read_text(), what_to_do
    assert json.loads(published.read_text()) == json_schema(kind)  # type: ignore[arg-type]
