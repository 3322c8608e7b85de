"""How a target is shown: what reports, requests and the model card have of its metrics.

:class:`TargetReport` as it is shows any target by its metrics alone. A target that has more to
show, such as curves, brings a subclass, registered under the target's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.core.records import Metrics
from mlops.core.targets.selection import metric_info
from mlops.core.targets.target import TARGETS, MetricInfo, Target
from mlops.errors import ExtensionError
from mlops.registry import Registry
from mlops.reports.context import ValidationContext
from mlops.reports.format import count, decimal
from mlops.spec.model import Deploy

Interval = tuple[float, float]


@dataclass(frozen=True)
class PlainView:
    """What is shown of a target that has no pictures.

    :ivar metrics: title and value of each.
    :ivar figures: title and text of what describes the rows.
    """

    metrics: tuple[tuple[str, float | None], ...]
    figures: tuple[tuple[str, str], ...]


class TargetReport:
    """What is shown of one target.

    :cvar key_metrics: names of the metrics for tables without much room; all if empty.
    :cvar template: the text of the Jinja template of the section on quality, which gets ``report``
        and, as ``view``, what :meth:`view` returns; empty for one that the library ships.
    :cvar template_name: the file below ``include/reports/`` that replaces it.
    :ivar name: of the target.
    """

    key_metrics: tuple[str, ...] = ()
    template: str = ""
    template_name: str = "target_plain.html.j2"

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def target(self) -> Target:
        """The target that is shown.

        :raises ExtensionError: it is not known here.
        """
        return TARGETS.get(self.name)

    @property
    def main_metric(self) -> MetricInfo:
        """The metric by which groups and features are compared."""
        return metric_info(self.target, self.target.main_metric)

    @property
    def shown_metrics(self) -> tuple[MetricInfo, ...]:
        """The metrics for tables without much room."""
        if not self.key_metrics:
            return self.target.metrics
        return tuple(metric_info(self.target, name) for name in self.key_metrics)

    def view(self, context: ValidationContext) -> Any:
        """What the template shows beside the context: every metric, and the figures."""
        found = context.evaluation.metrics
        metrics = target_metrics(self.name) or tuple(MetricInfo(n, n) for n in found.values)
        return PlainView(
            tuple((info.title, found.values.get(info.name)) for info in metrics),
            self.figures(found, context.label),
        )

    def label_text(self, labels: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """What is known of the labels of some rows, for a cell; None if nothing is."""
        return None

    def figures(self, metrics: Metrics, label: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Titles and values of what describes measured rows beside their metrics.

        :param label: name of the label.
        """
        return ()

    def interval(self, metrics: Metrics, name: str) -> Interval | None:  # noqa: ARG002
        """A 95 % interval of a metric; None if none is known."""
        return None

    def summary(self, context: ValidationContext) -> str:
        """What was measured in a sentence or two, for a person who is asked to sign."""
        metrics = context.evaluation.metrics
        values = ", ".join(f"{m.title} {decimal(metrics[m.name])}" for m in self.shown_metrics)
        return (
            f"Measured on {count(metrics.rows)} {context.noun} of {context.test.period.words()}: "
            f"{values}."
        )

    def label_sentence(self, metrics: Metrics, label: str) -> str:  # noqa: ARG002
        """What is known of the labels of the test rows, for the model card; perhaps nothing."""
        return ""

    def decision_sentence(self, deploy: Deploy) -> str:  # noqa: ARG002
        """How a score becomes a decision, for the model card; perhaps nothing."""
        return ""


TARGET_REPORTS: Registry[TargetReport] = Registry(
    "target report",
    group="mlops.target_reports",
    built_in={"binary": "mlops.reports.targets.binary.report:BINARY_REPORT"},
    requires=("name", "view", "figures", "interval", "summary"),
)


def target_report(name: str) -> TargetReport:
    """How a target is shown: as it brings it, or by its metrics alone."""
    try:
        return TARGET_REPORTS.get(name)
    except ExtensionError:
        return TargetReport(name)


def target_metrics(name: str, *, brief: bool = False) -> tuple[MetricInfo, ...]:
    """The metrics of a target, for templates; none for a target that is not known here."""
    try:
        return target_report(name).shown_metrics if brief else TARGETS.get(name).metrics
    except ExtensionError:
        return ()
