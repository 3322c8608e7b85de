"""What a signature of a version binds: the digests of all that was put before the approver."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops.errors import NotSigned
from mlops.store.tables import ReportRow, SnapshotRow, VersionRow
from mlops.store.transaction import Transaction
from mlops.vocabulary import VALIDATION_REPORT


@dataclass(frozen=True)
class SignedBytes:
    """The digests that a signature binds; one that differs makes it a signature of other bytes.

    :ivar evidence_digest: of the newest validation report.
    :ivar reports: digests of all of them. A report that is written later does not undo a signature
        on an earlier one that the store still knows.
    """

    package_digest: str
    spec_digest: str
    snapshot_digest: str
    evidence_digest: str
    criteria_digest: str
    reports: tuple[str, ...] = field(default=(), repr=False)

    def digests(self) -> dict[str, str]:
        """Each digest by what it is of."""
        return {
            name.removesuffix("_digest"): value
            for name, value in vars(self).items()
            if name.endswith("_digest")
        }


def signed_bytes(transaction: Transaction, version: VersionRow) -> SignedBytes:
    """What a signature of this version binds.

    :raises NotSigned: the version has no validation report yet, so there is nothing to sign on.
    """
    reports = transaction.find(
        ReportRow, model=version.model, version=version.number, kind=VALIDATION_REPORT
    )
    if not reports:
        raise NotSigned(
            f"{version.model} v{version.number}",
            found="no validation report",
            expected="evidence that approvers can read before they sign",
            action="run the task 'document' first",
        )
    newest = max(reports, key=lambda report: report.written_at)
    snapshot = transaction.get(SnapshotRow, version.snapshot_id)
    return SignedBytes(
        package_digest=version.package_digest,
        spec_digest=version.spec_digest,
        snapshot_digest=snapshot.sha256,
        evidence_digest=newest.sha256,
        criteria_digest=version.criteria_digest,
        reports=tuple(sorted(report.sha256 for report in reports)),
    )
