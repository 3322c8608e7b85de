"""How Postgres is asked which state of its data a transaction sees."""

from __future__ import annotations

CURRENT_SNAPSHOT = "SELECT pg_current_snapshot()::text"
# Where the server's log is; a managed Postgres may have none, or may not show it.
LOG_POSITION = """\
SELECT (
    CASE
        WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn()
    END
)::text"""
# The server lacks it, keeps it for itself, or has it in another form.
NO_LOG_POSITION = ("0A000", "42501", "42883", "55000")
