"""Columns of labels of two values: what type they may have, how they are read and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops.core.targets.binary.label_facts import SHARE
from mlops.errors import DataRefused

# Values of a label that an error lists.
_MOST_SHOWN = 5


class LabelCounter:
    """Counts rows and true labels, batch by batch."""

    def __init__(self) -> None:
        self._rows = 0
        self._positives = 0

    def update(self, column: pa.Array) -> None:
        """Add the labels of a batch."""
        _require_two_values(column)
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
            expected="boolean, or a whole number: 0 or 1",
            action=f"write a condition in the SQL, as {name} = 'yes' or {name} > 30",
        )


def read_labels(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Labels as booleans; of whole numbers, 0 is false and 1 true.

    :raises DataRefused: another number.
    """
    _require_two_values(column)
    return pc.cast(column, pa.bool_()).to_numpy(zero_copy_only=False).astype(bool)  # type: ignore[no-any-return]


def _require_two_values(column: pa.Array | pa.ChunkedArray) -> None:
    """Refuse whole numbers other than 0 and 1: which of them would be true is not known."""
    if not pa.types.is_integer(column.type):
        return
    values = sorted(value for value in pc.unique(column).to_pylist() if value is not None)
    if any(value not in (0, 1) for value in values):
        shown = ", ".join(str(value) for value in values[:_MOST_SHOWN])
        raise DataRefused(
            "the label has other values than 0 and 1",
            found=shown if len(values) <= _MOST_SHOWN else f"{shown} and others",
            expected="0 and 1, or false and true",
            action=f"write in the SQL which of them is true, as <label> = {values[-1]}",
        )
