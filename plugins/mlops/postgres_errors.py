"""What can be done about an error of Postgres: try again, correct the SQL, ask an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlops.postgres_session import SessionSettings


class Remedy(StrEnum):
    """Who can do something about an error."""

    RETRY = "retry"
    CORRECT_SQL = "correct the SQL"
    ASK_ADMINISTRATOR = "ask an administrator"


@dataclass(frozen=True)
class Advice:
    """What to do about an error.

    :ivar note: what the driver's message does not show; may be empty.
    :ivar time_limit: whether a time limit was reached.
    """

    remedy: Remedy
    action: str
    note: str = ""
    time_limit: bool = False


# The setting whose limit was reached. Messages of Postgres are in the server's language, so only
# the SQLSTATE counts.
_TIME_LIMITS = {
    "57014": "statement_timeout",
    "55P03": "lock_timeout",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
}
# Connection, a transaction in another one's way, resources, shutdown.
_PASSING = ("08", "40", "53", "57P")
# Passwords, databases, rights; a read-only server; files, configuration, faults of the server.
_FOR_ADMINISTRATORS = ("0P", "25006", "28", "3D", "42501", "58", "72", "F0", "XX")


def advise(sqlstate: str | None, settings: SessionSettings) -> Advice:
    """What to do about an error with this SQLSTATE; none where the connection broke."""
    if sqlstate in _TIME_LIMITS:
        setting = _TIME_LIMITS[sqlstate]
        limit = settings.limit(setting)
        return Advice(
            Remedy.RETRY,
            f"try again; if it ends in the same way, set a longer {setting} in the options of the "
            f'connection\'s extras, as {{"options": "-c {setting}=30min"}}, or make the query '
            "read less",
            note=f"the time limit {setting}, which is {limit}, or an administrator ended it",
            time_limit=True,
        )
    if sqlstate is None or sqlstate.startswith(_PASSING):
        return Advice(Remedy.RETRY, "try again")
    if sqlstate.startswith(_FOR_ADMINISTRATORS):
        return Advice(
            Remedy.ASK_ADMINISTRATOR,
            "ask an administrator of the database for the right, or for the cause in its log",
        )
    return Advice(Remedy.CORRECT_SQL, "correct the SQL")
