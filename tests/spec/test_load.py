"""A spec with its SQL: what it is identified by, and what is wrong with its files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.digests import digest_json
from mlops.errors import SpecError
from mlops.spec.load import Include, Spec

if TYPE_CHECKING:
    from tests.spec.conftest import Folder

PROJECT = Path(__file__).parents[2]
ESTIMATOR = "      estimator: sklearn.linear_model.LogisticRegression\n"
HEAVY = (
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "airflow",
    "numpy",
    "openlineage",
    "pandas",
    "psycopg",
    "pyarrow",
    "sklearn",
    "sqlalchemy",
    "sqlglot",
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_file_s_name_must_be_the_model_s(folder: Folder) -> None:
    assert folder.spec_error({"model: churn": "model: leavers"}) == [
        "models/churn.yml:2: model: must agree with the file's name; "
        "found model 'leavers' in churn.yml; expected leavers.yml."
    ]


def test_an_sql_file_that_is_missing(folder: Folder) -> None:
    folder.sql("kpi.sql").unlink()
    assert folder.spec_error({}) == [
        f"models/churn.yml:{folder.line('kpi.sql')}: names the SQL file kpi.sql; "
        "found sql/churn/kpi.sql: No such file or directory; expected a file with one SELECT."
    ]


def test_an_sql_file_whose_name_is_the_end_of_another_s_has_its_own_line(folder: Folder) -> None:
    lines = folder.spec_error({"monitor:\n": "deploy:\n  scoring_sql: s.sql\nmonitor:\n"})
    assert lines[0].startswith(f"models/churn.yml:{folder.line('scoring_sql')}: names ")


def test_an_sql_file_that_is_empty(folder: Folder) -> None:
    folder.sql("kpi.sql").write_text(" \n\n")
    assert folder.spec_error({}) == ["sql/churn/kpi.sql:1: is empty; expected one SELECT."]


def test_an_sql_file_that_is_not_utf_8(folder: Folder) -> None:
    folder.sql("kpi.sql").write_bytes(b"SELECT\n'caf\xe9' AS value\n")
    assert folder.spec_error({}) == [
        "sql/churn/kpi.sql:2: is not UTF-8; found invalid continuation byte; expected UTF-8 text."
    ]


def test_an_sql_file_with_a_zero_byte_has_a_line(folder: Folder) -> None:
    folder.sql("kpi.sql").write_text("SELECT 1 AS value\n\0FROM nothing\n")
    assert folder.spec_error({}) == [
        "sql/churn/kpi.sql:2: holds a zero byte; expected text without one; what to do: remove it."
    ]


def test_an_sql_file_may_begin_with_the_mark_of_editors_on_windows(folder: Folder) -> None:
    before = folder.spec().digest
    folder.sql("kpi.sql").write_bytes(b"\xef\xbb\xbf" + folder.sql("kpi.sql").read_bytes())
    assert folder.spec().digest == before


@pytest.mark.parametrize("name", ["../other/kpi.sql", "below/../../kpi.sql", "/etc/kpi.sql"])
def test_an_sql_file_must_lie_below_its_model_s_folder(folder: Folder, name: str) -> None:
    outside = folder.root / "sql" / "other" / "kpi.sql"
    outside.parent.mkdir()
    outside.write_text("SELECT 1")
    assert folder.spec_error({"sql: kpi.sql": f"sql: {name}"}) == [
        f"models/churn.yml:{folder.line(name)}: names the SQL file {name}; "
        "expected a file below sql/churn."
    ]


def test_an_sql_file_may_lie_in_a_folder_below(folder: Folder) -> None:
    folder.sql("business").mkdir()
    folder.sql("business/kpi.sql").write_text("SELECT 2 AS value")
    spec = folder.spec({"sql: kpi.sql": "sql: business/kpi.sql"})
    assert spec.sql["business/kpi.sql"] == "SELECT 2 AS value"


def test_all_sql_files_that_are_wrong_are_said_at_once(folder: Folder) -> None:
    folder.sql("kpi.sql").unlink()
    folder.sql("outcomes.sql").write_text("")
    lines = folder.spec_error({})
    assert len(lines) == 2
    assert "kpi.sql: No such file" in lines[0]
    assert lines[1] == "sql/churn/outcomes.sql:1: is empty; expected one SELECT."


def test_scoring_reads_the_training_query_unless_the_spec_names_another(folder: Folder) -> None:
    assert folder.spec().scoring_sql == "SELECT 1 AS features\n"
    folder.sql("live.sql").write_text("SELECT 1 AS live\n")
    spec = folder.spec({"monitor:\n": "deploy:\n  scoring_sql: live.sql\nmonitor:\n"})
    assert spec.scoring_sql == "SELECT 1 AS live\n"


def test_specs_and_policies_are_found_in_the_order_of_their_names(folder: Folder) -> None:
    for name in ("b.yml", "a.yml", "notes.txt"):
        (folder.root / "models" / name).write_text("")
    assert [file.name for file in folder.include.spec_files()] == ["a.yml", "b.yml", "churn.yml"]
    assert folder.include.policy_files() == [folder.policy_file]


def test_both_endings_of_yaml_are_read(folder: Folder) -> None:
    before, standard = folder.spec(), folder.policy()
    spec = folder.spec_file.rename(folder.spec_file.with_suffix(".yaml"))
    policy = folder.policy_file.rename(folder.policy_file.with_suffix(".yaml"))
    include = folder.include
    assert (include.spec_files(), include.policy_files()) == ([spec], [policy])
    assert include.read_spec(spec).digest == include.spec("churn").digest == before.digest
    assert include.policy("standard") == standard
    spec.rename(spec.with_name("other.yaml"))
    with pytest.raises(
        SpecError, match=r"found model 'churn' in other\.yaml; expected churn\.yaml"
    ):
        include.read_spec(spec.with_name("other.yaml"))


def test_two_files_of_one_name_are_refused_whichever_is_asked_for(folder: Folder) -> None:
    include = folder.include
    files = [folder.spec_file, folder.policy_file]
    for file in files:
        file.with_suffix(".yaml").write_text(file.read_text())
    assert [file.name for file in include.spec_files()] == ["churn.yaml", "churn.yml"]
    for name, read in (
        ("models/churn", lambda: include.spec("churn")),
        ("models/churn", lambda: include.read_spec(files[0])),
        ("models/churn", lambda: include.read_spec(files[0].with_suffix(".yaml"))),
        ("policies/standard", lambda: include.policy("standard")),
    ):
        with pytest.raises(SpecError) as raised:
            read()
        stem = name.partition("/")[2]
        assert folder.lines(raised.value) == [
            f"{name}: two files of one name; found {stem}.yml and {stem}.yaml; "
            "expected one of them; what to do: remove the one that does not count."
        ]


@pytest.mark.parametrize("name", ["features.sql", "outcomes.sql", "kpi.sql"])
def test_the_digest_changes_with_the_text_of_any_sql_file(folder: Folder, name: str) -> None:
    before = folder.spec()
    folder.sql(name).write_text(before.sql[name] + " ")
    after = folder.spec()
    assert after.digest != before.digest
    assert after.criteria_digest == before.criteria_digest


def test_the_digest_does_not_change_with_how_the_same_is_written(folder: Folder) -> None:
    before = folder.spec()
    same = {
        "# Who is about to leave?\n": "# Another remark\n\n",
        "target: 10": "target: 10.0",
        "plan: {kind: categorical}": "plan:\n      kind: categorical\n      max_null_share: 0",
        "manage:\n  decision: Whom do we call?\n": "manage:\n  review_months: 12\n"
        "  decision: >-\n    Whom do\n    we call?\n",
    }
    assert folder.spec(same).digest == before.digest
    (folder.root / "sql" / "churn" / "nobody_names_this.sql").write_text("SELECT 3")
    assert folder.spec().digest == before.digest


@pytest.mark.parametrize(
    ("old", "new", "criteria"),
    [
        ("target: 10", "target: 11", False),
        ("{C: 0.1}", "{C: 0.2}", False),
        ("{C: 0.1}", "{C: '0.1'}", False),
        ("max: 120}", "max: 121}", False),
        ("- {metric: auc, at_least: 0.7}", "- {metric: auc, at_least: 0.69}", True),
        ("{train: 3}", "{train: 4}", True),
        ("  gates:", "  select_by: brier\n  gates:", True),
    ],
)
def test_the_digests_change_with_the_content(
    folder: Folder, old: str, new: str, criteria: bool
) -> None:
    before, after = folder.spec(), folder.spec({old: new})
    assert after.digest != before.digest
    assert (after.criteria_digest != before.criteria_digest) is criteria


def test_the_default_model_format_is_no_part_of_the_digest(folder: Folder) -> None:
    before = folder.spec()
    named = folder.spec({"params: {C: 0.1}": "params: {C: 0.1}\n      format: skops"})
    assert named.digest == before.digest
    (candidate,) = named.content.develop.candidates
    assert "format" not in candidate.model_dump()
    assert candidate.model_copy(update={"format": "acme"}).model_dump()["format"] == "acme"


def test_a_model_format_that_is_not_known_is_refused_with_its_line(folder: Folder) -> None:
    message = r"churn.yml:\d+: develop.candidates.0.format: model format 'acme' is not known"
    with pytest.raises(SpecError, match=message):
        folder.spec({"params: {C: 0.1}": "params: {C: 0.1}\n      format: acme"})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(params=st.dictionaries(st.text(), json_values, max_size=4), sql=st.text(min_size=1))
def test_a_registered_spec_is_rebuilt_with_its_digest(
    folder: Folder, params: dict[str, Any], sql: str
) -> None:
    sound = folder.spec()
    written = sound.to_json()
    written["content"]["develop"]["candidates"][0]["params"] = params
    spec = Spec.from_json({**written, "sql": {**sound.sql, "kpi.sql": sql}})
    kept = json.loads(json.dumps(spec.to_json()))
    again = Spec.from_json(kept)
    assert again == spec
    assert again.digest == spec.digest
    assert again.criteria_digest == spec.criteria_digest
    assert again.scoring_sql == spec.scoring_sql


def test_keys_that_came_later_do_not_change_the_digests_of_earlier_specs(folder: Folder) -> None:
    """The two digests are those that version 0.1.0 gave to the same text."""
    spec = folder.spec()
    content = spec.content.model_dump(mode="json")
    assert (
        digest_json(content) == "7cb8999325a082a80c67a0f40811a9bc61e1ac21536e0802d68c4410d95d8fd2"
    )
    assert spec.criteria_digest == (
        "bb0eec57ab7ada62e9335bc743da0bff1a1ef26ebdf606f50c5719f80635a302"
    )
    later = folder.spec({"  decision: Whom": "  limitations: [Only adults.]\n  decision: Whom"})
    assert later.content.manage.limitations == ("Only adults.",)
    assert later.digest != spec.digest


def test_a_rebuilt_spec_is_checked_as_a_written_one(folder: Folder) -> None:
    written = folder.spec().to_json()
    written["content"]["develop"]["gates"] = []
    with pytest.raises(ValueError, match="at least 1 item"):
        Spec.from_json(written)


def test_the_specs_and_policies_of_the_project_are_sound() -> None:
    include = Include(PROJECT / "demo" / "include")
    specs = [include.read_spec(file) for file in include.spec_files()]
    assert "flight_delay" in [spec.model for spec in specs]
    for spec in specs:
        assert include.policy(spec.content.deploy.policy).tier(spec.content) is not None


def test_the_include_folder_may_be_missing(tmp_path: Path) -> None:
    assert Include(tmp_path / "nothing").spec_files() == []
    with pytest.raises(SpecError, match=r"standard\.yml: cannot be read"):
        Include(tmp_path / "nothing").policy("standard")


def test_reading_a_spec_imports_nothing_heavy() -> None:
    """A DAG file reads every spec at each parse."""
    code = f"""
