"""Snapshots, predictions and results as frames, and the example notebook that shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psycopg
import pytest

from mlops import frames
from mlops.core.targets.binary.metrics import measure
from mlops.errors import RecordMissing
from mlops.settings import artifact_root, store_conn_id

if TYPE_CHECKING:
    from tests.fixtures.life import Lived

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "read_a_model.ipynb"
MODEL = "flight_delay"


@pytest.fixture
def airflow(lived: Lived, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lived:
    """A lived model behind Airflow's own connections and options."""
    made = lived.life
    connection = "postgres" + made.database.removeprefix("postgresql")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_STORE", connection)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    monkeypatch.setenv("AIRFLOW__MLOPS__ARTIFACT_ROOT", made.workspace.artifacts._root.as_uri())
    for setting in (artifact_root, store_conn_id):
        setting.cache_clear()
    return lived


def test_a_snapshot_is_read_whole_or_by_columns(airflow: Lived) -> None:
    listed = frames.snapshots(MODEL)
    rows = frames.snapshot(MODEL)
    assert len(rows) == listed["rows"].iloc[0] > 1000
    by_id = frames.snapshot(listed["id"].iloc[0], columns=["origin", "late"])
    assert list(by_id.columns) == ["origin", "late"]
    assert by_id["origin"].equals(rows["origin"])
    with pytest.raises(RecordMissing, match="snapshot nothing"):
        frames.snapshot("nothing")


def test_the_predictions_are_those_of_the_view(airflow: Lived) -> None:
    listed = frames.batches(MODEL)
    scores = frames.predictions(listed["id"].iloc[0])
    assert len(scores) == listed["rows"].iloc[0] > 1000
    with psycopg.connect(airflow.life.database) as connection:
        total = connection.execute(f"SELECT sum(score) FROM ml.{MODEL}").fetchone()
    assert total is not None
    assert scores["score"].sum() == pytest.approx(total[0])
    assert isinstance(scores["event_time"].dtype, pd.DatetimeTZDtype)
    with pytest.raises(RecordMissing, match="batch nothing"):
        frames.predictions("nothing")


def test_results_are_the_judged_windows(airflow: Lived) -> None:
    found = frames.results(MODEL)
    assert list(found["period"]) == ["2013-W27"]
    assert found["state"].iloc[0] in ("ok", "warn", "alarm")
    assert frames.results("nothing").empty


def test_core_takes_columns_of_frames_as_it_takes_arrays(airflow: Lived) -> None:
    rows = frames.snapshot(MODEL, columns=["late", "distance"])
    shuffled = rows.sample(frac=1, random_state=3)
    score = shuffled["distance"] / shuffled["distance"].max()
    found = measure(shuffled["late"], score)
    assert found == measure(shuffled["late"].to_numpy(), score.to_numpy())


def test_the_notebook_runs_and_shows_what_it_promises(airflow: Lived) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not kept in git"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    text = json.dumps(notebook)
    assert "JFK" in text
    assert "2013-W27" in text
