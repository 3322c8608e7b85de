"""What every target has to do, whatever is predicted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from mlops.core.records import Check, Evaluation, to_json
from mlops.core.targets.evaluate import evaluate
from mlops.core.targets.target import Target
from mlops.errors import DataRefused, PredictionError
from mlops.spec.model import Contract, Deploy

if TYPE_CHECKING:
    from mlops.core.targets.target import Floats, Labels

_ROWS = 600
_PART = slice(100, 250)
_NAMES = ("income", "age", "region")

# What the rest of the library keeps beside what a target gives.
_IN_SUMMARIES = {"rows", "columns", "newest"}
_IN_EVALUATIONS = {"metrics", "slices", "importance"}
_IN_PREDICTIONS = {
    *("event_time", "score", "model_version", "batch", "shard"),
    *("window_start", "window_end", "published_at"),
}
_KINDS = {"boolean": "b", "integer": "iu", "bigint": "iu", "double precision": "f", "text": "US"}

# What a fresh process runs: it knows the target by its name only.
_IMPORT = """
import sys
from mlops.core.targets.target import TARGETS
from mlops.extensions import extensions_from
extensions_from(lambda: {modules!r})
assert TARGETS.get({name!r}).metrics
print(*sorted({{"numpy", "pandas", "pyarrow", "scipy", "sklearn"}} & set(sys.modules)))
"""


class TargetConformance:
    """Tests of one target; a subclass sets ``target`` and gives labels and an estimator.

    :cvar modules: the extension modules that register the target; none if an entry point of an
        installed distribution does.
    """

    target: ClassVar[Target]
    modules: ClassVar[tuple[str, ...]] = ()

    def make_labels(self, signal: Floats) -> pa.ChunkedArray:
        """A column of labels as SQL gives it, none missing: each grows with its signal.

        :param signal: some hundred different numbers, about half of them below 0.
        """
        raise NotImplementedError

    def make_estimator(self) -> Any:
        """An unfitted estimator of such labels; a new one each time."""
        raise NotImplementedError

    def test_it_describes_itself(self) -> None:
        """Names that specs can give, and texts that reports can print."""
        target = self.target
        names = [info.name for info in target.metrics]
        assert target.name == target.name.strip() != ""
        assert len(set(names)) == len(names)
        assert target.main_metric in names
        assert all(info.title and "\n" not in info.title for info in target.metrics)
        assert all(map(str.isidentifier, (*names, *target.kpi_measures, *target.predicts_with)))
        assert target.predicts_with
        assert target.estimator_advice
        assert target.undefined
        low, high = target.score_range
        assert low is None or high is None or low < high

    def test_it_is_light_to_import(self) -> None:
        """Specs are read where DAGs are built."""
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT.format(modules=self.modules, name=self.target.name)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr

    def test_it_says_which_type_a_label_may_have(self) -> None:
        """Its own, and not a list of bytes; the refusal names the column."""
        self.target.require_label_type("outcome", self.column().type)
        with pytest.raises(DataRefused, match="outcome"):
            self.target.require_label_type("outcome", pa.list_(pa.binary()))

    def test_labels_are_read_row_by_row(self) -> None:
        """Those of a part of the rows are a part of those of all."""
        labels = self.labels()
        assert labels.shape == (_ROWS,)
        part = self.target.read_labels(self.column()[_PART.start : _PART.stop])
        assert part.dtype == labels.dtype
        assert np.array_equal(part, labels[_PART])

    def test_labels_are_counted_in_batches_as_at_once(self) -> None:
        """A snapshot's rows pass by once, in batches of any size."""
        facts = self.facts()
        pieces = self.target.label_counter()
        for start in (0, 1, 200, 200):
            pieces.update(self.column()[start : start or 1].combine_chunks())
        for start, stop in ((1, 7), (7, 450), (450, _ROWS)):
            pieces.update(self.column()[start:stop].combine_chunks())
        assert pieces.facts() == pytest.approx(facts)
        _require_json(facts)
        assert not set(facts) & _IN_SUMMARIES
        _require_json(self.target.label_counter().facts())

    def test_what_is_known_of_some_rows_can_be_shown(self) -> None:
        """Of those that were measured, and of all others."""
        tested = self.target.measure(self.labels()[_PART], self.scores()[_PART])
        facts = self.facts()
        shown = self.target.label_facts(tested)
        remaining = self.target.remaining_facts(facts, _ROWS, tested)
        for found in (shown, remaining):
            _require_json(found)
            assert set(found) <= set(facts)
        everything = self.target.measure(self.labels(), self.scores())
        _require_json(self.target.remaining_facts(facts, _ROWS, everything))

    def test_sound_labels_pass_and_none_do_not(self) -> None:
        """Nothing is learnt from a side without rows."""
        target, facts = self.target, self.facts()
        checks = [
            *target.check_labels(facts, Contract()),
            *target.check_side("training", facts, _ROWS, "outcome"),
        ]
        assert checks
        assert _failed_names(checks) == []
        nothing = target.label_counter().facts()
        assert _failed_names(target.check_labels(nothing, Contract()))
        side = list(target.check_side("test", nothing, 0, "outcome"))
        assert _failed_names(side)
        assert all("test" in check.name for check in side)

    def test_rows_are_predicted_one_by_one(self) -> None:
        """A score does not depend on the other rows of its batch."""
        estimator, matrix = self.fitted(), example_matrix()
        scores = self.target.predict(estimator, matrix)
        assert (scores.shape, str(scores.dtype)) == ((_ROWS,), "float64")
        assert len(np.unique(scores)) > 1, "the example gives every row the same score"
        part = self.target.predict(estimator, matrix[_PART])
        assert part == pytest.approx(scores[_PART], rel=1e-12)
        assert self.target.predict(estimator, matrix[:0]).shape == (0,)

    def test_scores_that_cannot_be_are_refused_by_the_row(self) -> None:
        """NaN, infinity, what is beyond the range, and another number of them."""
        scores = self.scores()
        self.target.require_scores(scores, rows=_ROWS, what="a test")
        for wrong in self._impossible():
            changed = scores.copy()
            changed[17] = wrong
            with pytest.raises(PredictionError, match="flight 17"):
                self.target.require_scores(
                    changed, rows=_ROWS, what="a test", name_row="flight {}".format
                )
        for shape in (scores[1:], scores.reshape(-1, 1)):
            with pytest.raises(PredictionError, match="a test"):
                self.target.require_scores(shape, rows=_ROWS, what="a test")

    def test_predictions_have_a_value_in_every_column(self) -> None:
        """Of the column's type, for each row, whatever the other rows are."""
        columns, scores = self.target.prediction_columns, self.scores()
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert not set(names) & _IN_PREDICTIONS
        values, part, empty = (
            self.target.prediction_values(some, Deploy())
            for some in (scores, scores[_PART], scores[:0])
        )
        assert set(values) == set(part) == set(empty) == set(names)
        for column in columns:
            found = np.asarray(values[column.name])
            assert column.type in _KINDS
            assert found.dtype.kind in _KINDS[column.type], f"{column.name} is {found.dtype}"
            assert found.shape == (_ROWS,)
            assert np.array_equal(part[column.name], found[_PART])
            assert np.asarray(empty[column.name]).shape == (0,)

    def test_it_measures_every_metric(self) -> None:
        """A finite number for each, and the same whatever the order of the rows."""
        labels, scores = self.labels(), self.scores()
        found = self.target.measure(labels, scores)
        assert found.rows == _ROWS
        assert "rows" not in found.values
        assert all(_is_finite(found[info.name]) for info in self.target.metrics)
        order = np.random.default_rng(3).permutation(_ROWS)
        again = self.target.measure(labels[order], scores[order])
        assert dict(again.values) == pytest.approx(dict(found.values))
        assert self.target.describe_rows(again) == self.target.describe_rows(found)
        _require_json(to_json(found))

    def test_a_model_is_better_than_chance_by_every_metric(self) -> None:
        """Which of two values is better is known of each metric."""
        labels, scores = self.labels(), self.scores()
        shuffled = np.random.default_rng(4).permutation(scores)
        model, chance = (self.target.measure(labels, some) for some in (scores, shuffled))
        gains = {
            info.name: _gain(model[info.name], chance[info.name], more=info.more_is_better)
            for info in self.target.metrics
        }
        assert gains[self.target.main_metric] > 0
        assert [name for name, gain in gains.items() if gain < 0] == []

    def test_few_or_equal_rows_give_a_finite_value_or_none(self) -> None:
        """A slice may have one row, or rows with one label: never NaN, no error."""
        labels, scores = self.labels(), self.scores()
        equal = np.flatnonzero(labels == labels[0])
        for rows in (np.array([0]), np.array([0, 1]), equal, np.repeat(0, 50)):
            found = self.target.measure(labels[rows], scores[rows])
            assert set(found.values) >= {info.name for info in self.target.metrics}
            assert all(value is None or _is_finite(value) for value in found.values.values())
            _require_json(self.target.details(labels[rows], scores[rows], Deploy()))

    def test_nothing_is_measured_of_no_rows_or_wrong_scores(self) -> None:
        """By errors of this library."""
        labels, scores = self.labels(), self.scores()
        with pytest.raises(DataRefused):
            self.target.measure(labels[:0], scores[:0])
        scores[3] = np.nan
        with pytest.raises(PredictionError):
            self.target.measure(labels, scores)

    def test_each_measure_of_a_kpi_is_a_number(self) -> None:
        """Or None where the rows have none."""
        labels, scores = self.labels(), self.scores()
        for measure in self.target.kpi_measures:
            assert _is_finite(self.target.kpi(measure, labels, scores, Deploy()))
            few = self.target.kpi(measure, labels[:1], scores[:1], Deploy())
            assert few is None or _is_finite(few)

    def test_the_test_rows_are_evaluated(self) -> None:
        """As validation does: as a whole, by group, and by feature."""
        found = self.evaluated()
        _require_json(to_json(found))
        assert not set(found.details) & _IN_EVALUATIONS
        assert {name for name, _ in found.importance} == set(_NAMES)
        assert found.importance[0][1] > 0, "no feature matters by the main metric"
        assert sum(each.metrics.rows for each in found.slices) == _ROWS
        assert self.evaluated() == found

    def test_what_it_is_given_stays_as_it_is(self) -> None:
        """The same labels and scores serve all criteria and reports."""
        labels, scores, matrix = self.labels(), self.scores(), example_matrix()
        for array in (labels, scores, matrix):
            array.flags.writeable = False
        self.target.predict(self.fitted(), matrix)
        self.target.require_scores(scores, rows=_ROWS, what="a test")
        self.target.prediction_values(scores, Deploy())
        self.target.measure(labels, scores)
        self.target.details(labels, scores, Deploy())
        for measure in self.target.kpi_measures:
            self.target.kpi(measure, labels, scores, Deploy())

    def column(self) -> pa.ChunkedArray:
        """The labels of the example rows, as SQL gives them."""
        matrix = example_matrix()
        noise = np.random.default_rng(6).normal(scale=0.5, size=_ROWS)
        return self.make_labels((matrix[:, 0] - 3_200.0) / 1_000.0 + matrix[:, 2] - 1.5 + noise)

    def labels(self) -> Labels:
        """The labels of the example rows, as the target reads them."""
        return np.array(self.target.read_labels(self.column()))

    def facts(self) -> dict[str, Any]:
        """What is counted of all labels at once."""
        counter = self.target.label_counter()
        counter.update(self.column().combine_chunks())
        return dict(counter.facts())

    def fitted(self) -> Any:
        """The estimator, fitted to the example rows."""
        estimator = self.make_estimator()
        estimator.fit(example_matrix(), self.labels())
        return estimator

    def scores(self) -> Floats:
        """The scores of the example rows."""
        return np.array(self.target.predict(self.fitted(), example_matrix()))

    def evaluated(self) -> Evaluation:
        """Everything that validation looks at."""
        estimator, matrix = self.fitted(), example_matrix()
        return evaluate(
            self.target,
            labels=self.labels(),
            scores=self.target.predict(estimator, matrix),
            matrix=matrix,
            names=_NAMES,
            predict=lambda changed: self.target.predict(estimator, changed),
            deploy=Deploy(),
            slices={"region": matrix[:, 2].astype(int).astype(str)},
        )

    def _impossible(self) -> Iterable[float]:
        low, high = self.target.score_range
        yield from (np.nan, np.inf, -np.inf)
        if low is not None:
            yield low - 0.001
        if high is not None:
            yield high + 0.001


def example_matrix() -> Floats:
    """Rows of three numeric features, without a missing value."""
    random = np.random.default_rng(5)
    columns = [
        random.gamma(4.0, 800.0, _ROWS),
        random.integers(18, 90, _ROWS),
        random.integers(0, 4, _ROWS),
    ]
    return np.column_stack(columns).astype(np.float64)


def _failed_names(checks: Iterable[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


def _gain(model: float | None, chance: float | None, *, more: bool) -> float:
    assert model is not None
    assert chance is not None
    return model - chance if more else chance - model


def _is_finite(value: Any) -> bool:
    return isinstance(value, float | int) and bool(np.isfinite(value))


def _require_json(value: Any) -> None:
    json.dumps(value, allow_nan=False)
