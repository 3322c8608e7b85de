"""What was live and who had signed it is known as 0.1.0 knew it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.approvals.eligibility import Person
from mlops.approvals.reminders import due_notices, pending_requests
from mlops.approvals.signatures import require_signed, seat_statuses
from mlops.cli.main import main
from mlops.errors import NotSigned
from mlops.flow.control import find_starter
from mlops.flow.governance import find_reviews
from mlops.store.tables import (
    VersionRow,
)
from mlops.store.transaction import Transaction
from mlops.views.history import model_history
from mlops.views.inventory import summaries
from tests.compat.earlier import AT, EARLIER, EXPECTED, LIVE, MODEL, in_run, plain
from tests.fixtures.life import Life, elsewhere

pytestmark = EARLIER


@pytest.mark.parametrize(
    "then", EXPECTED["status"], ids=lambda then: then["after"].replace(" ", "_")
)
def test_status_prints_what_0_1_0_printed(left: Life, then: dict[str, Any], capsys) -> None:
    code = main(["status", MODEL, "--as-of", then["at"], "--url", left.database])
    found = capsys.readouterr().out
    # Nothing pins a key or accepts what is not signed for this command, and it shows that.
    unsigned = r" \(does not count: not signed; it was recorded before approvals were signed .*\)$"
    assert (code, re.sub(unsigned, "", found, flags=re.M)) == (then["code"], then["said"])
    assert len(re.findall(unsigned, found, flags=re.M)) == then["said"].count("  signed by ")


def seats(transaction: Transaction, row: VersionRow, at: datetime) -> list[Any]:
    """The status of each seat of a version."""
    return plain(
        [
            [item.seat, item.title, item.threshold, item.holds, item.signed_by, item.reason]
            for item in seat_statuses(transaction, row, at=at)
        ]
    )


def test_signatures_hold_or_not_for_the_same_reasons(transaction: Transaction) -> None:
    for row in transaction.find(VersionRow):
        expected = EXPECTED["versions"][str(row.number)]
        assert row.package_digest == expected["package"]
        assert seats(transaction, row, AT) == expected["seats"]
        assert seats(transaction, row, AT + timedelta(days=365)) == expected["in_a_year"]


def test_the_live_versions_signatures_hold_today_and_the_others_do_not(
    transaction: Transaction,
) -> None:
    versions = {row.number: row for row in transaction.find(VersionRow)}
    assert set(versions) == {1, 2, 3}
    require_signed(transaction, versions[LIVE], at=datetime.now(UTC))
    for number, why in ((2, "Ben revoked the signature"), (3, "Max rejected: too few rows")):
        with pytest.raises(NotSigned, match=why):
            require_signed(transaction, versions[number], at=datetime.now(UTC))


def test_requests_that_waited_wait_still_and_their_notices_are_due(left: Life) -> None:
    with left.workspace.store.transaction() as transaction:
        found = [
            [g.version, g.seat, g.users, g.asked_at, g.answer_by, g.policy]
            for g in pending_requests(transaction, at=AT)
        ]
    assert plain(found) == EXPECTED["waiting"] != []
    notices = [[n.kind, n.to, n.subject, n.text] for n in due_notices(left.workspace, at=AT)]
    assert plain(notices) == EXPECTED["due"] != []


def test_reviews_fall_due_when_they_were_to(transaction: Transaction) -> None:
    found = [[r.model, r.version, r.due, r.overdue] for r in find_reviews(transaction, at=AT)]
    assert plain(found) == EXPECTED["reviews"] != []


def test_who_started_a_run_is_still_known(left: Life) -> None:
    ((subject,),) = left.rows(
        "SELECT subject FROM mlops.ledger WHERE action = 'run.started' AND subject LIKE %s",
        "late_control/revoke-%",
    )
    run = replace(in_run(left, subject.partition("/")[2], dag="control").workspace.run)
    there = elsewhere(left, run=replace(run, triggered_by="Ben"))
    assert find_starter(there.workspace) == Person("ben", "Ben")


def test_the_history_is_what_it_was(transaction: Transaction) -> None:
    """The records in it are read from JSON that 0.1.0 wrote."""
    found = model_history(transaction, MODEL, at=AT, at_most=100)
    history = {
        "versions": [[v.number, v.state, len(v.signatures)] for v in found.versions],
        "deployments": [[d.version, d.action, d.reason] for d in found.deployments],
        "batches": [[b.id, b.by_rule, b.rows] for b in found.batches],
        "windows": [
            [w.label, w.version, w.result.state, list(w.result.reasons)] for w in found.windows
        ],
        "findings": [[f.cause, f.severity, f.owner] for f in found.findings],
        "reports": sorted([r.kind, r.version, r.sha256] for r in found.reports),
    }
    assert plain(history) == EXPECTED["history"]
    (summary,) = summaries(transaction, (MODEL,), at=AT)
    assert summary == found.summary
    for item in found.versions:
        assert item.metrics["auc"] > 0.5
        assert {gate.passed for gate in item.gates} == {True}
