"""What was live, as of any moment, from our own tables alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops.approvals.signatures import find_answers
from mlops.approvals.verification import UNSIGNED, Verifier, read_verifier
from mlops.flow.deployments import current_deployment
from mlops.store.tables import DecisionRow, SnapshotRow, VersionRow
from mlops.store.transaction import LedgerBacked, Transaction
from mlops.vocabulary import APPROVALS, APPROVE, APPROVE_WITH_CONDITIONS


@dataclass(frozen=True)
class Status:
    """One model at one moment.

    :ivar undone_by: rejections, revocations and lapses up to then.
    """

    version: int
    package_digest: str
    spec_digest: str
    snapshot_sha256: str
    rows: int
    trained_on: str
    live_since: datetime
    action: str
    signed_by: tuple[str, ...]
    undone_by: tuple[str, ...]

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The facts as name and text, in the order in which an auditor asks."""
        return (
            ("version", f"{self.version} ({self.action}, since {self.live_since:%Y-%m-%d %H:%M})"),
            ("package", f"sha256 {self.package_digest}"),
            ("spec", f"sha256 {self.spec_digest}"),
            ("snapshot", f"sha256 {self.snapshot_sha256}, {self.rows:,} rows, {self.trained_on}"),
            *(("signed by", line) for line in self.signed_by),
            *(("undone by", line) for line in self.undone_by),
        )


def status_as_of(transaction: Transaction, model: str, moment: datetime) -> Status | None:
    """The version that was live at ``moment`` and who had signed it; None if none was live."""
    deployment = current_deployment(transaction, model, as_of=moment)
    if deployment is None:
        return None
    version = transaction.get(VersionRow, model, deployment.version)
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    verifier, policy = read_verifier(transaction), version.signing_policy.policy
    past = [
        (item.row, _signature_note(verifier, item, policy, moment))
        for item in find_answers(transaction, version)
        if item.row is not None and item.row.counted and item.row.decided_at <= moment
    ]
    return Status(
        version=version.number,
        package_digest=version.package_digest,
        spec_digest=version.spec_digest,
        snapshot_sha256=snapshot.sha256,
        rows=snapshot.rows,
        trained_on=f"{snapshot.train_start:%Y-%m-%d} to {snapshot.test_end:%Y-%m-%d}",
        live_since=deployment.valid_from,
        action=deployment.action,
        signed_by=tuple(_answer(row) + note for row, note in past if row.answer in APPROVALS),
        undone_by=tuple(_answer(row) for row, _ in past if row.answer not in APPROVALS),
    )


def _signature_note(
    verifier: Verifier, item: LedgerBacked[DecisionRow], policy: str, moment: datetime
) -> str:
    """What a reader must know of an approval's signature; empty if it is valid."""
    fault = verifier.fault(item, policy=policy, at=moment)
    if fault is not None:
        return f" (does not count: {fault})"
    return f" ({UNSIGNED})" if verifier.is_from_before(item) else ""


def _answer(row: DecisionRow) -> str:
    word = "" if row.answer == APPROVE else f" ({row.answer.lower()})"
    if row.answer == APPROVE_WITH_CONDITIONS:
        word = f" (with conditions: {row.reason})"
    return f"{row.user_name} as {row.seat} on {row.decided_at:%Y-%m-%d %H:%M}{word}"
