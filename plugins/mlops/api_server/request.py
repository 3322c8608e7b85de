"""The user who asks Airflow's API for a change, for as long as the request lasts."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ApiActor:
    """The user of a request that changes something, and the request's body."""

    user_id: str
    user_name: str
    body: Any = field(default=None)


current_actor: ContextVar[ApiActor | None] = ContextVar("mlops_current_act", default=None)
