"""Develop: hold the frozen rows against the contract before anything is learnt from them."""

from __future__ import annotations

from collections.abc import Sequence

from mlops.core.canonical import digest_json
from mlops.core.checks import all_passed, check_contract, refused
from mlops.core.records import Check, to_json
from mlops.core.summary import summary_from_json
from mlops.core.table import count_duplicates
from mlops.flow.results import Checked
from mlops.flow.workspace import Workspace, now
from mlops.store.tables import CheckRow, SnapshotRow


def check_data(workspace: Workspace, *, snapshot_id: str) -> Checked:
    """Check types, ranges, nulls, keys, label and freshness of a snapshot.

    :raises DataRefused: with every check that failed; all are recorded first.
    """
    with workspace.store.transaction() as transaction:
        snapshot = transaction.get(SnapshotRow, snapshot_id)
    spec = workspace.spec(snapshot.spec_digest)
    with workspace.scratch() as folder:
        file = workspace.artifacts.fetch(snapshot.sha256, folder)
        duplicates = count_duplicates(file, spec.content.develop.key)
    checks = check_contract(
        summary_from_json(snapshot.summary, key_duplicates=duplicates),
        features=spec.content.develop.features,
        contract=spec.content.develop.contract,
        window_end=snapshot.test_end,
        labelled=True,
    )
    record_checks(workspace, f"{spec.model}/snapshot/{snapshot_id[:12]}", checks)
    return Checked(snapshot_id=snapshot_id, checks=len(checks))


def record_checks(workspace: Workspace, subject: str, checks: Sequence[Check]) -> None:
    """Record all checks of a subject, then refuse it if one failed.

    :raises DataRefused: with every check that failed.
    """
    passed = all_passed(checks)
    content = [to_json(check) for check in checks]
    digest = digest_json([subject, content])
    with workspace.store.transaction() as transaction:
        transaction.record(
            CheckRow(
                digest=digest, subject=subject, passed=passed, checks=content, checked_at=now()
            ),
            actor=workspace.run.actor,
            action="data.checked",
            subject=subject,
            payload={
                "checks": digest,
                "passed": passed,
                "failed": [check.name for check in checks if not check.passed],
            },
        )
    if not passed:
        raise refused(subject, checks)
