"""Labels of two values: what a column of them may be, and what of them is counted and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops.core.percent import percent
from mlops.core.records import Check, Metrics
from mlops.core.targets.binary.records import positive_share
from mlops.errors import DataRefused
from mlops.spec.model import Contract

SHARE = "label_share"  # the key under which a snapshot's summary keeps the share of true labels


class LabelCounter:
    """Counts rows and true labels, batch by batch."""

    def __init__(self) -> None:
        self._rows = 0
        self._positives = 0

    def update(self, column: pa.Array) -> None:
        """Add the labels of a batch."""
        self._rows += len(column)
        self._positives += pc.sum(pc.cast(column, pa.bool_())).as_py() or 0

    def facts(self) -> dict[str, Any]:
        """The share of true labels; None without rows."""
        return {SHARE: self._positives / self._rows if self._rows else None}


def require_label_type(name: str, kind: pa.DataType) -> None:
    """Refuse a column that is neither a boolean nor a whole number.

    :raises DataRefused: it is something else.
    """
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
        raise DataRefused(
            f"column '{name}' cannot be the label",
            found=f"type {kind}",
            expected="boolean, or a whole number of which 0 is false",
            action=f"write a condition in the SQL, as {name} = 'yes' or {name} > 30",
        )


def read_labels(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Labels as booleans; of whole numbers, 0 is false."""
    return pc.cast(column, pa.bool_()).to_numpy(zero_copy_only=False).astype(bool)  # type: ignore[no-any-return]


def remaining_facts(facts: Mapping[str, Any], rows: int, tested: Metrics) -> dict[str, Any]:
    """The share of true labels in the rows that were not tested."""
    left = rows - tested.rows
    positives = round(facts[SHARE] * rows) - (tested["positives"] or 0)
    return {SHARE: positives / left if left else None}


def label_facts(metrics: Metrics) -> dict[str, Any]:
    """The share of true labels in the rows that were measured."""
    return {SHARE: positive_share(metrics)}


def check_labels(facts: Mapping[str, Any], contract: Contract) -> Iterator[Check]:
    """Both classes are there, in a share that the contract allows."""
    share, (least, most) = facts.get(SHARE), contract.label_share
    found = "no label" if share is None else percent(share)
    yield Check(
        name="label has both classes",
        passed=share is not None and 0.0 < share < 1.0,
        found=found,
        expected="true for some rows and false for others",
    )
    yield Check(
        name="share of true labels",
        passed=share is not None and least <= share <= most,
        found=found,
        expected=f"{percent(least)} to {percent(most)}",
    )


def check_side(periods: str, labels: NDArray[np.bool_], column: str) -> Check:
    """Both classes are on one side of the split."""
    positives = int(np.count_nonzero(labels))
    return Check(
        name=f"both classes in the {periods} periods",
        passed=0 < positives < len(labels),
        found=f"{positives:,} of {len(labels):,} rows are true",
        expected="true for some rows and false for others",
        subject=column,
    )
