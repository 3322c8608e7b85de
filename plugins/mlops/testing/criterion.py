"""What every kind of acceptance criterion has to do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from mlops.core.acceptance.criterion import Criterion, Evidence, Measurement
from mlops.core.table import Rows
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.evaluate import evaluate
from mlops.spec.model import Deploy, Gate

if TYPE_CHECKING:
    from mlops.core.targets.target import Floats

_ROWS = 3_000


def example_evidence(
    rows: int = _ROWS, *, labels: str = "both", champion: bool = True, seed: int = 1
) -> Evidence:
    """A small model on generated test rows: columns ``income``, ``age`` and the text ``region``.

    :param labels: ``both`` classes, or only ``true`` ones.
    :param champion: whether a live version was measured on the same rows.
    """
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "id": np.arange(rows),
            "income": random.normal(3_000.0, 800.0, size=rows),
            "age": random.integers(18, 90, size=rows),
            "region": random.choice(np.array(["north", "south", "west"]), size=rows),
        }
    )
    scores = _predict(table)
    label = random.uniform(size=rows) < scores if labels == "both" else np.ones(rows, dtype=bool)
    matrix = np.column_stack([table[name].to_numpy() for name in ("income", "age")])
    evaluation = evaluate(
        BINARY,
        labels=label,
        scores=scores,
        matrix=matrix.astype(np.float64),
        names=["income", "age"],
        predict=lambda changed: _scores(changed[:, 0], changed[:, 1]),
        deploy=Deploy(),
        slices={"region": table["region"]},
    )
    return Evidence(
        target=BINARY,
        evaluation=evaluation,
        champion=BINARY.measure(label, np.clip(scores * 0.9, 0.0, 1.0)) if champion else None,
        rows=Rows(table=table, label=label),
        scores=scores,
        predict=_predict,
    )


class CriterionConformance:
    """Tests of one kind; a subclass sets ``criterion`` and ``gate``.

    :cvar gate: a gate of this kind as a sound spec has it, which ``example_evidence`` can be
        measured by.
    """

    criterion: ClassVar[Criterion]
    gate: ClassVar[Gate]

    def test_a_sound_gate_has_no_problem_and_a_title(self) -> None:
        """The title is one line, as it is printed in tables."""
        assert self.criterion.name == self.criterion.name.strip() != ""
        assert self.criterion.problem(self.gate) is None
        title = self.criterion.title(self.gate)
        assert title == title.strip() != ""
        assert "\n" not in title

    def test_it_measures_a_number(self) -> None:
        """What the gate asks for can be measured on ordinary rows."""
        measured = self.criterion.measure(self.gate, example_evidence())
        assert measured.value is not None
        assert math.isfinite(measured.value)

    def test_it_measures_the_same_when_it_is_run_again(self) -> None:
        """A verdict is recorded; a step that is run again must not find another one."""
        first = self.criterion.measure(self.gate, example_evidence())
        assert first == self.criterion.measure(self.gate, example_evidence())

    def test_it_leaves_the_evidence_as_it_is(self) -> None:
        """Other criteria are measured from the same rows."""
        evidence, untouched = example_evidence(), example_evidence()
        self.criterion.measure(self.gate, evidence)
        assert evidence.evaluation == untouched.evaluation
        assert evidence.champion == untouched.champion
        assert evidence.rows.table.equals(untouched.rows.table)
        assert np.array_equal(evidence.rows.label, untouched.rows.label)
        assert np.array_equal(evidence.scores, untouched.scores)

    def test_the_limit_does_not_change_what_is_measured(self) -> None:
        """Measuring and judging are two steps."""
        evidence = example_evidence()
        other = self.gate.model_copy(update={self.gate.direction: self.gate.limit + 0.1})
        assert self.criterion.measure(self.gate, evidence) == self.criterion.measure(
            other, evidence
        )

    def test_rows_that_show_nothing_give_a_reason_and_no_error(self) -> None:
        """One class, few rows, no live version: a number, or none with its reason."""
        for evidence in (
            example_evidence(labels="true"),
            example_evidence(2),
            example_evidence(champion=False),
            replace(
                example_evidence(), evaluation=replace(example_evidence().evaluation, slices=())
            ),
        ):
            measured = self.criterion.measure(self.gate, evidence)
            assert isinstance(measured, Measurement)
            assert measured.note if measured.value is None else math.isfinite(measured.value)


def _predict(table: pa.Table) -> Floats:
    return _scores(table["income"].to_numpy(), table["age"].to_numpy())


def _scores(income: Floats, age: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp((income - 2_500.0) / 900.0 - (age - 50.0) / 30.0))
