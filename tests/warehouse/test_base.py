"""What a warehouse lacks is refused by name, before work is put into a model."""

from __future__ import annotations

import pytest

from mlops.errors import CapabilityMissing
from mlops.warehouse.base import WHOLE_LIFE, NoWarehouse, WarehouseBase, require_capabilities
from mlops.warehouse.port import ALL_CAPABILITIES, Capability
from mlops.warehouse.postgres.warehouse import PostgresWarehouse
from mlops.warehouse.records import Address


class Shop(WarehouseBase):
    capabilities = frozenset({Capability.READ, Capability.OUTCOMES})

    @property
    def address(self) -> Address:
        return Address("acme", "db:1", "shop", dialect="sqlite")


def test_a_warehouse_that_lacks_something_is_named_with_what_it_can() -> None:
    require_capabilities(Shop(), {Capability.READ})
    with pytest.raises(CapabilityMissing) as caught:
        require_capabilities(Shop(), WHOLE_LIFE)
    assert str(caught.value).startswith(
        "the warehouse acme db:1 shop; found it can outcomes, read; expected predictions; "
    )
    assert not caught.value.retryable


def test_postgres_can_do_everything() -> None:
    url = "postgresql://ann:topsecret@db.example:6432/shop"
    require_capabilities(PostgresWarehouse(url), ALL_CAPABILITIES)
    assert PostgresWarehouse(url).address == Address(
        "postgres", "db.example:6432", "shop", dialect="postgres", state_kind="pg_snapshot"
    )
    assert "topsecret" not in repr(PostgresWarehouse(url))


def test_the_api_server_reads_no_data() -> None:
    nothing = NoWarehouse()
    assert nothing.capabilities == frozenset()
    for verb in (nothing.describe, nothing.stream, nothing.read_query):
        with pytest.raises(CapabilityMissing, match="expected read"):
            verb("SELECT 1 AS one")
    assert nothing.dialect.name == "postgres"
