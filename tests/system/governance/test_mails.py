"""People are told: reminders, escalations and lapses, through Airflow's notifier over SMTP."""

from __future__ import annotations

import pytest

from tests.system.governance.mail import MailServer
from tests.system.governance.site import Site

pytestmark = pytest.mark.system
DAG = "mlops_governance"


def look_after(site: Site, run: str) -> None:
    """One run of the DAG for all models."""
    site.client.trigger(DAG, run)
    assert site.client.wait_run(DAG, run) == "success"


def test_a_gate_near_its_deadline_is_brought_to_mind_once(site: Site, mail: MailServer) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    site.client.unpause(DAG)
    look_after(site, "first")
    what = f"late version {version}, owner"
    mails = {mail.subject: mail for mail in mail.mails if what in mail.subject}
    assert set(mails) == {f"Reminder: {what}", f"Escalation: {what}"}
    reminder, escalation = mails[f"Reminder: {what}"], mails[f"Escalation: {what}"]
    assert reminder.to == ("bea@example.org", "ben@example.org")
    assert escalation.to == ("head@example.org",)
    assert "bea, ben were asked to sign" in reminder.text
    assert "the seat lapses and nothing is deployed" in reminder.text
    before = len(mail.mails)
    look_after(site, "second")
    assert len(mail.mails) == before
    gate_id = site.rows("SELECT id FROM mlops.gate WHERE run_id = %s", gate.run_id)[0][0]
    told = [payload["to"] for _, _, payload in site.entries(f"late/v{version}", "gate.reminder")]
    told = site.rows("SELECT kind, told FROM mlops.notice WHERE subject = %s", gate_id)
    assert sorted(told) == [
        ("escalation", ["head@example.org"]),
        ("reminder", ["bea", "ben"]),
    ]


def test_those_who_were_asked_are_told_of_a_lapse(site: Site, mail: MailServer) -> None:
    version = site.version("late_soon")
    gate = site.start("late_soon", version)
    assert site.client.wait_run(gate.dag_id, gate.run_id) == "failed"
    (found,) = [
        mail for mail in mail.mails if mail.subject == f"Lapsed: late_soon version {version}, Owner"
    ]
    assert found.to == ("bea@example.org", "ben@example.org")
    assert "nothing is deployed" in found.text
