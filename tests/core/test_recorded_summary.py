"""What a snapshot's row records of its file is what its rows show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlops.core.recorded_summary import (
    FileCounts,
    SideCounts,
    counts_from_json,
    summary_from_json,
    summary_to_json,
)
from mlops.core.summary import Summariser
from mlops.core.table import count_file
from mlops.spec.model import Develop

DEVELOP = Develop.model_validate_json(
    json.dumps(
        {
            "features_sql": "features.sql",
            "outcomes_sql": "outcomes.sql",
            "key": "id",
            "time": "at",
            "label": "late",
            "features": {"x": {}},
            "contract": {"min_rows": 1},
            "split": {"unit": "day", "train": 2, "test": 1},
            "candidates": [{"name": "a", "estimator": "sklearn.dummy.DummyClassifier"}],
            "gates": [{"metric": "auc", "at_least": 0.5}],
        }
    )
)
TEST_START = datetime(2026, 1, 3, tzinfo=UTC)
ROWS = pa.table(
    {
        "id": [1, 2, 2, 3, 3, 3],
        "at": pa.array(
            [datetime(2026, 1, day, tzinfo=UTC) if day else None for day in (1, 2, 3, 4, 5, None)],
            pa.timestamp("us", "UTC"),
        ),
        "late": [True, False, True, True, False, True],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
)


def test_counts_of_a_file_are_recorded_and_read_back(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "rows.parquet", row_group_size=2)
    counts = count_file(tmp_path / "rows.parquet", DEVELOP, test_start=TEST_START)
    assert counts == FileCounts(
        key_duplicates=3,
        untimed=1,
        train=SideCounts(2, {"label_share": 1 / 2}),
        test=SideCounts(3, {"label_share": 2 / 3}),
    )
    summariser = Summariser(DEVELOP)
    for batch in ROWS.to_batches():
        summariser.update(batch)
    recorded = json.loads(json.dumps(summary_to_json(summariser.result(), counts)))
    assert counts_from_json(recorded) == counts
    found = summary_from_json(recorded, key_duplicates=counts.key_duplicates)
    assert (found.rows, found.key_duplicates) == (6, 3)
    assert found.labels == {"label_share": 4 / 6}


def test_a_summary_of_an_earlier_version_has_no_counts() -> None:
    earlier = {"rows": 1, "columns": {}, "newest": None, "label_share": 0.5}
    assert counts_from_json(earlier) is None
    assert summary_from_json(earlier, key_duplicates=0).labels == {"label_share": 0.5}
