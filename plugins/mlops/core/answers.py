"""What a person can answer at a gate, and what comes of silence; in the words of the buttons."""

from __future__ import annotations

APPROVE = "Approve"
# The conditions stand in the reason; that they are kept is for people to see to.
APPROVE_WITH_CONDITIONS = "Approve with conditions"
APPROVALS = (APPROVE, APPROVE_WITH_CONDITIONS)
REJECT = "Reject"
REVOKE = "Revoke"
LAPSE = "Lapse"
