"""Tests that an implementation of one of our protocols must pass, for pytest.

A module here holds a class of tests. An implementer inherits from it in a test module and adds the
fixtures that it names::

    class TestAcmeWarehouse(WarehouseConformance):
        ...

pytest is needed here and nowhere else in the package.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("mlops.testing.warehouse")
