"""Who signs what: policies that could never open a gate, and the tier of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops.errors import SpecError
from mlops.spec.load import tier_of

if TYPE_CHECKING:
    from tests.spec.conftest import Folder

LOW = "  - name: low\n    seats: [owner]\n"


def policy_line(folder: Folder, text: str) -> int:
    """The number of the first line of the policy that holds ``text``."""
    lines = folder.policy_file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_sound_policy_is_read_with_its_defaults(folder: Folder) -> None:
    policy = folder.policy()
    assert policy.seats["owner"].required == 1
    assert policy.seats["owner"].valid_days == 365
    assert policy.respond_within_days == 14
    assert policy.seats_shared == ()


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        pytest.param(
            "users: [bea]",
            "users: []",
            "policy:",
            "the file: seat 'owner' needs 1 different people and names 0; "
            "add users, or the gate could never open",
            id="seat without people",
        ),
        pytest.param(
            "users: [max, may]",
            "users: [max, max]",
            "policy:",
            "the file: seat 'risk' needs 2 different people and names 1; "
            "add users, or the gate could never open",
            id="one person twice",
        ),
        pytest.param(
            LOW,
            "  - name: low\n    seats: [auditor]\n",
            "policy:",
            "the file: tier 'low' needs seat 'auditor', which the policy does not have; "
            "its seats are owner, risk",
            id="tier with an unknown seat",
        ),
        pytest.param(
            LOW,
            "  - name: low\n    seats: [owner, owner]\n",
            "policy:",
            "the file: tier 'low' needs a seat twice: owner, owner; "
            "to ask more people of a seat, give the seat 'required'",
            id="tier with a seat twice",
        ),
        pytest.param(
            "tiers:\n",
            "seats_shared: [[owner, auditor]]\ntiers:\n",
            "policy:",
            "the file: seats_shared names seat 'auditor', which the policy does not have; "
            "its seats are owner, risk",
            id="shared seat that is unknown",
        ),
        pytest.param(
            "tiers:\n",
            "seats_shared: [[risk, risk]]\ntiers:\n",
            "policy:",
            "the file: seats_shared names seat 'risk' twice in one pair; "
            "a pair is two seats that one person may fill for the same version",
            id="seat shared with itself",
        ),
        pytest.param(
            LOW,
            "  - name: low\n    seats: []\n",
            "seats: []",
            "tiers.2.seats: tuple should have at least 1 item after validation, not 0; "
            "found a list",
            id="tier that nobody signs",
        ),
        pytest.param(
            "users: [bea]",
            "users: [bea]\n    colour: red",
            "colour",
            "seats.owner.colour: unknown key; remove it or correct its spelling",
            id="unknown key",
        ),
        pytest.param(
            "users: [bea]",
            "users: [7]",
            "users",
            "seats.owner.users.0: input should be a valid string; found 7",
            id="user id that is not text",
        ),
        pytest.param(
            "exposure_at_least: medium",
            "exposure_at_least: huge",
            "huge",
            "tiers.1.exposure_at_least: input should be 'low', 'medium' or 'high'; found 'huge'",
            id="unknown level",
        ),
        pytest.param(
            "title: The standard policy",
            "title: The standard policy\nrespond_within_days: 0",
            "respond_within_days",
            "respond_within_days: input should be greater than 0; found 0",
            id="no time to answer",
        ),
        pytest.param(
            "title: The standard policy",
            "title: The standard policy\nrespond_within_days: 4000000",
            "respond_within_days",
            "respond_within_days: input should be less than or equal to 1000000; found 4000000",
            id="a deadline that no date can say",
        ),
        pytest.param(
            "users: [bea]",
            "users: [bea]\n    valid_days: 4000000",
            "valid_days",
            "seats.owner.valid_days: input should be less than or equal to 1000000; found 4000000",
            id="a signature whose end no date can say",
        ),
    ],
)
def test_a_policy_that_could_never_be_met_is_refused(
    folder: Folder, old: str, new: str, where: str, sentence: str
) -> None:
    lines = folder.policy_error({old: new})
    assert lines == [f"policies/standard.yml:{policy_line(folder, where)}: {sentence}."]


def test_seats_of_the_policy_may_be_shared(folder: Folder) -> None:
    shared = folder.policy({"tiers:\n": "seats_shared: [[owner, risk]]\ntiers:\n"}).seats_shared
    assert shared == (("owner", "risk"),)


def test_the_file_s_name_must_be_the_policy_s(folder: Folder) -> None:
    assert folder.policy_error({"policy: standard": "policy: strict"}) == [
        "policies/standard.yml:1: policy: must agree with the file's name; "
        "found policy 'strict'; expected 'standard'."
    ]


@pytest.mark.parametrize(
    ("exposure", "purpose", "tier", "reason"),
    [
        ("low", "operations", "low", "exposure is low (at least low)"),
        ("medium", "operations", "medium", "exposure is medium (at least medium)"),
        ("high", "operations", "medium", "exposure is high (at least medium)"),
        ("low", "credit", "high", "exposure is low (at least low) and purpose is credit"),
        ("high", "credit", "high", "exposure is high (at least low) and purpose is credit"),
    ],
)
def test_the_first_tier_whose_conditions_hold_wins(
    folder: Folder, exposure: str, purpose: str, tier: str, reason: str
) -> None:
    content = folder.content(
        {"exposure: low": f"exposure: {exposure}", "purpose: operations": f"purpose: {purpose}"}
    )
    found = tier_of(content, folder.policy())
    assert found.name == tier
    assert found.reason(content) == reason


def test_the_order_of_the_tiers_counts(folder: Folder) -> None:
    policy = folder.policy({"tiers:\n": "tiers:\n  - {name: anything, seats: [risk]}\n"})
    assert tier_of(folder.content({"exposure: low": "exposure: high"}), policy).name == "anything"


def test_a_model_without_a_tier_is_an_error_and_not_an_open_gate(folder: Folder) -> None:
    with pytest.raises(SpecError) as raised:
        tier_of(folder.content(), folder.policy({LOW: ""}))
    assert str(raised.value) == (
        "policy 'standard' has no tier for model 'churn'; "
        "found exposure low, purpose operations; expected a tier whose conditions hold; "
        "what to do: add a last tier without conditions to the policy."
    )
