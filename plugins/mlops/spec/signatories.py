"""Whether a policy names enough people to sign a model: each seat needs people of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mlops.errors import SpecError
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy, Tier


def normalize_name(name: str) -> str:
    """A person's id or name as it is compared: ``Sam`` is ``sam``."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def eligible_users(policy: Policy, seat: str, *barred: str) -> tuple[str, ...]:
    """The users of a seat but some, each once."""
    out = set(map(normalize_name, barred))
    # A person may be in a seat twice, after a hand-over to a person who held it already.
    users = dict.fromkeys(policy.seats[seat].users)
    return tuple(user for user in users if normalize_name(user) not in out)


def has_enough_signatories(policy: Policy, seats: Sequence[str], *barred: str) -> bool:
    """Whether each seat finds its people though one person fills one seat, unless they are shared.

    :param barred: who cannot sign: the developer, or a person who leaves.
    """
    shared = {frozenset(pair) for pair in policy.seats_shared}
    users = {seat: eligible_users(policy, seat, *barred) for seat in seats}
    # The seats with the least choice first, so that a dead end shows early.
    places = [seat for seat in seats for _ in range(policy.seats[seat].required)]
    places.sort(key=lambda seat: len(users[seat]))
    held: dict[str, list[str]] = {}

    def fill(place: int) -> bool:
        if place == len(places):
            return True
        seat = places[place]
        for user in users[seat]:
            filled = held.setdefault(user, [])
            if all(frozenset((seat, other)) in shared for other in filled):
                filled.append(seat)
                if fill(place + 1):
                    return True
                filled.pop()
        return False

    return fill(0)


def require_signatories(spec: ModelSpec, policy: Policy, tier: Tier) -> None:
    """Refuse a model that can never get its signatures; its requests would wait for ever.

    :raises SpecError: with the people whom each seat has.
    """
    developer = spec.manage.developer
    if has_enough_signatories(policy, tier.seats, developer):
        return
    have = "; ".join(
        f"{seat} needs {policy.seats[seat].required} and has "
        f"{', '.join(eligible_users(policy, seat, developer)) or 'none'}"
        for seat in tier.seats
    )
    raise SpecError(
        f"policy '{policy.policy}' names too few people to sign model '{spec.model}'",
        found=f"{have}, without the developer {developer}, who cannot sign",
        expected="people enough for each seat, since one person fills one seat",
        action="name other people in these seats, or the pair in seats_shared",
    )
