"""What a snapshot's row records of its file, so that checking it needs no look at the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlops.core.checks import ColumnSummary, DataSummary


@dataclass(frozen=True)
class SideCounts:
    """What is known of one side of the split.

    :ivar labels: what the target's label counter knows.
    """

    rows: int
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class FileCounts:
    """What only the whole file shows.

    :ivar key_duplicates: rows whose key another row before them has.
    :ivar untimed: rows without a time, which fall on neither side of the split.
    """

    key_duplicates: int
    untimed: int
    train: SideCounts
    test: SideCounts


def summary_to_json(summary: DataSummary, counts: FileCounts) -> dict[str, Any]:
    """A summary as JSON; infinite ranges become text, which JSON has no number for."""
    return {
        "rows": summary.rows,
        "columns": {
            name: {"nulls": c.nulls, "min": _finite(c.min), "max": _finite(c.max)}
            for name, c in summary.columns.items()
        },
        "newest": summary.newest.isoformat() if summary.newest else None,
        "counts": asdict(counts),
        **summary.labels,
    }


def counts_from_json(value: dict[str, Any]) -> FileCounts | None:
    """Read the counts back; None in a summary of an earlier version, which has none."""
    counts = value.get("counts")
    if counts is None:
        return None
    return FileCounts(
        key_duplicates=counts["key_duplicates"],
        untimed=counts["untimed"],
        train=SideCounts(**counts["train"]),
        test=SideCounts(**counts["test"]),
    )


def summary_from_json(value: dict[str, Any], *, key_duplicates: int) -> DataSummary:
    """Read the summary of the rows back."""
    return DataSummary(
        rows=value["rows"],
        columns={
            name: ColumnSummary(nulls=c["nulls"], min=_number(c["min"]), max=_number(c["max"]))
            for name, c in value["columns"].items()
        },
        key_duplicates=key_duplicates,
        newest=datetime.fromisoformat(value["newest"]) if value["newest"] else None,
        labels={name: item for name, item in value.items() if name not in _OWN},
    )


_OWN = ("rows", "columns", "newest", "counts")


def _finite(value: float | None) -> float | str | None:
    return str(value) if value in (float("inf"), float("-inf")) else value


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)
