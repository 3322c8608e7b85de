"""The same with the FAB auth manager, where a policy names ids, and specs and runs name names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from demo.platform import silent
from demo.rest import AirflowRefused
from mlops.errors import NotSigned
from tests.system.governance import site as sites
from tests.system.governance.site import ROLES, GovernedPlatform, Site, deploy_of

pytestmark = pytest.mark.system

MAKE_PEOPLE = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

with get_application_builder() as builder:
    ids = {}
    for name, role in json.loads(sys.argv[1]).items():
        found = builder.sm.find_role(role.capitalize())
        user = builder.sm.add_user(name, name, name, f"{name}@example.org", found, password=name)
        ids[name] = str(user.id)
print(json.dumps(ids))
"""


class FabPlatform(GovernedPlatform):
    """Airflow with accounts in its own database."""

    def environment(self) -> dict[str, str]:
        """With FAB in place of the simple auth manager."""
        return {
            **super().environment(),
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
            ),
        }

    def make_people(self) -> dict[str, str]:
        """An account for everybody."""
        self._make_folders()
        self._migrate(silent)
        done = subprocess.run(
            [sys.executable, "-c", MAKE_PEOPLE, json.dumps(ROLES)],
            env=self.environment(),
            cwd=self.places.project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def fab_site() -> Iterator[Site]:
    """Airflow with FAB; nobody reads its mail."""
    with sites.running(1, FabPlatform) as made:
        yield made


def test_ids_decide_who_holds_a_seat_and_names_who_may_not_sign(fab_site: Site) -> None:
    """One gate: a stranger, the developer, whoever started it, and at last a member."""
    ids = fab_site.ids
    assert all(id_.isdecimal() for id_ in ids.values())
    version = fab_site.version("late")
    gate = fab_site.ask("late", version)
    for user, status, why in (
        ("eve", 403, "eve does not hold the seat Owner"),
        ("sam", 460, f"sam developed late v{version} and cannot sign it"),
        ("dora", 460, f"dora started the release of late v{version} and cannot sign it"),
    ):
        with pytest.raises(AirflowRefused) as refusal:
            fab_site.sign(gate, user)
        assert (refusal.value.status, refusal.value.detail) == (status, why)
    fab_site.sign(gate, "bea")
    assert fab_site.deployed(gate) == "success"
    said = fab_site.entries(f"late/v{version}", "signature.refused", "signature.given")
    assert [(actor, payload["user_name"]) for actor, _, payload in said] == [
        (ids[user], user) for user in ("eve", "sam", "dora", "bea")
    ]


def test_marks_by_hand(fab_site: Site) -> None:
    version = fab_site.version("late")
    gate = fab_site.ask("late", version)
    fab_site.client.mark("admin", gate, "success", note="urgent")
    assert fab_site.deployed(gate) == "failed"
    assert "admin marked the task as a success" in fab_site.log(deploy_of(gate))
    fab_site.client.wait_run(gate.dag_id, gate.run_id)
    fab_site.client.clear(gate.dag_id, gate.run_id, [gate.task_id, "deploy"])
    fab_site.asked(gate)
    fab_site.client.mark("bea", gate, "success", note="I read the report")
    assert fab_site.deployed(gate) == "success"
    ((actor, _, payload),) = fab_site.entries(f"late/v{version}", "signature.given")
    assert (actor, payload["method"]) == (fab_site.ids["bea"], "mark_success")


def test_a_seat_is_revoked_by_its_holder_though_runs_name_names(fab_site: Site) -> None:
    version = fab_site.go_live("late")
    conf = {"action": "revoke", "seat": "owner", "reason": "it harms people"}
    assert fab_site.control("late", "eve", **conf) == "failed"
    fab_site.life("late").deploy(version)
    assert fab_site.control("late", "bea", **conf) == "success"
    with pytest.raises(NotSigned, match="bea revoked the signature: it harms people"):
        fab_site.life("late").deploy(version)
    ((actor, _, _),) = fab_site.entries(f"late/v{version}", "signature.revoked")
    assert actor == fab_site.ids["bea"]
