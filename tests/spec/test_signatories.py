"""Who is left to sign: one person fills one seat, unless the policy shares two by name."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.spec.policy import Policy
from mlops.spec.signatories import has_enough_signatories

SEATS = ("owner", "science", "risk")
PEOPLE = ("ann", "ben", "cat")


def policy(
    users: dict[str, tuple[str, ...]], *, people: int = 1, shared: tuple[tuple[str, str], ...] = ()
) -> Policy:
    """A policy whose seats are all needed; ``people`` are asked of the first one."""
    seats = {
        seat: {"title": seat, "users": names, "attests": "it", "required": people if n == 0 else 1}
        for n, (seat, names) in enumerate(users.items())
    }
    tiers = ({"name": "all", "seats": tuple(users)},)
    return Policy.model_validate(
        {"policy": "p", "title": "p", "seats": seats, "tiers": tiers, "seats_shared": shared}
    )


@pytest.mark.parametrize(
    ("users", "barred", "shared", "enough"),
    [
        ({"owner": ("ann",), "risk": ("ben",)}, (), (), True),
        ({"owner": ("ann",), "risk": ("ben",)}, ("BEN ",), (), False),
        ({"owner": ("ann",), "risk": ("ann",)}, (), (), False),
        ({"owner": ("ann",), "risk": ("ann",)}, (), (("risk", "owner"),), True),
        ({"owner": ("ann", "ben"), "risk": ("ann",)}, (), (), True),
        ({"owner": ("ann", "ben"), "risk": ("ann",)}, ("ben",), (), False),
        (dict.fromkeys(SEATS, ("ann",)), (), (("owner", "science"), ("science", "risk")), False),
    ],
)
def test_each_seat_needs_somebody_of_its_own(users, barred, shared, enough) -> None:
    assert has_enough_signatories(policy(users, shared=shared), tuple(users), *barred) is enough


def test_a_seat_of_two_takes_two_though_it_is_shared() -> None:
    users = {"owner": ("ann", "ben"), "risk": ("ann",)}
    assert has_enough_signatories(
        policy(users, people=2, shared=(("owner", "risk"),)), tuple(users)
    )
    assert not has_enough_signatories(policy(users, people=2), tuple(users))
    assert not has_enough_signatories(
        policy(users, people=2, shared=(("owner", "risk"),)), tuple(users), "ben"
    )


@given(
    st.fixed_dictionaries({seat: st.sets(st.sampled_from(PEOPLE), min_size=1) for seat in SEATS}),
    st.sets(st.sampled_from([("owner", "science"), ("owner", "risk"), ("science", "risk")])),
)
def test_it_says_what_trying_everything_says(users, shared) -> None:
    given_to = {frozenset(pair) for pair in shared}
    found = any(
        all(
            chosen[a] != chosen[b] or frozenset((SEATS[a], SEATS[b])) in given_to
            for a, b in ((0, 1), (0, 2), (1, 2))
        )
        for chosen in product(*(users[seat] for seat in SEATS))
    )
    made = policy({seat: tuple(sorted(users[seat])) for seat in SEATS}, shared=tuple(shared))
    assert has_enough_signatories(made, SEATS) is found
