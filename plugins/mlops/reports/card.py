"""The model card that travels inside the package (Mitchell et al. 2019, "Model Cards").

It is a part of the package's bytes, so it holds nothing that changes from run to run: no date, no
run, no person but those whom the spec names.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops.core.records import Metrics
from mlops.reports.context import FeatureView, features_of
from mlops.reports.format import count, decimal
from mlops.reports.markdown import bullets, plain, table
from mlops.reports.targets.report import TargetReport, target_report
from mlops.spec.load import Spec


def model_card(spec: Spec, metrics: Metrics) -> str:
    """What someone who finds the package should know before using it, as Markdown.

    :param metrics: of the chosen candidate on the test rows.
    """
    content = spec.content
    manage, split = content.manage, content.develop.split
    shown = target_report(content.develop.target_name)
    labels = shown.label_sentence(metrics, content.develop.label)
    decision = shown.decision_sentence(content.deploy)
    unstated = "None are stated, which does not permit every use."
    restrictions = bullets(manage.restrictions) or unstated
    parts = [
        f"# {plain(content.model)}",
        plain(content.title),
        "## Use",
        f"Decision: {plain(manage.decision)}",
        f"Intended use: {plain(manage.use)}",
        f"Restrictions:\n\n{restrictions}",
        *_limitations(manage.limitations),
        f"Business owner: {plain(manage.business_owner)}. Developer: {plain(manage.developer)}.",
        "## Quality",
        f"Measured on {count(metrics.rows)} test rows that are later than the "
        f"training rows ({split.test} {split.unit}(s) after {split.train})"
        + (f"; {plain(labels)}" if labels else "."),
        _metrics(shown, metrics),
        *([plain(decision)] if decision else []),
        "## Inputs",
        _features(features_of(content)),
        "## Identity",
        f"Spec (SHA-256): {spec.digest}",
    ]
    return "\n\n".join(parts) + "\n"


def _limitations(found: Sequence[str]) -> list[str]:
    """Nothing where a spec states none: packages of before have no such part."""
    return [f"Limitations:\n\n{bullets(found)}"] if found else []


def _metrics(shown: TargetReport, metrics: Metrics) -> str:
    known = shown.target.metrics
    return table(
        [metric.title for metric in known], [[decimal(metrics[metric.name], 4) for metric in known]]
    )


def _features(features: tuple[FeatureView, ...]) -> str:
    return table(
        ("Feature", "Kind", "Meaning", "Expected"),
        [(f.name, f.kind, f.means or "not stated", f.expected) for f in features],
    )
