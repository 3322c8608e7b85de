"""How good a binary classifier's scores are: metrics, curves, slices and importance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops.core import ranking
from mlops.core.ranking import Bools, Floats, Ranked
from mlops.core.records import Confusion, Curve, Evaluation, Metrics, Slice
from mlops.core.scores import require_probabilities
from mlops.errors import DataRefused, TrainingError
from mlops.spec.model import MetricName

Predict = Callable[[NDArray[Any]], NDArray[Any]]

MORE_IS_BETTER = ("auc", "average_precision")
HISTOGRAM_BINS = 20
IMPORTANCE_ROWS = 20_000
MISSING = "(missing)"


def metrics(y: NDArray[Any], score: NDArray[Any]) -> Metrics:
    """The metrics of some rows.

    :param y: labels, boolean (or 0 and 1), one for each row.
    :param score: predicted probabilities of a true label, 0 to 1, as many as ``y``.
    :raises DataRefused: there are no rows, so there is nothing to measure.
    :raises PredictionError: a score is NaN, infinite, or outside [0, 1] by more than rounding.
    :raises ValueError: ``y`` and ``score`` do not match.
    """
    labels, scores = _checked(y, score)
    return _metrics(labels, scores, ranking.rank(labels, scores))


def evaluate(
    *,
    y: NDArray[Any],
    score: NDArray[Any],
    matrix: NDArray[Any],
    names: Sequence[str],
    predict: Predict,
    slices: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
    seed: int = 13,
) -> Evaluation:
    """Everything that validation looks at, on the test rows.

    :param y: labels, boolean (or 0 and 1), one for each row.
    :param score: what ``predict`` returned for ``matrix``.
    :param matrix: the test rows, shape (rows, features); it is left as it is.
    :param names: of the matrix's columns.
    :param predict: from such a matrix to probabilities of a true label, for the importance.
    :param slices: by column name, its value for each row (Arrow, numpy or a list): each value is
        looked at by itself; missing ones are the slice ``(missing)``.
    :param threshold: a row is flagged where its score is at or above it.
    :param seed: of the shuffle behind the importance.
    :raises DataRefused: there are no rows.
    :raises PredictionError: a score is not a probability.
    """
    labels, scores = _checked(y, score)
    ranked = ranking.rank(labels, scores)
    roc, precision_recall = ranking.curves(ranked)
    counts, _ = np.histogram(scores, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return Evaluation(
        metrics=_metrics(labels, scores, ranked),
        slices=tuple(
            found
            for column, values in (slices or {}).items()
            for found in _slices(column=column, values=values, y=labels, score=scores)
        ),
        roc=roc,
        precision_recall=precision_recall,
        calibration=ranking.calibration(ranked),
        score_histogram=Curve(
            x=tuple(edge / HISTOGRAM_BINS for edge in range(HISTOGRAM_BINS)),
            y=tuple(float(count) for count in counts),
        ),
        confusion=confusion(labels, scores, threshold),
        importance=importance(y=labels, matrix=matrix, names=names, predict=predict, seed=seed),
    )


def best_index(metric: MetricName, results: Sequence[Metrics]) -> int:
    """The place of the best result by one metric; the first one where several are equal.

    More is better for ``auc`` and ``average_precision``, less for the others. A result without
    the metric loses to every one that has it.

    :raises TrainingError: no result has the metric.
    """
    sign = 1.0 if metric in MORE_IS_BETTER else -1.0
    values = [getattr(result, metric) for result in results]
    known = [
        (sign * value, -place)
        for place, value in enumerate(values)
        if value is not None and np.isfinite(value)
    ]
    if not known:
        raise TrainingError(
            f"no candidate can be chosen by {metric}",
            found="no candidate has it: the test rows are of one class only",
            expected="test rows with true labels and with false ones",
            action="choose other test periods in the spec's split, or select by log_loss",
        )
    return -max(known)[1]


def confusion(y: NDArray[Any], score: NDArray[Any], threshold: float) -> Confusion:
    """The four counts where rows with a score at or above ``threshold`` are flagged."""
    labels, scores = _checked(y, score)
    flagged = scores >= threshold
    return Confusion(
        threshold=threshold,
        true_positive=int(np.count_nonzero(flagged & labels)),
        false_positive=int(np.count_nonzero(flagged & ~labels)),
        true_negative=int(np.count_nonzero(~flagged & ~labels)),
        false_negative=int(np.count_nonzero(~flagged & labels)),
    )


def importance(
    *,
    y: NDArray[Any],
    matrix: NDArray[Any],
    names: Sequence[str],
    predict: Predict,
    seed: int = 13,
) -> tuple[tuple[str, float], ...]:
    """How far AUC falls when one feature's column is shuffled, the largest fall first.

    Permutation importance (Breiman 2001, "Random Forests", section 10), with one and the same
    shuffle for every feature, on at most 20,000 rows drawn without replacement. Below 0 where
    shuffling happened to help.

    :returns: nothing where the rows have one class only, since AUC is not defined then.
    :raises ValueError: the matrix does not match the labels or the names.
    """
    labels = np.asarray(y, dtype=bool)
    if matrix.shape != (len(labels), len(names)):
        raise ValueError(f"matrix {matrix.shape}, expected ({len(labels)}, {len(names)})")
    random = np.random.default_rng(seed)
    if len(labels) > IMPORTANCE_ROWS:
        drawn = np.sort(random.choice(len(labels), IMPORTANCE_ROWS, replace=False))
        labels, matrix = labels[drawn], matrix[drawn]
    whole = _auc_of(labels, predict(matrix))
    if whole is None:
        return ()
    order = random.permutation(len(labels))
    falls = []
    for place, name in enumerate(names):
        shuffled = matrix.copy()
        shuffled[:, place] = matrix[order, place]
        falls.append((name, whole - (_auc_of(labels, predict(shuffled)) or 0.0)))
    return tuple(sorted(falls, key=lambda fall: (-fall[1], fall[0])))


def _checked(y: NDArray[Any], score: NDArray[Any]) -> tuple[Bools, Floats]:
    labels, scores = np.asarray(y), np.asarray(score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} do not match")
    if not len(labels):
        raise DataRefused("there is nothing to measure", found="no rows", expected="at least one")
    if labels.dtype != np.bool_:
        if not np.isin(labels, (0, 1)).all():
            raise ValueError("labels must be boolean, or 0 and 1")
        labels = labels.astype(bool)
    require_probabilities(scores, rows=len(labels), what="rows to measure")
    # What rounding left beyond 0 and 1 would be lost in the bins of the histogram.
    return labels, np.clip(scores, 0.0, 1.0)


def _metrics(y: Bools, score: Floats, ranked: Ranked) -> Metrics:
    return Metrics(
        rows=len(y),
        positives=int(np.count_nonzero(y)),
        auc=ranking.auc(ranked),
        average_precision=ranking.average_precision(ranked),
        log_loss=_log_loss(y, score),
        brier=float(np.mean(np.square(score - y))),
        calibration_error=ranking.calibration_error(ranked),
        mean_score=float(score.mean()),
    )


def _auc_of(y: Bools, score: NDArray[Any]) -> float | None:
    return ranking.auc(ranking.rank(*_checked(y, score)))


def _log_loss(y: Bools, score: Floats) -> float:
    """Mean negative log-likelihood (Good 1952), scores kept off 0 and 1 as in scikit-learn."""
    tiny = np.finfo(np.float64).eps
    likelihood = np.where(y, score, 1.0 - score)
    return float(-np.mean(np.log(np.clip(likelihood, tiny, 1.0 - tiny))))


def _slices(*, column: str, values: Any, y: Bools, score: Floats) -> Iterator[Slice]:
    """The metrics of each value of one column, the value with the most rows first."""
    codes, names = _codes(values)
    if len(codes) != len(y):
        raise ValueError(f"slice {column} has {len(codes)} values for {len(y)} labels")
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    ends = np.cumsum(counts)
    for code in sorted(range(len(names)), key=lambda code: (-counts[code], names[code])):
        rows = order[ends[code] - counts[code] : ends[code]]
        if len(rows):
            yield Slice(column=column, value=names[code], metrics=metrics(y[rows], score[rows]))


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
