"""``lineage deliver``, ``lineage verify`` and ``trace``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.compare import (
    Comparison,
    compare_marquez,
    compare_outbox,
    repair,
)
from mlops.lineage.marquez.relay import deliver as send
from mlops.lineage.marquez.relay import waiting
from mlops.lineage.trace.graph import GovernedRun, load
from mlops.lineage.trace.text import Link, as_json, as_text
from mlops.lineage.trace.trace import Load, trace
from mlops.store.connect import Store

# No person waits for this one, and a Marquez that has just started is slow.
PATIENCE_S = 30.0
PROGRESS_S = 10.0
MOST_SHOWN = 20


def deliver(url: str, marquez_url: str, api_key: str | None) -> int:
    """Send what has not arrived; 0 when all has, 1 when something waits."""
    store, marquez = Store(url), Marquez(marquez_url, timeout_s=PATIENCE_S, api_key=api_key)
    found = send(store, marquez, _progress(waiting(store, marquez.url)))
    if found.busy:
        print("another process is delivering at this moment")
        return 0
    if found.again:
        print("Marquez had been emptied, so everything was sent again")
    print(f"{found.delivered} events delivered, {found.waiting} waiting")
    for line in found.refused:
        print(f"refused: {line}", file=sys.stderr)
    if found.unreachable:
        print(f"stopped early: {found.unreachable}", file=sys.stderr)
    return 1 if found.waiting else 0


def _progress(total: int) -> Callable[[int], None]:
    """Print how far a delivery is: the first one of a long history takes Marquez hours."""
    begin = shown = time.monotonic()

    def report(delivered: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if delivered and now - shown >= PROGRESS_S:
            shown = now
            left = (now - begin) / delivered * max(total - delivered, 0)
            print(
                f"{delivered:,} of {total:,} events delivered, about {left / 60:.0f} minutes left",
                file=sys.stderr,
            )

    return report


def verify(url: str, marquez_url: str | None, api_key: str | None, *, mend: bool = False) -> int:
    """Compare ledger, outbox and Marquez; 0 when they agree.

    :param mend: send to Marquez again what it lost, then compare once more.
    """
    store = Store(url)
    found = compare_outbox(store)
    wrong = _say("the outbox", found)
    if marquez_url is None:
        print("no Marquez is configured ([mlops] marquez_url), so none was looked at")
        return wrong
    marquez = Marquez(marquez_url, timeout_s=PATIENCE_S, api_key=api_key)
    left = waiting(store, marquez.url)
    if left:
        print(f"{left} events have not been delivered yet: python -m mlops lineage deliver")
    found = compare_marquez(store, marquez)
    if mend and found.resend:
        _say(f"Marquez at {marquez.url}", found)
        for line in repair(store, marquez, found.resend):
            print(f"not taken: {line}", file=sys.stderr)
        print(f"{len(set(found.resend))} runs were sent again; comparing once more")
        found = compare_marquez(store, marquez)
    elif found.problems:
        print("to send it again: python -m mlops lineage verify --repair", file=sys.stderr)
    return wrong | _say(f"Marquez at {marquez.url}", found)


def _say(where: str, found: Comparison) -> int:
    if not found.problems:
        print(f"{where} agrees with the ledger: {found.entries} entries, {found.runs} runs")
        return 0
    print(f"{where} does not agree with the ledger:", file=sys.stderr)
    for line in found.problems[:MOST_SHOWN]:
        print(f"  {line}", file=sys.stderr)
    if len(found.problems) > MOST_SHOWN:
        print(f"  and {len(found.problems) - MOST_SHOWN} more", file=sys.stderr)
    return 1


def follow(
    url: str, about: str, *, upstream: bool, load_of: Load, in_json: bool, marquez_url: str | None
) -> int:
    """Print everything that a thing has reached, or has come from; always 0."""
    with Store(url).transaction() as transaction:
        graph = load(transaction)
    found = trace(graph, about, upstream=upstream, load=load_of)
    link = _link(marquez_url)
    print(json.dumps(as_json(found, link), indent=2) if in_json else as_text(found, link))
    return 0


def _link(marquez_url: str | None) -> Link:
    def link(run: GovernedRun) -> str | None:
        if marquez_url is None:
            return None
        return f"{marquez_url.rstrip('/')}/api/v1/jobs/runs/{quote(run.id)}"

    return link
