"""Reports are written of what 0.1.0 recorded, also with its templates."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.approvals.signatures import require_signed
from mlops.flow.document import document, monitor_report
from mlops.reports.earlier_names import DeprecatedName
from mlops.store import ledger
from mlops.store.tables import MonitorRow, VersionRow
from tests.compat.earlier import EARLIER, FILES, LIVE, MODEL, WINDOWS
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


# 0.1.0 shipped no templates: each company has a copy, and may have changed it.
@pytest.fixture(params=["as_shipped", "every_name"])
def templates(request: pytest.FixtureRequest, left: Life) -> Path:
    """A company's templates: those of 0.1.0, or some that use every name that a report had."""
    folder = left.include / "reports"
    shutil.copytree(FILES / "include" / "reports", folder)
    if request.param == "every_name":
        shutil.copytree(FILES / "names", folder, dirs_exist_ok=True)
    return folder


def test_a_validation_report_is_written_with_templates_of_0_1_0(
    left: Life, templates: Path
) -> None:
    with pytest.warns(DeprecatedName, match=r"'required' for 'people', .*'attests' for") as seen:
        written = document(left.workspace, model=MODEL, version=LIVE)
    assert len(seen) == 1
    assert str(templates / "validation.html.j2") in str(seen[0].message)
    html = left.workspace.artifacts.read(written.report_sha256).decode()
    assert "that the risk of the model is known, limited and acceptable" in html


def test_a_monitoring_report_is_written_with_templates_of_0_1_0(
    left: Life, templates: Path
) -> None:
    measured = WINDOWS["2013-07-04"]["measured"]["measurement"]
    with pytest.warns(DeprecatedName, match="'value' for 'psi'") as seen:
        written = monitor_report(left.workspace, measurement=measured)
    assert len(seen) == 1
    assert str(templates / "monitoring.html.j2") in str(seen[0].message)
    html = left.workspace.artifacts.read(written.report_sha256).decode()
    with left.workspace.store.transaction() as transaction:
        judged = transaction.get(MonitorRow, measured)
    found = judged.result["drift"][0]
    assert f"{found['psi']:.3f}" in html
