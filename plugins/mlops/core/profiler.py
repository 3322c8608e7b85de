"""Make a profile in memory, batch by batch, and the edges and categories that it counts on.

Each column of a batch is sorted once, and the *edges are searched in the column*: a few hundred
binary searches instead of one for each value. NaN sorts last, so missing values are counted free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from mlops.core.encode import FeatureEncoder
from mlops.core.profiles import (
    CategoryProfile,
    NumericProfile,
    Profile,
    centre_of,
    steady_sums,
    within_reach,
)
from mlops.errors import DataRefused

SCORE = "score"
BATCH_ROWS = 65_536


def reference_edges(values: NDArray[Any], *, bins: int = 10) -> tuple[float, ...]:
    """Edges that cut a reference into ``bins`` parts of about equal size.

    The first edge is the smallest finite value and the last one the next float after the largest,
    so that bin 0 and the last bin count what is outside the reference's range. The edges between
    are observed values, the quantiles ``i / bins`` by inversion of the empirical distribution
    (Hyndman and Fan 1996, definition 1); equal ones become one edge. NaN and infinities are left
    out.

    :param values: one-dimensional; integers and booleans are read as floats.
    :returns: at most ``bins + 1`` ascending edges, none when no value is finite.
    """
    column = np.sort(np.asarray(values, dtype=np.float64).ravel())
    column = column[np.searchsorted(column, -np.inf, "right") : np.searchsorted(column, np.inf)]
    if not column.size:
        return ()
    ranks = -(-column.size * np.arange(1, bins) // bins) - 1
    last = math.nextafter(float(column[-1]), math.inf)
    edges = np.concatenate([column[:1], column[ranks], [last]]) + 0.0
    return tuple(np.unique(edges[np.isfinite(edges)]).tolist())


def reference_profile(
    rows: pa.Table, scores: NDArray[np.float64], encoder: FeatureEncoder, *, bins: int = 10
) -> Profile:
    """What a model version learnt from: its features, and its scores under the name ``score``.

    :param rows: the training rows, with the features of ``encoder``.
    :param scores: shape (n,), of rows that were not trained on; ``n`` need not be that of ``rows``.
    :param encoder: names the features; its categories are the known ones.
    """
    edges = {
        feature.name: reference_edges(_as_floats(feature.name, rows[feature.name]), bins=bins)
        for feature in encoder.features
        if feature.kind == "numeric"
    }
    features = Profiler(edges=edges, categories=encoder.categories)
    features.update(rows)
    score = Profiler(edges={SCORE: reference_edges(scores, bins=bins)}, categories={})
    score.update(pa.table({SCORE: pa.array(scores, pa.float64())}))
    return features.result().with_columns_of(score.result())


class Profiler:
    """Counts batches into one :class:`Profile`; memory does not grow with the rows.

    :param edges: for each numeric feature its ascending edges, from :func:`reference_edges`.
    :param categories: for each text feature its known categories.
    """

    def __init__(
        self,
        *,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        self._rows = 0
        self._numeric = {name: _Numbers(name, values) for name, values in edges.items()}
        self._categories = {name: _Categories(name, known) for name, known in categories.items()}

    def update(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Count the rows of a batch; columns that are not profiled are passed over.

        :raises DataRefused: for a column that is missing or of another kind.
        """
        for part in batch.to_batches(BATCH_ROWS) if isinstance(batch, pa.Table) else [batch]:
            self._rows += part.num_rows
            for name, numbers in self._numeric.items():
                numbers.update(_column(part, name))
            for name, categories in self._categories.items():
                categories.update(_column(part, name))

    def result(self) -> Profile:
        """The profile of all rows so far."""
        return Profile(
            rows=self._rows,
            numeric={name: counter.result(self._rows) for name, counter in self._numeric.items()},
            categories={
                name: counter.result(self._rows) for name, counter in self._categories.items()
            },
        )


class _Numbers:
    """The running counts of one numeric feature."""

    def __init__(self, name: str, edges: Sequence[float]) -> None:
        self._name = name
        self._edges = tuple(float(edge) for edge in edges)
        self._search = np.asarray(self._edges)
        self._centre = centre_of(self._edges)
        self._below = np.zeros(len(self._edges), dtype=np.int64)
        self._values = 0
        self._min, self._max = np.inf, -np.inf
        self._total = self._squares = 0.0

    def update(self, column: pa.Array) -> None:
        values = np.sort(_as_floats(self._name, column))
        values = values[: np.searchsorted(values, np.nan)]
        if not values.size:
            return
        self._below += np.searchsorted(values, self._search)
        self._values += values.size
        self._min, self._max = min(self._min, values[0]), max(self._max, values[-1])
        if self._has_sums():
            # The sorted copy is ours to overwrite. No dot product: it would wake BLAS's threads.
            offsets = np.subtract(values, self._centre, out=values)
            self._total += float(offsets.sum())
            self._squares += float(np.square(offsets, out=offsets).sum())

    def result(self, rows: int) -> NumericProfile:
        sums = steady_sums(self._values, self._total, self._squares)
        inner = np.diff(self._below, prepend=0, append=self._values)
        return NumericProfile(
            count=rows,
            nulls=rows - self._values,
            min=float(self._min) + 0.0 if self._values else None,
            max=float(self._max) + 0.0 if self._values else None,
            offset_sum=sums[0] if self._has_sums() else None,
            offset_squares=sums[1] if self._has_sums() else None,
            edges=self._edges,
            bin_counts=tuple(inner.tolist()),
        )

    def _has_sums(self) -> bool:
        return not self._values or within_reach(self._min, self._max)


class _Categories:
    """The running counts of one text feature."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self._name = name
        self._known = pa.array(known, pa.string())
        self._counts = np.zeros(len(known), dtype=np.int64)
        self._nulls = 0

    def update(self, column: pa.Array) -> None:
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        kind = column.type
        if not (_is_text(kind) or types.is_integer(kind) or types.is_boolean(kind)):
            raise _of_another_kind(self._name, kind, "text, whole numbers or booleans")
        self._nulls += column.null_count
        found = pc.value_counts(column)
        at = pc.index_in(found.field("values").cast(pa.string()), value_set=self._known)
        is_known = at.is_valid().to_numpy(zero_copy_only=False)
        counts = found.field("counts").to_numpy(zero_copy_only=False)
        self._counts[at.drop_null().to_numpy()] += counts[is_known]

    def result(self, rows: int) -> CategoryProfile:
        counts = dict(zip(self._known.to_pylist(), self._counts.tolist(), strict=True))
        return CategoryProfile(
            count=rows,
            nulls=self._nulls,
            counts=counts,
            other=rows - self._nulls - sum(counts.values()),
        )


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        raise DataRefused(
            f"the column {name} is not among the rows to be profiled",
            found=batch.schema.names,
            action="select it, or take it out of the features",
        )
    return batch.column(name)


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _as_floats(name: str, column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """A numeric column as float64, NULL as NaN."""
    kind = column.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise _of_another_kind(name, kind, "a number or a boolean")
    if kind != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    whole = isinstance(column, pa.ChunkedArray)
    values = column.to_numpy() if whole else column.to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def _of_another_kind(name: str, found: pa.DataType, expected: str) -> DataRefused:
    return DataRefused(
        f"the column {name} cannot be profiled as the reference was",
        found=found,
        expected=expected,
        action="cast it in the SQL, or train a new version with the new type",
    )
