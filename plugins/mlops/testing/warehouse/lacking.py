"""Tests of a warehouse that can only be read: what it lacks, it refuses by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlops.errors import CapabilityMissing
from mlops.testing.warehouse.setting import START, Setting
from mlops.warehouse.base import WHOLE_LIFE, require_capabilities
from mlops.warehouse.port import Capability, Warehouse
from mlops.warehouse.records import PredictionTable, ShardTarget

TABLE = PredictionTable(schema="ml", model="late", key="id")
TARGET = ShardTarget(TABLE, "late/1", shard=0, version=1)

VERBS: dict[str, tuple[Capability, Callable[[Warehouse], object]]] = {
    "ensure_tables": (
        Capability.PREDICTIONS,
        lambda it: it.ensure_tables(TABLE, key_type="bigint"),
    ),
    "write_scores": (Capability.PREDICTIONS, lambda it: it.write_scores(TARGET)),
    "publish_batch": (
        Capability.PREDICTIONS,
        lambda it: it.publish_batch(
            TABLE,
            batch="late/1",
            model_version=1,
            window_start=START,
            window_end=START,
            rows=0,
            over_others=True,
        ),
    ),
    "stored_batches": (Capability.PREDICTIONS, lambda it: it.stored_batches(TABLE)),
    "view_difference": (Capability.PREDICTIONS, lambda it: it.view_difference(TABLE)),
    "scores_query": (Capability.PREDICTIONS, lambda it: it.scores_query(TABLE, "late/1")),
    "scores_with_labels": (
        Capability.OUTCOMES,
        lambda it: it.scores_with_labels(
            "SELECT 1", TABLE, batch="late/1", label="late", score_range=None
        ),
    ),
    "kpi_value": (Capability.OUTCOMES, lambda it: it.kpi_value("SELECT 1", name="revenue")),
}


class LackConformance(Setting):
    """The verbs that write, and those that need what was written."""

    def test_it_declares_that_it_can_only_be_read(self, warehouse: Warehouse) -> None:
        assert Capability.READ in warehouse.capabilities
        assert not warehouse.capabilities & {Capability.PREDICTIONS, Capability.OUTCOMES}

    @pytest.mark.parametrize("verb", VERBS)
    def test_what_it_lacks_is_refused_by_name(self, warehouse: Warehouse, verb: str) -> None:
        capability, call = VERBS[verb]
        with pytest.raises(CapabilityMissing, match=f"expected {capability}"):
            call(warehouse)

    def test_a_model_is_refused_before_work_is_put_into_it(self, warehouse: Warehouse) -> None:
        with pytest.raises(CapabilityMissing, match="expected outcomes, predictions"):
            require_capabilities(warehouse, WHOLE_LIFE)
