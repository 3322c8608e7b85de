"""Which of several states of a Postgres database is the newest."""

from __future__ import annotations

from collections.abc import Iterable

from mlops.warehouse.records import DatabaseState


def newest_state(states: Iterable[DatabaseState]) -> DatabaseState:
    """Return the state that has seen all that any of the others has seen."""
    return max(states, key=_age)


def _age(state: DatabaseState) -> tuple[int, int]:
    """Snapshots in the order of time: by the first transaction that had not begun."""
    first_running, first_future, _ = state.snapshot.split(":")
    return int(first_future), int(first_running)
