"""Which columns of a row a digest covers, so that a table can get columns later.

The digest of a ledger entry, or of the fact that an entry points at, is taken over a set of
columns. Where a table has the columns of revision 0002, nothing is listed: every entry was written
so up to then, and still is. A table that is newer, or that has got a column since, has the set
listed in the entry's payload, which the entry's own digest covers.

A column that comes later is null in the rows from before, so a value in a column that the digest
does not cover was put there by hand. A migration therefore adds nullable columns without a default,
and fills in nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

REVISION_0002 = {
    name: tuple(columns.split())
    for name, columns in {
        "case": "id model version cause severity owner finding opened_at",
        "check_result": "digest subject passed checks checked_at",
        "decision": "id gate model version seat answer user_id user_name reason method counted "
        "refusal package_digest spec_digest snapshot_digest evidence_digest criteria_digest run "
        "decided_at valid_until",
        "deployment": "id key model version action package_digest reason actor run valid_from",
        "gate": "id model version seat users dag_id run_id task_id try_number triggered_by "
        "asked_at answer_by",
        # The digest itself is the one column that it does not cover.
        "ledger": "seq at actor action subject payload prev_digest",
        "measurement": "digest id model version batch content measured_at",
        "monitor_result": "measurement id model version batch period window_start window_end "
        "state result judged_at",
        "notice": "subject kind told text told_at",
        "reading": "digest subject model content read_at",
        "report": "sha256 kind model version period location written_at",
        "scoring_batch": "id model version package_digest window_start window_end rows summary "
        "run published_at",
        "snapshot": "id model spec_digest sha256 rows bytes train_start test_start test_end "
        "query columns summary taken_at",
        "spec": "digest model criteria_digest content registered_at",
        "training": "id model spec_digest snapshot_id criteria_digest candidates chosen "
        "model_sha256 encoder code trained_at",
        "validation": "training_id champion model evaluation gates passed champion_metrics "
        "validated_at",
        "version": "model number package_digest training_id champion spec_digest snapshot_id "
        "criteria_digest policy tier tier_reason developer triggered_by run packaged_at",
    }.items()
}


def columns_to_list(table: str, columns: Collection[str]) -> list[str] | None:
    """The list that a new entry carries; none if the columns are those of revision 0002."""
    return None if set(columns) == set(REVISION_0002.get(table, ())) else sorted(columns)


def covered_columns(table: str, columns: Collection[str], listed: Any) -> tuple[str, ...] | None:
    """The columns that a digest covers; none if no entry was ever recorded with such a list.

    :param columns: that the table has now.
    :param listed: what the entry lists; None if it lists nothing. Anybody who may add to the
        ledger may have written it, in any shape.
    """
    first = REVISION_0002.get(table, ())
    if listed is None:
        return first or None
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return None
    # A list cannot leave out what every entry covers, nor name what the table does not have.
    return tuple(listed) if set(first) <= set(listed) <= set(columns) and listed else None


def uncovered_value(values: Mapping[str, Any], covered: Collection[str]) -> str | None:
    """The first column that holds a value although the digest does not cover it."""
    return next(
        (name for name, value in values.items() if name not in covered and value is not None), None
    )
