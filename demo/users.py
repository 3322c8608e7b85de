"""The people of the demo, as Airflow's simple auth manager knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """One person; the password is the name, which is fit for a machine's own loopback only."""

    name: str
    role: str
    duty: str

    @property
    def password(self) -> str:
        """What the person types in."""
        return self.name


USERS = (
    User("admin", "admin", "administrator of Airflow"),
    User("dora", "op", "data engineer"),
    User("sam", "user", "data scientist, developer of the model"),
    User("bea", "user", "business owner"),
    User("lin", "user", "lead data scientist"),
    User("max", "user", "model risk"),
    User("leo", "user", "legal"),
    User("amy", "viewer", "auditor"),
)
