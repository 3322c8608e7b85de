"""Who signs what: seats, the people in them, and the seats that each tier of risk needs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mlops.spec.model import DottedName, ModelSpec, Name, Text
from mlops.spec.section import Section, renamed

Level = Literal["low", "medium", "high"]
# Longer ones end after the year 9999, which no date can say.
_MOST_DAYS = 1_000_000
_LEVELS: tuple[Level, ...] = ("low", "medium", "high")


class Seat(Section):
    """A role that signs, and the people who hold it.

    ``users`` are the user ids of Airflow's auth manager: the user name with SimpleAuthManager,
    the number as text with FAB.

    :ivar title: what reports and approval requests call the seat.
    :ivar users: the people who may sign for it, by user id.
    :ivar required: how many different people have to sign.
    :ivar attests: what a signature of this seat attests.
    :ivar valid_days: how many days a signature holds.
    :ivar reason_needed: whether an approval needs a reason, as a rejection always does.
    """

    title: Text
    users: tuple[Text, ...]
    required: Annotated[int, Field(ge=1), renamed("required", old="people")] = 1
    attests: Annotated[Text, renamed("attests", old="signs")]
    valid_days: Annotated[int, Field(ge=1, le=_MOST_DAYS)] = 365
    reason_needed: bool = False


class Tier(Section):
    """A tier of risk: which models fall into it, and which seats sign for them.

    A model falls into the first tier of the policy, read from the top, whose conditions all hold.

    :ivar name: its name in reports.
    :ivar exposure_at_least: the lowest ``exposure`` of a model that falls into it.
    :ivar purposes: the ``purpose`` of a model has to be one of these; without it, any.
    :ivar seats: names of the seats that have to sign.
    """

    name: Name
    exposure_at_least: Level = "low"
    purposes: tuple[Text, ...] | None = None
    seats: Annotated[tuple[Name, ...], Field(min_length=1)]

    def holds(self, spec: ModelSpec) -> bool:
        """Whether ``spec`` falls into this tier."""
        exposed = _LEVELS.index(spec.manage.exposure) >= _LEVELS.index(self.exposure_at_least)
        return exposed and (self.purposes is None or spec.manage.purpose in self.purposes)

    def reason(self, spec: ModelSpec) -> str:
        """Why ``spec`` falls into this tier, in the words of the report."""
        text = f"exposure is {spec.manage.exposure} (at least {self.exposure_at_least})"
        if self.purposes is not None:
            text += f" and purpose is {spec.manage.purpose}"
        return text


class Notify(Section):
    """How people are reminded of an approval request: any Airflow notifier, by name.

    In the texts of ``params`` the words ``{subject}``, ``{message}`` and ``{to}`` are filled in;
    a text that is ``{to}`` alone becomes the list of addresses.

    :ivar notifier: dotted name of the notifier's class.
    :ivar params: its arguments.
    :ivar addresses: address of each user, by user id.
    :ivar remind_hours_before: so long before the deadline the seat's people are reminded.
    :ivar escalate_hours_before: so long before the deadline ``escalate_to`` is informed.
    :ivar escalate_to: user ids or addresses of those who are informed when a request still waits.
    """

    notifier: DottedName = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    params: dict[str, Any] = Field(default_factory=dict)
    addresses: dict[Text, Text] = Field(default_factory=dict)
    remind_hours_before: Annotated[float, Field(gt=0, le=24 * _MOST_DAYS)] = 48
    escalate_hours_before: Annotated[float, Field(gt=0, le=24 * _MOST_DAYS)] = 12
    escalate_to: tuple[Text, ...] = ()


class Policy(Section):
    """A sign-off policy, one file in ``include/policies/``.

    :ivar policy: name of the policy, and of this file.
    :ivar title: what reports call it.
    :ivar seats: the seats, by name.
    :ivar tiers: the tiers of risk, from the top.
    :ivar respond_within_days: how long an approval request waits before the seat lapses.
    :ivar fallback: what scores when the live version was stopped or its signatures no longer hold.
    :ivar notify: how people are reminded; without it, they are not.
    :ivar unsigned_accepted_until: the last day on which approvals count that were recorded before
        the ledger had a key, and so are not signed; without it, they do not count.
    :ivar seats_shared: pairs of seats that one person may fill for the same version.
    :ivar keep_inputs: for how many days the rows of scored windows are kept after they were read;
        without it, as long as the artifacts.
    """

    policy: Name
    title: Text
    seats: Annotated[dict[Name, Seat], Field(min_length=1)]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    respond_within_days: Annotated[
        float, Field(gt=0, le=_MOST_DAYS), renamed("respond_within_days", old="answer_days")
    ] = 14
    fallback: Literal["previous_version", "rule", "no_decision"] = "previous_version"
    notify: Notify | None = None
    # Left out where it is not set, so that policies of before keep their digests.
    unsigned_accepted_until: Annotated[date | None, Field(exclude_if=lambda day: day is None)] = (
        None
    )
    seats_shared: tuple[tuple[Name, Name], ...] = ()
    keep_inputs: Annotated[int, Field(ge=1, le=_MOST_DAYS)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )

    @model_validator(mode="after")
    def _names_agree(self) -> Policy:
        for tier in self.tiers:
            if len(set(tier.seats)) < len(tier.seats):
                raise ValueError(
                    f"tier '{tier.name}' needs a seat twice: {', '.join(tier.seats)}; "
                    "to ask more people of a seat, give the seat 'required'"
                )
            for seat in tier.seats:
                if seat not in self.seats:
                    raise ValueError(
                        f"tier '{tier.name}' needs seat '{seat}', which the policy does not have; "
                        f"its seats are {', '.join(self.seats)}"
                    )
        for seat, entry in self.seats.items():
            if len(set(entry.users)) < entry.required:
                raise ValueError(
                    f"seat '{seat}' needs {entry.required} different people and names "
                    f"{len(set(entry.users))}; add users, or the gate could never open"
                )
        return self

    @model_validator(mode="after")
    def _shared_seats_are_two_of_its_own(self) -> Policy:
        for pair in self.seats_shared:
            for seat in pair:
                if seat not in self.seats:
                    raise ValueError(
                        f"seats_shared names seat '{seat}', which the policy does not have; "
                        f"its seats are {', '.join(self.seats)}"
                    )
            if len(set(pair)) < len(pair):
                raise ValueError(
                    f"seats_shared names seat '{pair[0]}' twice in one pair; "
                    "a pair is two seats that one person may fill for the same version"
                )
        return self

    def tier(self, spec: ModelSpec) -> Tier | None:
        """The tier of ``spec``; None if the conditions of no tier hold."""
        return next((tier for tier in self.tiers if tier.holds(spec)), None)
