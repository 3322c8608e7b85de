"""What the reports say in sentences; everything here is made from the context alone."""

from __future__ import annotations

from mlops.core.acceptance.judge import all_passed as gates_passed
from mlops.core.checks import all_passed as checks_passed
from mlops.core.records import GateResult
from mlops.reports.context import MonitoringContext, ValidationContext
from mlops.reports.format import count, decimal, gate_title, percent, several
from mlops.reports.targets.report import target_report
from mlops.spec.model import DEFAULT_FORMAT

SEASONS = 360  # days: a test window shorter than this has not seen every season


def passed(context: ValidationContext) -> bool:
    """Whether every check and every gate passed."""
    return checks_passed(context.checks) and gates_passed(context.gates)


def verdict(context: ValidationContext) -> str:
    """The result of the validation in one sentence."""
    gates = len(context.gates)
    missed = [gate for gate in context.gates if not gate.passed]
    broken = [check for check in context.checks if not check.passed]
    if not gates:
        return "No criterion was registered before training, so no verdict is possible."
    if missed:
        names = ", ".join(gate_title(gate, context.target) for gate in missed)
        were = "was" if len(missed) == 1 else "were"
        text = (
            f"{len(missed)} of {several(gates, 'criterion', 'criteria')} {were} not met: {names}."
        )
    elif gates == 1:
        text = "The one criterion that was registered before training is met."
    else:
        text = f"All {gates} criteria that were registered before training are met."
    if broken:
        text += f" {len(broken)} of {several(len(context.checks), 'data check')} did not pass."
    return text


def limitations(context: ValidationContext) -> tuple[str, ...]:
    """What the method itself leaves open, and then what the spec states."""
    test = context.test.period
    days = (test.end - test.start).days
    found = []
    if days < SEASONS:
        found.append(
            f"Quality was measured on {test.words()} only. How the model does at other times of "
            "the year has not been measured; the monitor will measure it."
        )
    found.append(
        "Every figure is an estimate from these test rows. The intervals take rows as independent "
        "of one another; where days differ as wholes, the truth may lie further away."
    )
    found.append(
        "Feature importance shows what the model relies on, not what causes the outcome. Features "
        "that move together share their importance."
    )
    if context.model_format != DEFAULT_FORMAT:
        found.append(
            "The model is written and read in a format that was added to this library, "
            f"'{context.model_format}': what it constructs is the matter of that extension."
        )
    if context.trusted_types:
        found.append(
            "The spec allows types in the package beyond the curated list: "
            + ", ".join(context.trusted_types)
            + "."
        )
    return (*found, *context.limitations)


def missing_facts(context: ValidationContext) -> tuple[str, ...]:
    """What a reader may ask for and this report does not hold, one sentence each."""
    subject, identity, found = context.subject, context.identity, context.evaluation
    nameless = [feature.name for feature in context.features if not feature.means]
    rival = context.champion_version
    no_rival = "none is live." if rival is None else f"version {rival} was not measured."
    shown = target_report(context.target)
    undefined = [m.title for m in shown.target.metrics if found.metrics[m.name] is None]
    gaps = (
        (not subject.restrictions, "Restrictions of use: the spec states none."),
        (subject.tier is None, "The tier of risk: the policy has none that holds for this model."),
        (not subject.seats, "Signatures: the policy names no seat for this model."),
        (subject.value_per_period is None, "The value in each period: the spec does not state it."),
        (subject.runbook is None, "What to do when something is wrong: the spec has no runbook."),
        (not context.checks, "Data checks: none was recorded."),
        (not context.gates, "Criteria: none was registered."),
        (identity.criteria_registered_at is None, "The time at which criteria were registered."),
        (identity.run_id is None, "The run that made this version."),
        (not identity.code, "The versions of code and libraries."),
        (identity.ledger_head is None, "The ledger's entry about this version."),
        (not context.sql, "The text of the queries."),
        (not context.tables, "The tables behind the queries."),
        (
            shown.label_text(context.train.labels) is None,
            "What is known of the labels of the training rows.",
        ),
        (bool(undefined), f"{', '.join(undefined)}: {shown.target.undefined}."),
        (not found.importance, "The importance of the features: it was not measured."),
        (not found.slices, "Quality for groups: the spec names no slices."),
        (context.champion is None, f"A comparison with the live version: {no_rival}"),
        (not context.limitations, "Further limitations: the spec states none."),
        (bool(nameless), f"The meaning of these features: {', '.join(nameless)}."),
    )
    return (*(text for missing, text in gaps if missing), *context.missing_facts)


def gate_measured(gate: GateResult) -> str:
    """What a gate measured, as text."""
    return "no comparison" if gate.passed and gate.measured is None else decimal(gate.measured, 4)


def monitor_headline(context: MonitoringContext) -> str:
    """The state of a window in one sentence."""
    result = context.result
    if result.state == "not_enough_data":
        return f"There is not enough data in {context.window.words()} to judge."
    if result.state == "ok":
        return f"Nothing to act upon in {context.window.words()}."
    reasons = several(max(len(result.reasons), 1), "reason")
    kind = "Alarm" if result.state == "alarm" else "Warning"
    return f"{kind} in {context.window.words()}, for {reasons}."


def labels_sentence(context: MonitoringContext) -> str:
    """Which share of labels has arrived, and what that means for the figure."""
    performance = context.result.performance
    share = performance.labels / performance.rows if performance.rows else None
    text = (
        f"Labels have arrived for {count(performance.labels)} of {count(performance.rows)} "
        f"{context.noun} ({percent(share)})."
    )
    if context.result.by_rule:
        return text + " The rule scored this window, so the model's performance is not judged."
    if performance.labels < context.min_labels:
        return text + f" Below {count(context.min_labels)} labels, performance is not judged."
    if performance.labels < performance.rows:
        return text + " The window is measured again when more arrive; the figure may still move."
    return text


def drift_sentence(context: MonitoringContext) -> str:
    """How many features have drifted, from which reference."""
    drift, reference = context.result.drift, context.reference
    judged = [item for item in drift if item.state != "not_enough_data"]
    moved = [item for item in judged if item.state != "ok"]
    if not judged:
        return "No feature could be judged: there is not enough data."
    since = "its reference"
    if reference is not None:
        since = f"{reference.period.words()} ({count(reference.rows)} {context.noun})"
    whole = (
        f"the {len(judged)} features"
        if len(judged) == len(drift)
        else (f"the {len(judged)} features that could be judged")
    )
    if not moved:
        return f"None of {whole} has drifted from {since}."
    return f"{len(moved)} of {whole} {'has' if len(moved) == 1 else 'have'} drifted from {since}."


def ended(sentence: str) -> str:
    """A sentence with a full stop, where it has no end of its own."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def monitor_missing(context: MonitoringContext) -> tuple[str, ...]:
    """What a reader may ask for and this report does not hold, one sentence each."""
    gaps = (
        (context.reference is None, "The window of the reference that drift is measured against."),
        (context.validated is None, "The metrics at validation, for comparison."),
        (context.live_since is None, "Since when this version is live."),
        (context.previous_version is None, "A version to roll back to: none was live before."),
        (context.runbook is None, "What to do when something is wrong: the spec has no runbook."),
        (context.result.kpi.value is None, "The business result of this window: no value yet."),
        (context.result.performance.metrics is None, "Performance: no label has arrived yet."),
        (not context.earlier, "Earlier windows of this version: none was measured."),
        (context.ledger_head is None, "The ledger's entry about this window."),
    )
    return (*(text for missing, text in gaps if missing), *context.missing_facts)
