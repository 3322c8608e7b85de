"""What is known of labels of two values, and what of it is checked: no arrays, only facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops.core.percent import percent
from mlops.core.records import Check, Metrics
from mlops.core.targets.binary.records import positive_share
from mlops.spec.model import Contract

SHARE = "label_share"  # the key under which a snapshot's summary keeps the share of true labels


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


def check_side(periods: str, facts: Mapping[str, Any], rows: int, column: str) -> Check:
    """Both classes are on one side of the split."""
    positives = round((facts.get(SHARE) or 0.0) * rows)
    return Check(
        name=f"both classes in the {periods} periods",
        passed=0 < positives < rows,
        found=f"{positives:,} of {rows:,} rows are true",
        expected="true for some rows and false for others",
        subject=column,
    )