import sys
from pathlib import Path
from mlops.spec.load import Include
include = Include(Path({str(PROJECT / "demo" / "include")!r}))
for file in include.spec_files():
    spec = include.read_spec(file)
    include.policy(spec.content.deploy.policy)
    spec.digest
print(sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_registered_spec_keeps_its_digest_from_release_to_release() -> None:
    """A key that is new in a spec is left out where nobody gives it: see ``Section``.

    Otherwise every spec that is on record would seem to have been changed after its registration.
    """
    content = {
        "model": "late",
        "title": "Will it be late?",
        "manage": {
            "decision": "Which ones does the desk look at?",
            "use": "The desk reads the scores.",
            "business_owner": "bea",
            "developer": "sam",
            "exposure": "low",
            "purpose": "operations",
            "kpi": {"name": "Flagged", "measure": "recall", "unit": "%", "target": 30},
        },
        "develop": {
            "features_sql": "features.sql",
            "outcomes_sql": "outcomes.sql",
            "key": "id",
            "time": "at",
            "label": "late",
            "features": {"hour": {"min": 0}, "carrier": {"kind": "categorical"}},
            "split": {"unit": "day", "train": 1},
            "candidates": [{"name": "one", "estimator": "sklearn.dummy.DummyClassifier"}],
            "gates": [{"metric": "auc", "at_least": 0.5}],
        },
        "monitor": {"performance": {"at_least": 0.5}},
    }
    spec = Spec.from_json({"content": content, "sql": {"features.sql": "SELECT 1"}})
    assert spec.digest == "a44b65511ba988bb77898a005e73ec7d894f84776d6f3c5b574a0fc447629a09"
