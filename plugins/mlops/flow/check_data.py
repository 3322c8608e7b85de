"""Develop: hold the frozen rows against the contract before anything is learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlops.core.checks import all_passed, check_contract, contract_error
from mlops.core.recorded_summary import FileCounts, counts_from_json, summary_from_json
from mlops.core.records import Check, to_json
from mlops.core.targets.target import Target, target_of
from mlops.digests import digest_json
from mlops.lineage.events.develop import snapshot_checked
from mlops.lineage.events.run import GovernedRuns
from mlops.spec.model import Develop
from mlops.store.tables import CheckRow, SnapshotRow
from mlops.vocabulary import LedgerAction, snapshot_subject
from mlops.workspace.results import Checked
from mlops.workspace.workspace import Workspace, now


def check_data(workspace: Workspace, *, snapshot_id: str) -> Checked:
    """Check types, ranges, nulls, keys, label and freshness of a snapshot.

    :raises DataRefused: with every check that failed; all are recorded first.
    """
    with workspace.store.transaction() as transaction:
        snapshot = transaction.get(SnapshotRow, snapshot_id)
    spec = workspace.spec(snapshot.spec_digest)
    develop, target = spec.content.develop, target_of(spec.content)
    counts = counts_from_json(snapshot.summary)
    if counts is None:
        counts = _count_again(workspace, snapshot, develop)
    else:  # what was counted is what is kept: training reads these bytes
        workspace.artifacts.verify(snapshot.sha256)
    checks = check_contract(
        summary_from_json(snapshot.summary, key_duplicates=counts.key_duplicates),
        features=develop.features,
        contract=develop.contract,
        window_end=snapshot.test_end,
        target=target,
    )
    checks += _split_checks(counts, target, time=develop.time, label=develop.label)
    record_checks(
        workspace,
        snapshot_subject(spec.model, snapshot_id),
        checks,
        runs_of=lambda row: snapshot_checked(workspace.origin, row, snapshot),
    )
    return Checked(snapshot_id=snapshot_id, checks=len(checks))


def _count_again(workspace: Workspace, snapshot: SnapshotRow, develop: Develop) -> FileCounts:
    """Count in the file, for a snapshot of an earlier version, whose row has no counts."""
    from mlops.core.table import count_file

    with workspace.scratch() as folder:
        file = workspace.artifacts.fetch(snapshot.sha256, folder)
        return count_file(file, develop, test_start=snapshot.test_start)


def _split_checks(
    counts: FileCounts, target: Target, *, time: str, label: str
) -> tuple[Check, ...]:
    """Whether the split leaves something to learn from, and something to test on."""
    return (
        Check(
            name="a time in every row",
            passed=counts.untimed == 0,
            found=f"{counts.untimed:,} rows without one",
            expected="none, since such a row falls into no period",
            subject=time,
        ),
        *target.check_side("training", counts.train.labels, counts.train.rows, label),
        *target.check_side("test", counts.test.labels, counts.test.rows, label),
    )


def record_checks(
    workspace: Workspace,
    subject: str,
    checks: Sequence[Check],
    *,
    runs_of: Callable[[CheckRow], GovernedRuns],
) -> None:
    """Record all checks of a subject, then refuse it if one failed.

    :param runs_of: gives the lineage of the recorded row.
    :raises DataRefused: with every check that failed.
    """
    passed = all_passed(checks)
    content = [to_json(check) for check in checks]
    digest = digest_json([subject, content])
    row = CheckRow(digest=digest, subject=subject, passed=passed, checks=content, checked_at=now())
    with workspace.store.transaction() as transaction:
        transaction.record(
            row,
            actor=workspace.run.actor,
            action=LedgerAction.DATA_CHECKED,
            subject=subject,
            payload={
                "checks": digest,
                "passed": passed,
                "failed": [check.name for check in checks if not check.passed],
            },
            lineage=workspace.emit(runs_of(row)),
        )
    if not passed:
        raise contract_error(subject, checks)
