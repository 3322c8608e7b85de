"""Notify people through the Airflow notifier that their policy names."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops.approvals.reminders import Notice
    from mlops.workspace.workspace import Workspace

log = logging.getLogger(__name__)


def notify(workspace: Workspace, notice: Notice, context: Any) -> bool:
    """Send one notice and record it; returns whether it could be sent.

    A notice that cannot be sent opens and closes nothing: it is logged, and the governance DAG
    tries again as long as the request waits.
    """
    from mlops.approvals.reminders import record_notice

    notify = workspace.include.policy(notice.policy).notify
    if notify is None:
        log.info("policy %s has no 'notify', so this is not sent: %s", notice.policy, notice.text)
        return False
    to = [notify.addresses.get(user, user) for user in notice.to]
    words = {"subject": notice.subject, "message": notice.text, "to": ", ".join(to)}
    params = {name: _filled(value, words, to) for name, value in notify.params.items()}
    module, _, name = notify.notifier.rpartition(".")
    try:
        getattr(import_module(module), name)(**params).notify(context)
    except Exception:  # a mail server that is down must not undo what was decided
        log.exception("could not notify %s: %s", ", ".join(to), notice.subject)
        return False
    record_notice(workspace, notice)
    return True


def _filled(value: Any, words: dict[str, str], to: list[str]) -> Any:
    if value == "{to}":
        return to
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace("{" + name + "}", word)
    return value
