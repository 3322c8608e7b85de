"""Names that templates of earlier versions use, and what the records of reports call them today.

A company keeps its copies of the templates, so a name that a report had once goes on meaning the
same value. A record that gets a better name for a field adds the earlier one here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from mlops.core.drift.psi import PSI
from mlops.core.records import FeatureDrift, MonitorResult
from mlops.core.targets.binary.records import positive_share
from mlops.reports.context import SeatView

EARLIER_NAMES: Mapping[tuple[type, str], str] = {
    (SeatView, "people"): "required",
    (SeatView, "signs"): "attests",
    (FeatureDrift, "psi"): "value",
    (FeatureDrift, "psi_expected_by_chance"): "expected_by_chance",
    (MonitorResult, "rows_gone"): "rows_missing",
}

# What was an attribute of a class once, computed from the records of today.
EARLIER_VALUES: dict[tuple[str, str], tuple[str, Callable[[Any], Any]]] = {
    ("Metrics", "positive_share"): ("positives / rows", positive_share),
    ("DataWindow", "label_share"): ("labels.label_share", lambda w: w.labels.get("label_share")),
    ("SliceView", "rows"): ("slices", lambda v: tuple(zip(v.slices, v.intervals, strict=True))),
    **{
        ("ValidationView", name): (f"target.{name}", attrgetter(f"target.{name}"))
        for name in (
            "auc_interval",
            "flagged_share",
            "precision",
            "recall",
            "roc",
            "precision_recall",
            "calibration",
            "histogram",
        )
    },
}


class DeprecatedName(FutureWarning):
    """A report template uses the earlier name of a field."""


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Templates that may use earlier names, and reach nothing but what they are given.

    :ivar renamed: the name of today for each earlier one that a template has used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.renamed: dict[str, str] = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``item.name``."""
        if (found := EARLIER_VALUES.get((type(obj).__name__, attribute))) is not None:
            self.renamed[attribute] = found[0]
            return found[1](obj)
        return super().getattr(obj, self._current_name(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``item["name"]``, and the names that filters such as ``map`` are given."""
        return super().getitem(obj, self._current_name(obj, argument))

    def _current_name(self, obj: Any, name: Any) -> Any:
        current = EARLIER_NAMES.get((type(obj), name)) if isinstance(name, str) else None
        # A value of another statistic must not be printed as a PSI.
        if current is None or (isinstance(obj, FeatureDrift) and obj.statistic != PSI.name):
            return name
        self.renamed[name] = current
        return current


def warn_of_earlier_names(template: Path, renamed: Mapping[str, str]) -> None:
    """Warn once of a report whose templates use earlier names, however often they do.

    :param template: the template that was rendered; others that it includes may be meant.
    :param renamed: the name of today for each earlier one.
    """
    if renamed:
        pairs = ", ".join(f"'{new}' for '{old}'" for old, new in sorted(renamed.items()))
        warnings.warn(
            f"{template}: names of report templates have changed, write {pairs}; the earlier names "
            "still work",
            DeprecatedName,
            stacklevel=4,
        )
