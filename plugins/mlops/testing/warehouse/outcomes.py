"""Tests of outcomes: labels meet their scores, and the KPI has one value."""

from __future__ import annotations

import numpy as np
import pytest

from mlops.errors import DataRefused, QueryError
from mlops.testing.warehouse.predictions import PredictionConformance, write
from mlops.testing.warehouse.setting import ROWS, flights
from mlops.warehouse.port import Capability, Warehouse
from mlops.warehouse.records import HISTOGRAM_BINS, ShardTarget


class OutcomeConformance(PredictionConformance):
    """``scores_with_labels`` and ``kpi_value``."""

    @pytest.fixture
    def scored(self, warehouse: Warehouse, target: ShardTarget) -> ShardTarget:
        """A batch in which row n of :func:`flights` has the score n / 1,000."""
        write(warehouse, target, {n: n / ROWS for n in range(ROWS)})
        write(warehouse, ShardTarget(target.table, "other", 0, 1, 7, None), {1: 0.9})
        return target

    def test_it_declares_that_it_joins_outcomes(self, warehouse: Warehouse) -> None:
        assert Capability.OUTCOMES in warehouse.capabilities

    def test_labels_meet_their_scores(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        found = warehouse.scores_with_labels(
            f"SELECT id, late FROM {table} WHERE carrier IS NULL OR carrier <> '5 %'; -- known",
            scored.table,
            batch=scored.batch,
            label="late",
        )
        labels = flights()["late"].to_pylist()
        expected = {n / ROWS: label for n, label in enumerate(labels) if label is not None}
        assert dict(zip(found.score.tolist(), found.label.tolist(), strict=True)) == expected
        assert found.score.dtype == np.float64
        assert found.label.dtype == np.bool_
        assert found.score_histogram == (ROWS // HISTOGRAM_BINS,) * HISTOGRAM_BINS

    def test_labels_may_be_whole_numbers(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        found = warehouse.scores_with_labels(
            f"SELECT id, CASE WHEN late THEN 1 ELSE 0 END AS late FROM {table} WHERE id < 9",
            scored.table,
            batch=scored.batch,
            label="late",
        )
        assert sorted(found.score[found.label].tolist()) == [3 / ROWS, 6 / ROWS]
        assert len(found.label) == 9

    def test_no_labels_yet(self, warehouse: Warehouse, table: str, scored: ShardTarget) -> None:
        found = warehouse.scores_with_labels(
            f"SELECT id, late FROM {table} WHERE id < 0",
            scored.table,
            batch=scored.batch,
            label="late",
        )
        assert (len(found.score), len(found.label)) == (0, 0)
        assert sum(found.score_histogram) == ROWS

    def test_two_outcomes_of_one_key_are_refused(
        self, warehouse: Warehouse, table: str, scored: ShardTarget
    ) -> None:
        twice = f"SELECT id, late FROM {table} UNION ALL SELECT id, late FROM {table}"
        with pytest.raises(DataRefused, match="key id"):
            warehouse.scores_with_labels(twice, scored.table, batch=scored.batch, label="late")
        with pytest.raises(QueryError, match="nowhere"):
            warehouse.scores_with_labels(
                f"SELECT id, nowhere FROM {table}", scored.table, batch=scored.batch, label="late"
            )

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
