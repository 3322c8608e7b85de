"""What a person can answer at a gate, and what comes of silence; in the words of the buttons."""

from __future__ import annotations

import re

APPROVE = "Approve"
# The conditions stand in the reason; that they are kept is for people to see to.
APPROVE_WITH_CONDITIONS = "Approve with conditions"
APPROVALS = (APPROVE, APPROVE_WITH_CONDITIONS)
REJECT = "Reject"
REVOKE = "Revoke"
LAPSE = "Lapse"

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def as_text(reason: str) -> str:
    """A reason as it can be kept: what JSON can carry and no database holds is marked as lost.

    That is the character zero, and one half of a character that takes two: an emoji cut in two.
    """
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", reason)
