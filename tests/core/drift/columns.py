"""Profiles as they are made of rows, for tests of what is measured from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import CategoryProfile, NumericProfile


def numbers(values, edges: Sequence[float] | None = None, nulls: int = 0) -> NumericProfile:
    """The profile of a window's rows, ``nulls`` of them without a value."""
    edges = reference_edges(values) if edges is None else edges
    profiler = Profiler(edges={"x": edges}, categories={})
    column = pa.array([*values, *[None] * nulls], pa.float64())
    profiler.update(pa.table({"x": column}))
    return profiler.result().numeric["x"]


def names(counts: Mapping[str, int], other: int = 0, nulls: int = 0) -> CategoryProfile:
    """The profile of rows by category."""
    rows = sum(counts.values()) + other + nulls
    return CategoryProfile(count=rows, nulls=nulls, counts=counts, other=other)
