"""Everything that validation looks at, on the test rows, for any target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops.core.records import Evaluation, Slice
from mlops.core.targets.selection import metric_info
from mlops.core.targets.target import Target
from mlops.spec.model import Deploy

Floats = NDArray[np.float64]
Labels = NDArray[Any]
Predict = Callable[[Floats], Floats]

IMPORTANCE_ROWS = 20_000
MISSING = "(missing)"


def evaluate(
    target: Target,
    *,
    labels: Labels,
    scores: Floats,
    matrix: Floats,
    names: Sequence[str],
    predict: Predict,
    deploy: Deploy,
    slices: Mapping[str, Any] | None = None,
    seed: int = 13,
) -> Evaluation:
    """Measure the test rows as a whole, by group, and by what each feature contributes.

    :param labels: as the target reads them, one for each row.
    :param scores: what ``predict`` returned for ``matrix``.
    :param matrix: the test rows, shape (rows, features); it is left as it is.
    :param names: of the matrix's columns.
    :param predict: from such a matrix to scores, for the importance.
    :param slices: by column name, its value for each row (Arrow, numpy or a list): each value is
        measured by itself; missing ones are the slice ``(missing)``.
    :param seed: of the shuffle behind the importance.
    :raises DataRefused: there are no rows.
    :raises PredictionError: scores that cannot be of this target.
    """
    return Evaluation(
        metrics=target.measure(labels, scores),
        slices=tuple(
            found
            for column, values in (slices or {}).items()
            for found in _slices(target, column, values, labels, scores)
        ),
        importance=importance(
            target, labels=labels, matrix=matrix, names=names, predict=predict, seed=seed
        ),
        details=target.details(labels, scores, deploy),
    )


def importance(
    target: Target,
    *,
    labels: Labels,
    matrix: Floats,
    names: Sequence[str],
    predict: Predict,
    seed: int = 13,
) -> tuple[tuple[str, float], ...]:
    """By how much the main metric gets worse when one feature's column is shuffled, largest first.

    Permutation importance (Breiman 2001, "Random Forests", section 10), with one and the same
    shuffle for every feature, on at most 20,000 rows drawn without replacement. Below 0 where
    shuffling happened to help.

    :returns: nothing if the rows do not define the metric.
    :raises ValueError: the matrix does not match the labels or the names.
    """
    if matrix.shape != (len(labels), len(names)):
        raise ValueError(f"matrix {matrix.shape}, expected ({len(labels)}, {len(names)})")
    random = np.random.default_rng(seed)
    if len(labels) > IMPORTANCE_ROWS:
        drawn = np.sort(random.choice(len(labels), IMPORTANCE_ROWS, replace=False))
        labels, matrix = labels[drawn], matrix[drawn]
    sign = 1.0 if metric_info(target, target.main_metric).more_is_better else -1.0
    whole = target.measure(labels, predict(matrix))[target.main_metric]
    if whole is None:
        return ()
    order = random.permutation(len(labels))
    losses = []
    for place, name in enumerate(names):
        shuffled = matrix.copy()
        shuffled[:, place] = matrix[order, place]
        found = target.measure(labels, predict(shuffled))[target.main_metric]
        losses.append((name, sign * (whole - (found or 0.0))))
    return tuple(sorted(losses, key=lambda loss: (-loss[1], loss[0])))


def _slices(
    target: Target, column: str, values: Any, labels: Labels, scores: Floats
) -> Iterator[Slice]:
    """The metrics of each value of one column, the value with the most rows first."""
    codes, names = _codes(values)
    if len(codes) != len(labels):
        raise ValueError(f"slice {column} has {len(codes)} values for {len(labels)} labels")
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    ends = np.cumsum(counts)
    for code in sorted(range(len(names)), key=lambda code: (-counts[code], names[code])):
        rows = order[ends[code] - counts[code] : ends[code]]
        if len(rows):
            yield Slice(column, names[code], target.measure(labels[rows], scores[rows]))


def _codes(values: Any) -> tuple[NDArray[np.intp], list[str]]:
    """The place of each row's value in a list of names, whose last one is for missing values."""
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names = [str(name) for name in column.dictionary.to_pylist()]
    codes = column.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return codes.astype(np.intp), [*names, MISSING]
