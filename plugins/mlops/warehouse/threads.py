"""Threads around a computation: some read ahead of it, one writes behind it.

Each holds a few items only, so memory does not grow with the rows; each ends with its ``with``
block, also when an error ends it; an error of the thread is raised where its items are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

DEPTH = 1
_PATIENCE_SECONDS = 0.1


class _Failed:
    """What the reading thread puts into the queue when it fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    """The mark in a queue after its last item."""


@contextmanager
def read_ahead(
    source: Iterator[T], *, cancel: Callable[[], None], depth: int = DEPTH
) -> Iterator[Iterator[T]]:
    """Run ``source`` in a thread, at most ``depth`` items ahead of the caller.

    :param cancel: makes a ``source`` that waits return; called when the block ends early.
    """
    ready: Queue[T | _Failed | _End] = Queue(depth)
    stopped, finished = Event(), Event()

    def read() -> None:
        last: _End | _Failed = _End()
        try:
            for item in source:
                ready.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised again where the items are used)
            last = _Failed(error)
        finished.set()
        ready.put(last)

    thread = Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _taken(ready)
    finally:
        stopped.set()
        is_over = False
        while not is_over:
            # Repeatedly: a query that has not begun yet does not notice the first call.
            if not finished.is_set():
                cancel()
            _empty(ready)
            thread.join(_PATIENCE_SECONDS)
            is_over = not thread.is_alive()


def _taken(ready: Queue[T | _Failed | _End]) -> Iterator[T]:
    while True:
        item = ready.get()
        if isinstance(item, _End):
            return
        if isinstance(item, _Failed):
            raise item.error
        yield item


def _empty(ready: Queue[T | _Failed | _End]) -> None:
    """Make room: the thread may wait to hand on its last item."""
    while not ready.empty():
        ready.get()


class WriteBehind(Generic[T]):
    """Hands items to a function that runs in a thread of its own, in order.

    After an error, or when the block ends with one, items that wait are dropped.

    :param write: called with each item.
    :param depth: how many items may wait.
    """

    def __init__(self, write: Callable[[T], None], *, depth: int = DEPTH) -> None:
        self._write = write
        self._waiting: Queue[T | _End] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="write-behind", daemon=True)

    def __enter__(self) -> WriteBehind[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self._error is None:
            self._error = error
        self._waiting.put(_End())
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Hand over an item; waits while ``depth`` others do.

        :raises Exception: what ``write`` raised for an item before.
        """
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def _run(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is not None:
                continue
            try:
                self._write(item)
            except BaseException as error:  # noqa: BLE001 (raised again in put or at the end)
                self._error = error
