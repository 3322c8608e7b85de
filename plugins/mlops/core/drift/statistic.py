"""What a drift statistic is: a number for how far a column of a window is from its reference.

A statistic is one file: an object that keeps to :class:`DriftStatistic`, registered under its name.
``docs/extend/drift-statistic.md`` adds one from outside the package;
:mod:`mlops.testing.drift_statistic` holds the tests that every statistic has to pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlops.core.profiles import ColumnProfile
from mlops.errors import ExtensionError
from mlops.registry import Registry
from mlops.spec import extensions


@dataclass(frozen=True)
class DriftMeasure:
    """What a statistic found in one column.

    :ivar value: how far the window is from its reference, as people know the statistic.
    :ivar expected_by_chance: its average where nothing has drifted, for windows of this size;
        None if the statistic has no formula for it.
    :ivar p_value: the chance of a value at least as large where nothing has drifted and rows are
        independent; None if the statistic has no formula for it.
    """

    value: float
    expected_by_chance: float | None = None
    p_value: float | None = None

    @property
    def effect(self) -> float:
        """What goes beyond chance. The spec's ``warn`` and ``alarm`` are held against it."""
        return self.value - (self.expected_by_chance or 0.0)


class DriftStatistic(Protocol):
    """A measure of drift, computed from two profiles alone.

    :ivar name: as the spec names it and as records store it; it never changes.
    :ivar title: as reports and pages print it: ``PSI``.
    :ivar description: what it is, within a sentence: ``the population stability index (PSI)``.
    :ivar bins: into how many bins of equal size a reference has to be cut.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def bins(self) -> int: ...

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> DriftMeasure | None:
        """Compare one column of a window with its reference; neither may be changed.

        :param reference: of the rows that the version was trained on, or of its test scores.
        :param current: of the window's rows, of the same kind and on the same edges or categories.
            Either may have no rows.
        :returns: None for a kind of column that the statistic does not measure.
        """


DRIFT_STATISTICS: Registry[DriftStatistic] = extensions.DRIFT_STATISTICS


def statistic_title(name: str) -> str:
    """How people call a statistic; its name if what brought it is no longer installed here."""
    try:
        return DRIFT_STATISTICS.get(name).title
    except ExtensionError:
        return name


def statistic_description(name: str) -> str:
    """What a statistic is, within a sentence; its name as :func:`statistic_title` does."""
    try:
        return DRIFT_STATISTICS.get(name).description
    except ExtensionError:
        return name
