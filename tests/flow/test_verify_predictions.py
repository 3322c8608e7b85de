"""Predictions or views that somebody changed are found, whoever did it."""

from __future__ import annotations

import pytest

from mlops.core.period import parse
from mlops.errors import PredictionsChanged
from mlops.flow.verify_predictions import verify_predictions
from mlops.store.connect import Store
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.workspace.results import PredictionsVerified
from tests.fixtures.life import Life
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign

DAYS = [parse(day, "day") for day in ("2026-02-01", "2026-02-02")]
FIRST = "batch late/2026-02-01/v1"


@pytest.fixture
def scored(life_of: LifeOf) -> Life:
    """A model with two windows, one of which was read and published twice."""
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    for day in DAYS:
        life.publish(day)
    life.run("UPDATE visits SET guests = guests + 1 WHERE started >= '2026-02-02'")
    life.publish(DAYS[1])
    assert verify(life) == PredictionsVerified(models=1, batches=2)
    return life


def verify(life: Life) -> PredictionsVerified:
    return verify_predictions(life.workspace, lambda connection: PostgresWarehouse(life.database))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE ml.late_predictions SET score = 1 WHERE visit_id = (SELECT min(visit_id)"
         " FROM ml.late_predictions)", f"{FIRST}: other values than those that were published"),
        ("DELETE FROM ml.late_predictions WHERE visit_id = (SELECT min(visit_id)"
         " FROM ml.late_predictions)", f"{FIRST}: 95 rows, 96 were published"),
        ("DELETE FROM ml.late_batches WHERE batch LIKE '%-01/v1'",
         f"{FIRST}: not published in the warehouse"),
        ("INSERT INTO ml.late_batches SELECT 'mine', 1, window_start, window_end, 0, 99"
         " FROM ml.late_batches WHERE batch LIKE '%-01/v1'",
         f"{FIRST}: the view hides it; late: batch mine: published by nothing that was recorded"),
        ("CREATE OR REPLACE VIEW ml.late AS SELECT visit_id, event_time, score / 2 AS score,"
         " decision, p.model_version, p.batch, window_start, window_end, published_at"
         " FROM ml.late_predictions AS p JOIN ml.late_batches USING (batch)",
         "the view ml.late is not the one that was made: its query is"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named_and_opens_a_case(
    scored: Life, statement: str, found: str
) -> None:
    scored.run(statement)
    for _ in range(2):
        with pytest.raises(PredictionsChanged) as raised:
            verify(scored)
        assert f"late: {found}" in str(raised.value)
    cases = scored.rows('SELECT id, owner, severity FROM mlops."case"')
    assert cases == [("late/v1/predictions_changed", "bea", "alarm")]


def test_the_rows_are_as_recorded_again_after_the_window_was_read_again(scored: Life) -> None:
    scored.run("UPDATE ml.late_predictions SET score = 0 WHERE batch LIKE '%-01/v1'")
    scored.publish(DAYS[0])
    assert verify(scored) == PredictionsVerified(models=1, batches=2)


def test_the_command_names_what_was_changed_and_records_nothing(
    scored: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlops.cli.main import main

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", scored.database)
    command = ["verify", "predictions", "--url", scored.database]
    assert main(command) == 0
    assert capsys.readouterr().out == "2 batches of 1 models are as they were published\n"
    assert main([*command, "--model", "another"]) == 0
    scored.run("UPDATE ml.late_predictions SET decision = NOT decision")
    before = scored.content()
    assert main(command) == 1
    assert f"late: {FIRST}: other values than those" in capsys.readouterr().err
    assert scored.content() == before
    assert isinstance(scored.workspace.store, Store)
