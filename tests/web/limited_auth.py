"""An auth manager for tests: leo may read the DAGs of flight_delay only, and amy none at all."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

READABLE = {"leo": ("flight_delay_",), "amy": ()}


class LimitedAuthManager(SimpleAuthManager):
    """Airflow's simple auth manager, with rights on single DAGs as others have them."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **kwargs: Any) -> bool:
        prefixes = READABLE.get(user.username)
        if prefixes is not None and details is not None and details.id is not None:
            return any(details.id.startswith(prefix) for prefix in prefixes)
        return super().is_authorized_dag(user=user, details=details, **kwargs)
