"""Delivers the outbox as soon as something is in it, beside the other work of its process.

It runs in a thread of the API server. Postgres notifies it when a transaction that put events into
the outbox was committed, so a task is never slowed and a step's lineage is in Marquez a moment
later. It promises nothing: what it misses, ``mlops_governance`` delivers within the hour.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg

from mlops.errors import MlopsError
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.relay import Delivery, deliver
from mlops.store.connect import Store
from mlops.store.outbox import CHANNEL

log = logging.getLogger(__name__)

# Without any news the outbox is looked at this often, for what could not be delivered before.
ROUND_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 120.0
PATIENCE_S = 10.0


def start(store: Store, url: str, *, api_key: str | None = None) -> Callable[[], None]:
    """Start delivering in a thread of its own; an error there is logged, and the thread goes on.

    :return: what ends it.
    """
    stop = threading.Event()
    marquez = Marquez(url, timeout_s=PATIENCE_S, api_key=api_key)
    thread = threading.Thread(
        target=_run, args=(store, marquez, stop), name="mlops lineage", daemon=True
    )
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(timeout=5.0)

    return end


def _run(store: Store, marquez: Marquez, stop: threading.Event) -> None:
    pause = FIRST_PAUSE_S
    while not stop.is_set():
        try:
            if _listen(store, marquez, stop):
                pause = FIRST_PAUSE_S
        except (MlopsError, psycopg.Error) as error:
            message = store.scrub(str(error))
            log.warning("the outbox cannot be listened to, trying again: %s", message)
        except Exception:  # the API server goes on when this thread fails
            log.exception("delivering lineage failed, trying again")
        stop.wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _listen(store: Store, marquez: Marquez, stop: threading.Event) -> bool:
    """Deliver at once and after each commit, until Marquez is away; whether it ever answered."""
    answered = False
    with psycopg.connect(store.libpq_url, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}".encode())
        while not stop.is_set():
            found = deliver(store, marquez)
            _log(found)
            if found.unreachable:
                return answered
            answered = True
            _wait(connection, stop)
    return answered


def _wait(connection: psycopg.Connection[tuple[object, ...]], stop: threading.Event) -> None:
    """Until something is committed, or for a round; looking up now and then for the end."""
    waited = 0.0
    while waited < ROUND_S and not stop.is_set():
        if list(connection.notifies(timeout=1.0, stop_after=1)):
            return
        waited += 1.0


def _log(found: Delivery) -> None:
    if found.again:
        log.warning("Marquez had been emptied; everything is delivered again")
    if found.delivered:
        log.info("%s lineage events delivered, %s waiting", found.delivered, found.waiting)
    for line in found.refused:
        log.error("Marquez refused lineage, later events of the model wait: %s", line)
    if found.unreachable:
        log.warning("lineage waits (%s events): %s", found.waiting, found.unreachable)
