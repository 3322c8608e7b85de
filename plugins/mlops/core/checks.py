"""The contract: what rows must be like before anything is learnt from them, or scored.

Every check is listed, also those that passed: an auditor asks what was looked at. A check that
did not pass is a record first; :func:`refused` makes the error of it, for the caller to raise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops.core.percent import percent
from mlops.core.records import Check
from mlops.core.targets.target import Target
from mlops.errors import DataRefused
from mlops.spec.model import CategoricalFeature, Contract, Feature, NumericFeature

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class ColumnSummary:
    """What is known of one feature's column.

    :param nulls: rows where it is missing.
    :param min: smallest number; none for names, and where every value is missing.
    :param max: largest number, likewise.
    :param unseen: rows with a category that training did not see; None before there is a
        training to compare with.
    """

    nulls: int
    min: float | None = None
    max: float | None = None
    unseen: int | None = None


@dataclass(frozen=True)
class DataSummary:
    """What is known of a query's rows.

    :param columns: by name of the feature.
    :param key_duplicates: rows whose key another row before them has.
    :param newest: the latest value of the time column, aware; None without rows.
    :param labels: what the target's label counter knows; empty if rows have no labels.
    """

    rows: int
    columns: Mapping[str, ColumnSummary] = field(default_factory=dict)
    key_duplicates: int = 0
    newest: datetime | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)


def check_contract(
    summary: DataSummary,
    *,
    features: Mapping[str, Feature],
    contract: Contract,
    window_end: datetime,
    target: Target | None,
    min_rows: int | None = None,
) -> tuple[Check, ...]:
    """Look at rows before they are used: for training (of a ``target``) or for scoring.

    :param window_end: the first moment after the rows' window, aware.
    :param min_rows: instead of the contract's number, for scoring.
    :returns: every check, in a fixed order: rows first, then label, then feature by feature.
    """
    checks = [
        _rows(summary, contract.min_rows if min_rows is None else min_rows),
        _duplicates(summary),
        *_times(summary, contract, window_end),
    ]
    if target is not None:
        checks += target.check_labels(summary.labels, contract)
    for name, feature in features.items():
        checks += _feature(name, feature, summary, learning=target is not None)
    return tuple(checks)


def schema_changes(recorded: Mapping[str, str], found: Mapping[str, str]) -> tuple[Check, ...]:
    """One check for each column, as recorded at training and as found now.

    :param recorded: type by column name at training.
    :param found: type by column name now.
    :returns: recorded columns in their order: not passed where one is missing or has another type;
        then columns that are new, which pass, since the model does not read them.
    """
    checks = [
        Check(
            name="same type as at training",
            passed=found.get(name) == kind,
            found=found.get(name, "no such column"),
            expected=kind,
            subject=name,
        )
        for name, kind in recorded.items()
    ]
    checks += [
        Check(
            name="new column, not read",
            passed=True,
            found=found[name],
            expected="not there at training",
            subject=name,
        )
        for name in sorted(set(found) - set(recorded))
    ]
    return tuple(checks)


def all_passed(checks: Sequence[Check]) -> bool:
    """Whether something was checked and all of it passed."""
    return bool(checks) and all(check.passed for check in checks)


def contract_error(subject: str, checks: Sequence[Check]) -> DataRefused:
    """The error that names every check that ``subject`` did not pass, for the caller to raise."""
    missed = [check for check in checks if not check.passed]
    return DataRefused(
        f"{subject} breaks its contract in {len(missed)} of {len(checks)} checks",
        found=", ".join(
            f"{_title(check)}: {check.found} (expected {check.expected})" for check in missed
        )
        or "no check at all",
        action="ask the owner of the tables; where the data are right, change the contract in the "
        "spec, which is a new version of the spec and is signed as such",
    )


def _title(check: Check) -> str:
    return f"{check.subject}, {check.name}" if check.subject else check.name


def _rows(summary: DataSummary, least: int) -> Check:
    return Check(
        name="enough rows",
        passed=summary.rows >= least,
        found=f"{summary.rows:,}",
        expected=f"at least {least:,}",
    )


def _duplicates(summary: DataSummary) -> Check:
    return Check(
        name="one row for each key",
        passed=summary.key_duplicates == 0,
        found=f"{summary.key_duplicates:,} duplicates",
        expected="no duplicates",
    )


def _times(summary: DataSummary, contract: Contract, window_end: datetime) -> Iterator[Check]:
    newest = summary.newest
    found = _moment(newest) if newest is not None else "no row with a time"
    yield Check(
        name="no row from after the window",
        passed=newest is None or newest < window_end,
        found=found,
        expected=f"before {_moment(window_end)}",
    )
    if contract.max_age_days is None:
        return
    age_days = (
        (window_end - newest).total_seconds() / SECONDS_A_DAY if newest is not None else math.inf
    )
    yield Check(
        name="rows are fresh",
        # A window may have no rows, where the spec allows it.
        passed=not summary.rows or age_days <= contract.max_age_days,
        found=f"newest row {found}",
        expected=f"at most {contract.max_age_days:g} days before {_moment(window_end)}",
    )


def _feature(
    name: str, feature: Feature, summary: DataSummary, *, learning: bool
) -> Iterator[Check]:
    column = summary.columns.get(name)
    if column is None:
        yield Check("column is there", passed=False, found="no", expected="yes", subject=name)
        return
    yield _nulls(name, feature, column, summary.rows)
    if learning and column.nulls >= summary.rows:
        yield Check(
            name="a value to learn from",
            passed=False,
            found="every value is missing",
            expected="at least one: a column without any is most often a broken join",
            subject=name,
        )
    if isinstance(feature, CategoricalFeature):
        if column.unseen is not None:
            yield _unseen(name, feature, column, summary.rows)
    else:
        yield _range(name, feature, column)


def _nulls(name: str, feature: Feature, column: ColumnSummary, rows: int) -> Check:
    share = column.nulls / rows if rows else 0.0
    every = column.nulls >= rows
    return Check(
        name="missing values",
        passed=share <= feature.max_null_share,
        found="every value" if every else percent(share),
        expected="none" if not feature.max_null_share else f"≤ {percent(feature.max_null_share)}",
        subject=name,
    )


def _range(name: str, feature: NumericFeature, column: ColumnSummary) -> Check:
    least = -math.inf if feature.min is None else feature.min
    most = math.inf if feature.max is None else feature.max
    if column.min is None or column.max is None:
        found, passed = "no value", True  # what is missing is the matter of the check before
    else:
        finite = math.isfinite(column.min) and math.isfinite(column.max)
        passed = finite and least <= column.min and column.max <= most
        # Rounded where all is well; exact where the last digit may be what is wrong.
        show = _rounded if passed else _number
        found = f"{show(column.min)} to {show(column.max)}"
    return Check("range", passed=passed, found=found, expected=_bounds(feature), subject=name)


def _bounds(feature: NumericFeature) -> str:
    if feature.min is None and feature.max is None:
        return "finite"
    if feature.max is None:
        return f"≥ {_number(feature.min)}"
    if feature.min is None:
        return f"≤ {_number(feature.max)}"
    return f"{_number(feature.min)} to {_number(feature.max)}"


def _unseen(name: str, feature: CategoricalFeature, column: ColumnSummary, rows: int) -> Check:
    share = (column.unseen or 0) / rows if rows else 0.0
    return Check(
        name="categories new since training",
        passed=share <= feature.max_unseen_share,
        found=percent(share),
        expected=f"≤ {percent(feature.max_unseen_share)}",
        subject=name,
    )


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"  # noqa: PLR2004


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.15g}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
