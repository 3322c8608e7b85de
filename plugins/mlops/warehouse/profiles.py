"""The profile of a window on the bins of a reference."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mlops.warehouse.port import Warehouse

if TYPE_CHECKING:
    from mlops.core.profiles import Profile


def window_profile(
    warehouse: Warehouse, sql: str, reference: Profile, *, columns: Collection[str] | None = None
) -> Profile:
    """Profile a query's rows on the edges and categories of a reference.

    :param columns: those of the reference's columns that the query has; all when None.
    :raises DataRefused: a column is of another kind than in the reference.
    :raises QueryError: SQL that does not run, or lacks a column.
    :raises WarehouseUnreachable: no connection, or one that broke.
    """
    wanted = set(reference.columns if columns is None else columns)
    return warehouse.profile_rows(
        sql,
        edges={n: p.edges for n, p in reference.numeric.items() if n in wanted},
        categories={n: tuple(p.counts) for n, p in reference.categories.items() if n in wanted},
    )
