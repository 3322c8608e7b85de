"""The evidence beside the Approve and Reject buttons, in the Markdown that Airflow shows there.

Short, since it is shown in a narrow column: the question, what this signature attests, what was
measured, which bytes, and where the whole report is.
"""

from __future__ import annotations

from urllib.parse import quote

from mlops.reports import phrases
from mlops.reports.context import EvidenceContext, ValidationContext
from mlops.reports.format import bound, count, decimal, gate_title, minute, short
from mlops.reports.markdown import bullets, plain, table
from mlops.reports.targets.report import target_report

LONGEST = 4_000  # characters: what a person reads before answering
SLICES_SHOWN = 3
ITEMS_SHOWN = 6
_TEXT_SHOWN = 240


def evidence_markdown(context: EvidenceContext) -> str:
    """The body of one seat's request; below 4,000 characters for every context.

    What is left out to stay short is marked as left out, and is in the report.
    """
    for items in range(ITEMS_SHOWN, -1, -1):
        text = "\n\n".join(_parts(context, items)) + "\n"
        if len(text) < LONGEST:
            return text
    return _cut(text)


def _parts(context: EvidenceContext, items: int) -> list[str]:
    report = context.validation
    subject, identity = report.subject, report.identity
    verdict = f"{'✓' if phrases.passed(report) else '✕'} {_short(phrases.verdict(report))}"
    people = f" ({context.seat.required} people)" if context.seat.required > 1 else ""
    attests = (
        f"**You sign as {_short(context.seat.title)}**{people}: {_short(context.seat.attests)}."
    )
    return [
        f"**{_short(subject.title)}**",
        f"{plain(identity.model)}, version {identity.version}. {verdict}",
        f"{attests}{_until(context)}",
        f"Decision: {_short(subject.decision)}\n\nUse: {_short(subject.use)}\n\n"
        f"Restrictions:\n\n{_restrictions(report, items)}",
        *_limitations(report, items),
        f"Tier of risk: **{plain(subject.tier or 'none holds')}**, since "
        f"{_short(subject.tier_reason or 'the policy has none for this model')}. "
        f"Owner {plain(subject.business_owner)}, developer {plain(subject.developer)}.",
        _gates(report, items),
        plain(target_report(report.target).summary(report)),
        _candidates(report, items),
        _slices(report),
        _identity(report),
        f"[The whole report]({quote(context.report, safe='/:')})",
    ]


def _until(context: EvidenceContext) -> str:
    if context.answer_by is None:
        return ""
    return f" Without an answer by {minute(context.answer_by)}, the seat lapses."


def _restrictions(report: ValidationContext, items: int) -> str:
    found = report.subject.restrictions
    if not found:
        return "- none are stated; that does not permit every use"
    return bullets([_cut_text(line) for line in found[:items]]) + _rest(len(found) - items)


def _limitations(report: ValidationContext, items: int) -> list[str]:
    found = report.limitations
    if not found:
        return []
    lines = bullets([_cut_text(line) for line in found[:items]])
    return [f"Limitations:\n\n{lines}{_rest(len(found) - items)}"]


def _gates(report: ValidationContext, items: int) -> str:
    """The criteria, those that were missed first."""
    ranked = sorted(report.gates, key=lambda gate: gate.passed)
    shown = ranked[: items + 2]
    rows = [
        (
            _cut_text(gate_title(gate, report.target)),
            bound(gate.bound),
            phrases.gate_measured(gate),
            "✓ passed" if gate.passed else "✕ not passed",
        )
        for gate in shown
    ]
    head = ("Criterion", "Bound", "Measured", "Result")
    return table(head, rows) + _rest(len(ranked) - len(shown))


def _candidates(report: ValidationContext, items: int) -> str:
    ranked = sorted(report.candidates, key=lambda candidate: not candidate.chosen)
    shown, metrics = ranked[: items + 1], target_report(report.target).shown_metrics
    rows = [
        (
            _cut_text(candidate.name) + (", chosen" if candidate.chosen else ""),
            *(decimal(candidate.metrics[metric.name]) for metric in metrics),
        )
        for candidate in shown
    ]
    head = ("Candidate", *(metric.title for metric in metrics))
    return table(head, rows) + _rest(len(ranked) - len(shown))


def _slices(report: ValidationContext) -> str:
    """The groups for which the model does worst, among those that are not tiny."""
    least = max(1, report.evaluation.metrics.rows // 100)
    metric = target_report(report.target).main_metric
    known = [
        (value, item)
        for item in report.evaluation.slices
        if (value := item.metrics[metric.name]) is not None and item.metrics.rows >= least
    ]
    if not known:
        return "Groups were not compared."
    sign = 1.0 if metric.more_is_better else -1.0
    known.sort(key=lambda pair: (sign * pair[0], pair[1].column, pair[1].value))
    worst = [
        f"{_short(item.column)} {_short(item.value)} {decimal(value)} "
        f"({count(item.metrics.rows)} {plain(report.noun)})"
        for value, item in known[:SLICES_SHOWN]
    ]
    extreme = "Lowest" if metric.more_is_better else "Highest"
    return f"{extreme} {metric.title} by group: " + "; ".join(worst) + "."


def _identity(report: ValidationContext) -> str:
    identity = report.identity
    digests = {
        "package": identity.package_sha256,
        "spec": identity.spec_digest,
        "snapshot": identity.snapshot_digest,
        "criteria": identity.criteria_digest,
    }
    return ", ".join(f"{name} `{short(digest)}`" for name, digest in digests.items())


def _rest(left_out: int) -> str:
    return f"\n\nand {left_out} more, in the report" if left_out > 0 else ""


def _cut_text(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…"


def _short(text: str) -> str:
    return plain(_cut_text(text))


def _cut(text: str) -> str:
    """The last resort, at the end of a line, so that no table and no escape is cut through."""
    end = "\n\nMore than fits here: read the report.\n"
    return text[: text.rindex("\n", 0, LONGEST - len(end))] + end
