"""Tests that an implementation of one of our protocols must pass, for pytest.

A module here holds a class of tests. An implementer inherits from it in a test module, and adds the
attributes or the fixtures that it names::

    class TestAcmeWarehouse(WarehouseConformance):
        ...

    class TestMeanGap(DriftStatisticConformance):
        statistic = MeanGap()

The library's own implementations pass the same tests. pytest is needed here and nowhere else in the
package.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "mlops.testing.criterion",
    "mlops.testing.drift_statistic",
    "mlops.testing.model_format",
    "mlops.testing.target",
    "mlops.testing.warehouse",
)
