"""A server that fails as it is asked to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lineage.faulty import FaultyServer


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server that works until a test sets another mode."""
    with FaultyServer() as made:
        yield made
