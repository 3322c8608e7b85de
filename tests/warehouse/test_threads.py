"""Threads end with their block, hold few items, and hand errors on."""

from __future__ import annotations

import threading
import time

import pytest

from mlops.warehouse.threads import WriteBehind, read_ahead


def nothing() -> None:
    """No query to cancel."""


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    assert not [t.name for t in threading.enumerate() if t.name in ("read-ahead", "write-behind")]


def test_items_come_in_order():
    with read_ahead(iter(range(100)), cancel=nothing) as items:
        assert list(items) == list(range(100))


def test_only_a_few_items_wait():
    taken = []

    def source():
        for i in range(50):
            taken.append(i)
            yield i

    with read_ahead(source(), cancel=nothing, depth=2) as items:
        next(items)
        time.sleep(0.1)
        assert len(taken) <= 5


def test_an_error_of_the_source_is_raised_where_its_items_are_used():
    def source():
        yield 1
        raise ValueError("the source broke")

    with read_ahead(source(), cancel=nothing) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="the source broke"):
            next(items)


def test_a_waiting_source_is_cancelled_when_the_block_ends():
    cancelled = threading.Event()

    def source():
        yield 1
        assert cancelled.wait(10)
        raise InterruptedError

    with read_ahead(source(), cancel=cancelled.set) as items:
        assert next(items) == 1
    assert cancelled.is_set()


def test_a_finished_source_is_not_cancelled():
    calls = []
    with read_ahead(iter([1, 2]), cancel=lambda: calls.append(1)) as items:
        assert list(items) == [1, 2]
    assert calls == []


def test_what_is_put_is_written_in_order():
    written = []
    with WriteBehind(written.append) as writer:
        for i in range(100):
            writer.put(i)
    assert written == list(range(100))


def test_an_error_of_the_write_is_raised_and_stops_the_caller():
    def write(item):
        if item == 3:
            raise ValueError("the disk is full")

    put = 0
    with pytest.raises(ValueError, match="the disk is full"), WriteBehind(write) as writer:
        for i in range(1_000):
            writer.put(i)
            put = i
            time.sleep(0.001)
    assert put < 999


def test_an_error_of_the_last_write_is_raised_at_the_end():
    def write(item):
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"), WriteBehind(write) as writer:
        writer.put(1)


def test_an_error_of_the_block_drops_what_waits():
    written = []
    gate = threading.Event()

    def write(item):
        gate.wait(10)
        written.append(item)

    with pytest.raises(KeyError), WriteBehind(write, depth=2) as writer:
        writer.put(1)
        writer.put(2)
        threading.Timer(0.2, gate.set).start()
        raise KeyError("the model")
    assert written in ([1], [])
