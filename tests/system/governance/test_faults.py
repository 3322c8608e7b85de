"""What breaks at the wrong moment: it may stop a release, and it never opens a gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.environment import TASK_ROLE
from mlops.errors import NotSigned
from tests.system.governance.site import Site, deploy_of

pytestmark = pytest.mark.system


@contextmanager
def store_down(site: Site) -> Iterator[None]:
    """The store accepts no connection."""
    site.run_sql(f"ALTER ROLE {TASK_ROLE} NOLOGIN")
    try:
        yield
    finally:
        site.run_sql(f"ALTER ROLE {TASK_ROLE} LOGIN")


def test_store_down_while_somebody_answers(site: Site) -> None:
    """Airflow takes the answer, we cannot record it: so it is asked for again."""
    version = site.version("late")
    gate = site.ask("late", version)
    with store_down(site):
        site.sign(gate, "bea")
        site.client.wait_task(gate, ["up_for_retry"])
        assert "StoreUnreachable" in site.client.log(gate, try_number=1)
    site.asked(gate)
    assert not site.entries(f"late/v{version}", "signature.given")
    with pytest.raises(NotSigned, match="nobody has signed"):
        site.life("late").deploy(version)
    site.sign(gate, "bea")
    assert site.deployed(gate) == "success"


def test_listener_that_fails_while_a_member_marks_a_gate(site: Site) -> None:
    """The store is down for the listener, which raises: the task turns green, deploy refuses."""
    version = site.version("late")
    gate = site.ask("late", version)
    with store_down(site):
        site.client.mark("bea", gate, "success", note="fine")
        assert site.deployed(gate) == "failed"
        assert "StoreUnreachable" in site.log(deploy_of(gate))
    assert not site.entries(f"late/v{version}", "signature.given")
    assert site.deploy_again(gate) == "failed"
    assert "nobody has signed" in site.log(deploy_of(gate))
    assert site.live("late") != version


def test_artifact_store_down_at_deploy(site: Site) -> None:
    version = site.version("late")
    gate = site.ask("late", version)
    place = site.folder / "artifacts"
    away = place.rename(site.folder / "away")
    try:
        site.sign(gate, "bea")
        assert site.deployed(gate) == "failed"
        assert "Artifact" in site.log(deploy_of(gate))
    finally:
        if place.exists():
            place.rename(site.folder / "made_meanwhile")
        away.rename(place)
    assert site.live("late") != version


@pytest.mark.parametrize("fault", ["broken", "without the seat"])
def test_policy_that_cannot_say_who_may_sign(site: Site, fault: str) -> None:
    file = site.folder / "include" / "policies" / "quick.yml"
    text = file.read_text()
    version = site.version("late")
    gate = site.ask("late", version)
    try:
        if fault == "broken":
            file.write_text(text.replace("seats:", "seats: ["))
        else:
            file.write_text(text.replace("owner", "boss"))
        site.sign(gate, "bea")
        assert site.client.wait_run(gate.dag_id, gate.run_id) == "failed"
        assert "SpecError" in site.log(gate)
    finally:
        file.write_text(text)
    assert site.client.task_states(gate.dag_id, gate.run_id)["deploy"] == "upstream_failed"
    assert not site.entries(f"late/v{version}", "signature.given")
    assert site.live("late") != version
