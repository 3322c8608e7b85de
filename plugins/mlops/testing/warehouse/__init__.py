"""What every warehouse must do, as tests.

A warehouse that declares all of :data:`mlops.warehouse.base.WHOLE_LIFE` runs
:class:`WarehouseConformance`; one that can only be read runs :class:`ReadOnlyConformance`, which
also asserts that it refuses the rest by name.
"""

from __future__ import annotations

from mlops.testing.warehouse.counts import CountConformance
from mlops.testing.warehouse.lacking import LackConformance
from mlops.testing.warehouse.outcomes import OutcomeConformance
from mlops.testing.warehouse.rows import RowConformance

__all__ = ["ReadOnlyConformance", "WarehouseConformance"]


class ReadOnlyConformance(RowConformance, CountConformance, LackConformance):
    """All that :mod:`mlops.warehouse.port` promises of reading and counting.

    A subclass gives two fixtures and one method, which :mod:`mlops.testing.warehouse.setting`
    describes::

        class TestAcme(ReadOnlyConformance):
            @pytest.fixture
            def warehouse(self) -> Warehouse: ...

            @pytest.fixture
            def unreachable(self) -> Warehouse: ...

            def add_rows(self, warehouse: Warehouse, table: str, rows: pa.Table) -> None: ...
    """


class WarehouseConformance(RowConformance, CountConformance, OutcomeConformance):
    """All that :mod:`mlops.warehouse.port` promises; a subclass gives the same three.

    :class:`OutcomeConformance` begins with the tests of predictions, which outcomes are joined to.
    """
