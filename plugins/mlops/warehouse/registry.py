"""Which warehouse a connection leads to: one implementation for each type of Airflow's connections.

A spec names a connection; its type chooses the implementation here. Postgres is built in, others
are added from outside, see :mod:`mlops.registry` and ``docs/extend/warehouse.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mlops.registry import Registry
from mlops.warehouse.port import Warehouse

if TYPE_CHECKING:
    from mlops.warehouse.dialect import Dialect


@dataclass(frozen=True)
class ConnectionDetails:
    """What a connection of Airflow holds.

    :ivar type: as Airflow spells it: ``postgres``.
    :ivar url: all of it in one text, as Airflow writes it.
    """

    id: str
    type: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    url: str = field(default="", repr=False)


class WarehouseType(Protocol):
    """An implementation of :class:`mlops.warehouse.port.Warehouse`.

    :ivar name: the type of the connections that lead to it.
    """

    @property
    def name(self) -> str: ...

    @property
    def dialect(self) -> Dialect:
        """How its SQL is checked; needs no connection."""
        ...

    def open(self, connection: ConnectionDetails) -> Warehouse:
        """Return the warehouse of a connection. Nothing is connected to yet."""
        ...


WAREHOUSES: Registry[WarehouseType] = Registry(
    "warehouse",
    group="mlops.warehouses",
    built_in={"postgres": "mlops.warehouse.postgres.warehouse:POSTGRES_TYPE"},
    requires=("name", "dialect", "open"),
)
