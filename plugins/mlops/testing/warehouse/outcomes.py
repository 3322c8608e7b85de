"""Tests of outcomes: labels meet their scores, and the KPI has one value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops.errors import DataRefused, QueryError
from mlops.testing.warehouse.predictions import PredictionConformance, write
from mlops.testing.warehouse.setting import ROWS, flights
from mlops.warehouse.port import Capability, Warehouse
from mlops.warehouse.records import HISTOGRAM_BINS, ScoresWithLabels, ShardTarget


def joined(
    warehouse: Warehouse, outcomes: str, scored: ShardTarget, *, label: str = "late"
) -> ScoresWithLabels:
    """The outcomes beside their scores, which are from 0 to 1."""
    return warehouse.scores_with_labels(
        outcomes, scored.table, batch=scored.batch, label=label, score_range=(0.0, 1.0)
    )


class OutcomeConformance(PredictionConformance):
    """``scores_with_labels`` and ``kpi_value``."""

    @pytest.fixture
    def scored(self, warehouse: Warehouse, target: ShardTarget) -> ShardTarget:
        """A batch in which row n of :func:`flights` has the score n / 1,000."""
        write(warehouse, target, {n: n / ROWS for n in range(ROWS)})
        write(warehouse, replace(target, batch="other"), {1: 0.9})
        return target

    def test_it_declares_that_it_joins_outcomes(self, warehouse: Warehouse) -> None:
        assert Capability.OUTCOMES in warehouse.capabilities

    def test_labels_meet_their_scores(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        found = joined(
            warehouse,
            f"SELECT id, late FROM {table} WHERE carrier IS NULL OR carrier <> '5 %'; -- known",
            scored,
        )
        labels = flights()["late"].to_pylist()
        expected = {n / ROWS: label for n, label in enumerate(labels) if label is not None}
        assert dict(zip(found.score.tolist(), found.label.to_pylist(), strict=True)) == expected
        assert found.score.dtype == np.float64
        assert found.label.type == pa.bool_()
        assert found.rows == ROWS
        assert found.score_histogram == (ROWS // HISTOGRAM_BINS,) * HISTOGRAM_BINS

    def test_labels_come_as_the_outcomes_give_them(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        found = joined(
            warehouse,
            f"SELECT id, CASE WHEN late THEN 1 ELSE 0 END AS late FROM {table} WHERE id < 9",
            scored,
        )
        numbers = dict(zip(found.score.tolist(), found.label.to_pylist(), strict=True))
        assert numbers == {n / ROWS: int(n in (3, 6)) for n in range(9)}
        text = joined(warehouse, f"SELECT id, 'é' || id AS late FROM {table} WHERE id = 4", scored)
        assert text.label.to_pylist() == ["é4"]
        half = "SELECT id, CAST(id AS double precision) / 2 AS late"
        amount = joined(warehouse, f"{half} FROM {table} WHERE id = 3", scored)
        assert (amount.label.type, amount.label.to_pylist()) == (pa.float64(), [1.5])

    def test_scores_are_counted_over_their_range(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        none_yet = f"SELECT id, late FROM {table} WHERE id < 0"
        wide, unlimited = (
            warehouse.scores_with_labels(
                none_yet, scored.table, batch=scored.batch, label="late", score_range=limits
            )
            for limits in ((-1.0, 1.0), None)
        )
        half = HISTOGRAM_BINS // 2
        assert wide.score_histogram == (0,) * half + (ROWS // half,) * half
        assert (unlimited.rows, unlimited.score_histogram) == (ROWS, ())

    def test_no_labels_yet(self, warehouse: Warehouse, table: str, scored: ShardTarget) -> None:
        found = joined(warehouse, f"SELECT id, late FROM {table} WHERE id < 0", scored)
        assert (len(found.score), len(found.label)) == (0, 0)
        assert sum(found.score_histogram) == ROWS

    def test_two_outcomes_of_one_key_are_refused(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        twice = f"SELECT id, late FROM {table} UNION ALL SELECT id, late FROM {table}"
        with pytest.raises(DataRefused, match="key id"):
            joined(warehouse, twice, scored)
        with pytest.raises(QueryError, match="nowhere"):
            joined(warehouse, f"SELECT id, nowhere FROM {table}", scored, label="nowhere")

    def test_a_kpi_is_one_finite_number_or_none(self, warehouse: Warehouse, table: str) -> None:
        assert warehouse.kpi_value(f"SELECT count(*) AS value FROM {table}", name="n") == ROWS
        empty = f"SELECT max(delay) AS value FROM {table} WHERE id < 0"
        assert warehouse.kpi_value(empty, name="n") is None
        for wrong in (
            f"SELECT id AS value FROM {table}",
            f"SELECT id AS value FROM {table} WHERE id < 0",
            "SELECT 1 AS other",
            "SELECT 'much' AS value",
            f"SELECT max(delay) AS value FROM {table}",
            "SELECT nowhere AS value",
        ):
            with pytest.raises(QueryError, match="revenue"):
                warehouse.kpi_value(wrong, name="revenue")
