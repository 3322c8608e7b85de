"""Reports are written of what 0.1.0 recorded, also with its templates."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops.approvals.signatures import require_signed
from mlops.flow.document import document, monitor_report
from mlops.store import ledger
from mlops.store.tables import MonitorRow, VersionRow
from tests.compat.earlier import EARLIER, LIVE, MODEL
from tests.fixtures.life import Life

pytestmark = EARLIER


def test_reports_are_written_of_facts_of_0_1_0_and_undo_no_signature(left: Life) -> None:
    """Their text may be another one today."""
    with left.workspace.store.transaction() as transaction:
        versions = {row.number: row for row in transaction.find(VersionRow)}
        judged = transaction.find(MonitorRow)
    for number, packaged in versions.items():
        written = document(left.workspace, model=MODEL, version=number)
        html = left.workspace.artifacts.read(written.report_sha256).decode()
        assert packaged.package_digest in html
    for row in judged:
        written = monitor_report(left.workspace, measurement=row.measurement)
        html = left.workspace.artifacts.read(written.report_sha256).decode()
        assert versions[row.version].package_digest in html
    with left.workspace.store.transaction() as transaction:
        require_signed(transaction, versions[LIVE], at=datetime.now(UTC))
        assert ledger.verify(transaction.session.connection())[1] is None
