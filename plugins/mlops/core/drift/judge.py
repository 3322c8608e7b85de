"""Whether a window's drift matters: the size of the effect first, then chance.

1. Fewer rows than the spec's ``min_rows``, on either side: ``not_enough_data``, never an alarm.
2. The effect is the statistic less what chance alone gives on average; below the spec's ``warn``
   it is ``ok``, also with a small p-value.
3. Many features are many looks, so p-values are judged together by the procedure of Benjamini and
   Hochberg (1995) at a false discovery rate of 1 %; what chance explains is ``ok``. A statistic
   without p-values is judged by its effect alone.
4. What is left is ``alarm`` from the spec's ``alarm`` up, and ``warn`` below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlops.core.drift.groups import group_rows, mean_shift
from mlops.core.drift.statistic import DRIFT_STATISTICS, DriftMeasure, statistic_title
from mlops.core.profiles import CategoryProfile, ColumnProfile, NumericProfile
from mlops.core.records import FeatureDrift, State
from mlops.errors import DataRefused
from mlops.spec.model import Drift

FALSE_DISCOVERY_RATE = 0.01
NOTABLE = 0.01  # a change of the null share from here on is described in words


def judge_drift(
    reference: Mapping[str, ColumnProfile], current: Mapping[str, ColumnProfile], spec: Drift
) -> tuple[FeatureDrift, ...]:
    """Compare every column of ``reference`` with the same one of ``current``, in its order.

    Columns of a kind that the spec's statistic does not measure are left out.

    :param reference: profiles by name, from the version's training snapshot (or its scores).
    :param current: profiles of the window's rows, on the reference's own bin edges.
    :raises DataRefused: a column is missing from ``current``, or has other bin edges.
    :raises ExtensionError: the statistic is not known.
    """
    missing = sorted(set(reference) - set(current))
    if missing:
        raise DataRefused(
            "the window's profile lacks columns that the model was trained on",
            found=", ".join(sorted(current)),
            expected=", ".join(missing) + " as well",
            action="look at the features' SQL and at changes of its tables",
        )
    for name, column in reference.items():
        _require_comparable(name, column, current[name])
    statistic = DRIFT_STATISTICS.get(spec.statistic_name)
    measured = {
        name: found
        for name, column in reference.items()
        if (found := statistic.measure(column, current[name])) is not None
    }
    explained = _explained_by_chance(measured)
    return tuple(
        _judge(name, (reference[name], current[name]), found, spec, explained=name in explained)
        for name, found in measured.items()
    )


def worst_state(states: Iterable[State]) -> State:
    """The state of the whole: alarm before warn before ok.

    ``not_enough_data`` only where nothing could be judged at all.
    """
    found = set(states)
    order: tuple[State, ...] = ("alarm", "warn", "ok")
    return next((state for state in order if state in found), "not_enough_data")


def drift_reasons(results: Iterable[FeatureDrift], spec: Drift) -> tuple[str, ...]:
    """One sentence for each feature that is in warn or alarm, the largest value first."""
    found = [result for result in results if result.state in ("warn", "alarm")]
    found.sort(key=lambda result: (-result.value, result.feature))
    return tuple(_reason(result, spec) for result in found)


def _reason(result: FeatureDrift, spec: Drift) -> str:
    bound = spec.alarm if result.state == "alarm" else spec.warn
    text = (
        f"{result.feature} has drifted: {statistic_title(result.statistic)} {result.value:.2f}, "
        f"{result.state} from {bound:g}"
    )
    if result.expected_by_chance is not None:
        text += f", {result.expected_by_chance:.3f} expected by chance"
    if abs(result.null_share - result.null_share_reference) >= NOTABLE:
        text += (
            f"; missing in {100 * result.null_share:.1f} % of rows, "
            f"{100 * result.null_share_reference:.1f} % "
            "in the reference"
        )
    return text


def _judge(
    name: str,
    columns: tuple[ColumnProfile, ColumnProfile],
    found: DriftMeasure,
    spec: Drift,
    *,
    explained: bool,
) -> FeatureDrift:
    reference, current = columns
    state: State = "ok"
    if min(current.count, reference.count) < spec.min_rows:
        state = "not_enough_data"
    elif found.effect >= spec.warn and not explained:
        state = "alarm" if found.effect >= spec.alarm else "warn"
    return FeatureDrift(
        feature=name,
        state=state,
        statistic=spec.statistic_name,
        value=found.value,
        expected_by_chance=found.expected_by_chance,
        null_share=_share(current.nulls, current.count),
        null_share_reference=_share(reference.nulls, reference.count),
        unseen_share=_share(group_rows(reference, current).unseen, current.count),
        mean_shift=mean_shift(reference, current),
        rows=current.count,
    )


def _require_comparable(name: str, reference: ColumnProfile, current: ColumnProfile) -> None:
    if isinstance(reference, CategoryProfile) != isinstance(current, CategoryProfile):
        raise DataRefused(
            f"column '{name}' has changed its kind",
            found="numbers on one side and names on the other",
            expected="the kind that the model was trained on",
        )
    if isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        if reference.edges == current.edges:
            return
        raise DataRefused(
            f"column '{name}' was counted in other bins than its reference",
            found=f"{len(current.edges)} edges",
            expected=f"the {len(reference.edges)} edges of the reference",
            action="profile the window on the reference's own edges",
        )


def _explained_by_chance(measured: Mapping[str, DriftMeasure]) -> frozenset[str]:
    """The columns whose p-value is not a discovery among those of all columns.

    Benjamini and Hochberg 1995 (J. R. Stat. Soc. B 57).
    """
    looks = sorted(
        (found.p_value, name) for name, found in measured.items() if found.p_value is not None
    )
    discoveries = 0
    for rank, (p_value, _) in enumerate(looks, start=1):
        if p_value <= FALSE_DISCOVERY_RATE * rank / len(looks):
            discoveries = rank
    return frozenset(name for _, name in looks[discoveries:])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
